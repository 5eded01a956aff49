package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

const (
	kindOperator = "revoked socket"
	operatorRole = "operator"
)

// trustedKey returns the newest key of the issuer that the chat has seen, so that an
// operator can do something while the issuer is away.
func (v *visitors) trustedKey() *oidctest.Key { return v.issuer.trustedBy(v.judge, chatServer) }

func (v *visitors) operator() string {
	return v.issuer.mintBy(v.trustedKey(), map[string]any{"sub": operatorRole, "roles": []string{operatorRole}}, time.Minute).text
}

// sendAway has an operator revoke what a caller has, each time another's, until ctx ends:
// their socket ends at once, and their token is good no more.
func (v *visitors) sendAway(ctx context.Context, every time.Duration) {
	// Somebody who was sent away cannot come back before the leeway is over.
	const victims = 10
	for n := 0; pause(ctx, max(every, 4*leeway/victims)); n++ {
		name := fmt.Sprintf("victim-%d", n%victims)
		me := v.enter(v.issuer.mintBy(v.trustedKey(), map[string]any{"sub": name}, time.Minute))
		if me == nil {
			continue
		}
		me.sentAway(ctx)
		me.leave()
	}
}

func (me *visitor) sentAway(ctx context.Context) {
	if err := me.withdraw(ctx, me.token.subject); err != nil {
		if ctx.Err() == nil {
			me.fault("revocation: %v", err)
		}
		return
	}
	select {
	case <-me.end:
		me.judge.count(kindOperator, refused)
	case <-time.After(me.judge.busy):
		me.fault("the socket of a revoked caller lives after %v", me.judge.busy)
		return
	}
	p := &presented{kind: kindRevoked, server: chatServer, keyID: me.token.keyID}
	me.judge.present(p)
	status, body, err := get(ctx, me.chat.url+"/operator/state", me.token.text)
	if ctx.Err() == nil {
		me.judge.take(p, answer{status, string(body), err})
	}
}

func (v *visitors) withdraw(ctx context.Context, subject string) error {
	body, err := json.Marshal(map[string]string{"issuer": v.issuer.URL(), "subject": subject})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, v.chat.url+"/operator/revoke", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+v.operator())
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}
