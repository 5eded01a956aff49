package main

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

// What clients bring.
const (
	kindFirst   = "first use"
	kindKnown   = "known"
	kindExpired = "expired"
	kindForged  = "forged"
	kindForeign = "foreign"
	kindRevoked = "revoked"
	kindUnknown = "unknown issuer"
	kindNone    = "no token"
	kindFlood   = "unknown key"
	kindSocket  = "socket"
	kindRenewal = "renewal"
)

// mix says how often each is brought, of every hundred.
var mix = []struct {
	kind  string
	share int
}{
	{kindKnown, 52}, {kindFirst, 20}, {kindExpired, 5}, {kindForged, 7}, {kindForeign, 5},
	{kindRevoked, 6}, {kindUnknown, 3}, {kindNone, 2},
}

// A deck deals what mix says, so that a short run has some of each kind, too. The zero
// one is ready, and safe for concurrent use.
type deck struct {
	mu   sync.Mutex // guards left
	left []string   // of the hundred
}

func (d *deck) draw() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.left) == 0 {
		for _, m := range mix {
			d.left = append(d.left, slices.Repeat([]string{m.kind}, m.share)...)
		}
		rand.Shuffle(len(d.left), func(i, j int) { d.left[i], d.left[j] = d.left[j], d.left[i] })
	}
	last := len(d.left) - 1
	kind := d.left[last]
	d.left = d.left[:last]
	return kind
}

const (
	leeway  = 30 * time.Second
	wallets = 4000 // good tokens, and revoked ones, that are kept
	callers = 200  // different ones, so that no table grows with them
)

// A token is one, and what is known of it.
type token struct {
	text, keyID, id, subject string
	expires                  time.Time
	by                       *provider
}

// A wallet has tokens to bring again. It is safe for concurrent use.
type wallet struct {
	mu     sync.Mutex // guards tokens
	tokens []token
}

func (w *wallet) add(t token) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.tokens) < wallets {
		w.tokens = append(w.tokens, t)
		return
	}
	w.tokens[rand.IntN(len(w.tokens))] = t
}

// any returns one that is good for some time yet.
func (w *wallet) any(left time.Duration) (token, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.tokens) > 0 {
		n := rand.IntN(len(w.tokens))
		if t := w.tokens[n]; time.Until(t.expires) > left {
			return t, true
		}
		w.tokens[n] = w.tokens[len(w.tokens)-1]
		w.tokens = w.tokens[:len(w.tokens)-1]
	}
	return token{}, false
}

// mint has an issuer sign a token.
func (p *provider) mint(claims map[string]any, life time.Duration) token {
	return p.mintBy(p.latest().key, claims, life)
}

func (p *provider) mintBy(key *oidctest.Key, claims map[string]any, life time.Duration) token {
	t := token{keyID: key.ID(), id: random(), expires: time.Now().Add(life), by: p}
	all := map[string]any{"sub": subject(rand.IntN(callers)), "aud": audience, "jti": t.id, "exp": t.expires}
	for name, value := range claims {
		all[name] = value
	}
	t.subject, _ = all["sub"].(string)
	t.text = key.Token(all)
	return t
}

// someLife is how long a token lives.
func someLife() time.Duration { return tokenLife/3 + rand.N(tokenLife*2/3) }
