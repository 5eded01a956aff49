// Package operate counts what an Authenticator does, for whoever runs the server.
package operate

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
)

// Metrics are the state and the fetches of each issuer's keys. A program has a metrics
// library in its place.
type Metrics struct {
	mu      sync.Mutex
	state   map[string]authtrace.State
	fetches map[string]int
	failed  map[string]int
	slowest time.Duration
}

func (m *Metrics) fetched(issuer string, took time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fetches == nil {
		m.fetches, m.failed = make(map[string]int), make(map[string]int)
	}
	m.fetches[issuer]++
	if err != nil {
		m.failed[issuer]++
	}
	m.slowest = max(m.slowest, took)
}

func (m *Metrics) entered(issuer string, state authtrace.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == nil {
		m.state = make(map[string]authtrace.State)
	}
	m.state[issuer] = state
}

// Of returns how often an issuer's keys were asked for, how often that failed, and
// what state they are in.
func (m *Metrics) Of(issuer string) (fetches, failed int, state authtrace.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fetches[issuer], m.failed[issuer], m.state[issuer]
}

// New makes an Authenticator that m observes.
func New(cfg oidcauth.Config, m *Metrics) (*oidcauth.Authenticator, error) {
	cfg.Trace = &authtrace.Hooks{
		KeysFetched: func(f authtrace.KeyFetch) { m.fetched(f.Issuer, f.Duration, f.Err) },
		KeysState:   func(s authtrace.KeyState) { m.entered(s.Issuer, s.To) },
	}
	return oidcauth.New(cfg)
}

// Ready reports whether the keys of one of these issuers are in hand. One that is down, or
// new, does not take the server from the users of the others.
func Ready(auth *oidcauth.Authenticator, issuers ...string) bool {
	unready := auth.Unready()
	return slices.ContainsFunc(issuers, func(url string) bool { return !slices.Contains(unready, url) })
}

// A Followed log tells whether this server knows what the others revoked. With
// RequireRevocations every token is refused while it does not.
type Followed struct {
	oidcauth.RevocationLog
	Known atomic.Bool
}

// Follow notes what the Authenticator is told.
func (f *Followed) Follow(ctx context.Context, apply func(oidcauth.Revocation), caughtUp func(current bool)) error {
	defer f.Known.Store(false)
	return f.RevocationLog.Follow(ctx, apply, func(current bool) {
		f.Known.Store(current)
		caughtUp(current)
	})
}
