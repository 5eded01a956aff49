package main

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

func random() string { return crand.Text() }

func subject(n int) string { return fmt.Sprintf("caller-%03d", n) }

// A load is the clients of both "oidcauth serve".
type load struct {
	servers []*server
	issuer  *provider // that fails at times
	steady  *provider // that never does
	judge   *judge
	good    [2]wallet // by server: what it has accepted
	revoked wallet
	client  *http.Client
	kinds   deck
	flooded func() bool // whether it is time for tokens with unknown key IDs
}

// atOnce is how many requests are under way at most. Those that hang must not keep
// others from being made.
const atOnce = 500

// run sends requests at their instants, however long those before take.
func (l *load) run(ctx context.Context, rate int) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, atOnce)
	ticks := time.NewTicker(time.Second / time.Duration(rate))
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		select {
		case slots <- struct{}{}:
			wg.Go(func() {
				defer func() { <-slots }()
				l.one()
			})
		default:
			l.judge.fault("%d requests are under way, and none ends", atOnce)
		}
	}
}

// one brings some token to some server.
func (l *load) one() {
	p := &presented{kind: l.some(), server: rand.IntN(2)}
	t := l.token(p)
	if t.text == "" && p.kind != kindNone {
		p.kind = kindFirst // there is none yet to bring again
		t = l.token(p)
	}
	if got := l.show(p, t.text); p.kind == kindFirst && got == accepted {
		l.good[p.server].add(t)
	}
}

func (l *load) some() string {
	if l.flooded() && rand.IntN(4) == 0 {
		return kindFlood
	}
	return l.kinds.draw()
}

// token returns what is brought, and says in p what it is.
func (l *load) token(p *presented) (t token) {
	by := l.issuer
	if rand.IntN(5) == 0 {
		by = l.steady
	}
	switch p.kind {
	case kindFirst:
		t, p.good = by.mint(nil, someLife()), true
	case kindKnown:
		t, p.good = l.good[p.server].any(leeway / 2)
	case kindExpired:
		t = by.mint(nil, -leeway-time.Second-rand.N(time.Hour))
	case kindForged:
		of := by.latest()
		t = token{text: of.forgeries[rand.IntN(len(of.forgeries))].Token, keyID: of.key.ID()}
	case kindForeign:
		t = l.foreign()
	case kindRevoked:
		t, _ = l.revoked.any(-leeway)
	case kindUnknown:
		t = by.mint(map[string]any{"iss": "https://issuer.example/" + random()}, someLife())
	case kindFlood:
		t = l.issuer.mintBy(l.issuer.latest().key.WithID(random()), nil, someLife())
		t.keyID = "" // nobody has it
	}
	p.keyID = t.keyID
	return t
}

// foreign returns a token of an issuer that has no say here: signed by another's key, or
// for another audience.
func (l *load) foreign() token {
	if rand.IntN(2) == 0 {
		return l.issuer.mint(map[string]any{"aud": "somebody-else"}, someLife())
	}
	key := l.issuer.latest().key.ID()
	return l.steady.mintBy(l.steady.latest().key.WithID(key), map[string]any{"iss": l.issuer.URL()}, someLife())
}

// show brings a token to a server, and has the answer judged.
func (l *load) show(p *presented, text string) outcome {
	path := "/v1/whoami"
	if rand.IntN(4) == 0 {
		path = "/v1/forward-auth"
	}
	l.judge.present(p)
	return l.judge.take(p, l.ask(l.servers[p.server].url+path, text))
}

func (l *load) ask(url, text string) answer {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return answer{err: err}
	}
	if text != "" {
		r.Header.Set("Authorization", "Bearer "+text)
	}
	resp, err := l.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	return answer{resp.StatusCode, string(body), err}
}
