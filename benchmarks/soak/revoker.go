package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// revoke withdraws tokens, one after the other and at both servers in turn, until ctx
// ends.
func (l *load) revoke(ctx context.Context, every time.Duration) {
	var wg sync.WaitGroup
	defer wg.Wait()
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for at := 0; ; at = 1 - at {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			wg.Go(func() { l.revokeOne(at) })
		}
	}
}

const kindRevocation = "revocation"

// revokeOne withdraws a token at one server that both have seen, and watches that it is
// refused: there from the answer on, at the other soon.
func (l *load) revokeOne(at int) {
	t := l.issuer.mintBy(l.issuer.trustedBy(l.judge, 0, 1), nil, tokenLife)
	for server := range 2 {
		l.show(&presented{kind: kindFirst, server: server, keyID: t.keyID, good: true}, t.text)
	}
	status := l.revocation(at, t)
	if status != http.StatusOK && status != http.StatusAccepted {
		return
	}
	acknowledged := time.Now()
	l.show(&presented{kind: kindRevoked, server: at, keyID: t.keyID}, t.text)
	l.await(1-at, t, acknowledged, status)
	l.revoked.add(t)
}

// revocation asks a server to revoke a token.
func (l *load) revocation(at int, t token) int {
	body, err := json.Marshal(map[string]string{"revoke": "token", "issuer": t.by.URL(), "token_id": t.id})
	if err != nil {
		panic(err) // of strings
	}
	r, err := http.NewRequest(http.MethodPost, l.servers[at].admin+"/v1/revocations", bytes.NewReader(body))
	if err != nil {
		panic(err) // of an address that was used before
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", "application/json")
	resp, err := l.client.Do(r)
	if err != nil {
		l.judge.count(kindRevocation, noAnswer)
		l.judge.fault("server %d: revocation: %v", at+1, err)
		return 0
	}
	resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		l.judge.count(kindRevocation, accepted)
	case http.StatusAccepted:
		l.judge.count(kindRevocation, waits)
	default:
		l.judge.count(kindRevocation, noAnswer)
		l.judge.fault("server %d: revocation: status %d", at+1, resp.StatusCode)
	}
	return resp.StatusCode
}

// waits is of a revocation that holds here and is shared later.
const waits outcome = "202, shared later"

// await brings a revoked token to the other server until that refuses it.
func (l *load) await(at int, t token, acknowledged time.Time, status int) {
	var last time.Duration // when it was last accepted
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		asked := time.Since(acknowledged)
		a := l.ask(l.servers[at].url+"/v1/whoami", t.text)
		switch {
		case a.outcome() == refused, asked > sharedDelay+l.judge.busy:
			l.judge.shared(acknowledged, status, last, time.Since(acknowledged))
			return
		case a.outcome() == accepted:
			last = asked
		}
		time.Sleep(pause)
	}
}
