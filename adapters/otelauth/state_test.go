package otelauth_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Of more issuers than the SDK has room for, those whose keys are in trouble have their states
// told each by itself, and so do the same ones of the others each time.
func TestHooks_ManyIssuers(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	for i := range 1000 {
		state := authtrace.Fresh
		switch i {
		case 777:
			state = authtrace.Stale
		case 888:
			state = authtrace.Gone
		}
		l.hooks.KeysState(authtrace.KeyState{Issuer: fmt.Sprintf("https://i%03d.test", i), To: state})
	}
	told := func() (lines []string) {
		for _, p := range l.points(t) {
			if strings.HasPrefix(p, "oidcauth.keys.state[oidcauth.issuer=") {
				lines = append(lines, p)
			}
		}
		slices.Sort(lines)
		return lines
	}
	first := told()
	for _, want := range []string{"i777.test oidcauth.keys.state=stale] 1", "i888.test oidcauth.keys.state=gone] 1", "i000.test oidcauth.keys.state=fresh] 1"} {
		if !slices.ContainsFunc(first, func(line string) bool { return strings.HasSuffix(line, want) }) {
			t.Errorf("of %d points none is %s", len(first), want)
		}
	}
	for range 3 {
		if again := told(); !slices.Equal(again, first) {
			t.Fatalf("another time other issuers are told of: %d points, and then %d", len(first), len(again))
		}
	}
}

// Issuers that leave all at once take no longer each for being many: the hooks are told of
// everything by one goroutine, and what it has no time for is missed.
func TestHooks_ManyIssuersLeave(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	const many = 20_000
	url := func(i int) string { return fmt.Sprintf("https://i%05d.test", i) }
	for i := range many {
		l.hooks.KeysState(authtrace.KeyState{Issuer: url(i), To: authtrace.Fresh})
		l.hooks.Decided(t.Context(), authtrace.Decision{Issuer: url(i), Outcome: authtrace.Accepted})
		l.hooks.SessionRenewed(authtrace.Session{Issuer: url(i)})
	}
	began := time.Now()
	for i := range many {
		l.hooks.KeysState(authtrace.KeyState{Issuer: url(i), To: authtrace.None})
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("that %d issuers left took %v", many, took)
	}
}

// What several Authenticators tell one provider adds up, and none of it is left out.
func TestNew_Several(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	for i, hooks := range []*authtrace.Hooks{l.hooks, l.further(t), l.further(t)} {
		hooks.SessionStarted(authtrace.Session{Live: i + 1})
		hooks.SessionRenewed(authtrace.Session{})
		hooks.KeysState(authtrace.KeyState{Issuer: "https://all.test", To: authtrace.Fresh})
		hooks.KeysState(authtrace.KeyState{Issuer: fmt.Sprintf("https://i%d.test", i), To: authtrace.Stale})
	}
	points := l.points(t)
	for _, want := range []string{
		"oidcauth.session.active[] 6", "oidcauth.session.renewals[] 3",
		"oidcauth.keys.state[oidcauth.issuer=https://all.test oidcauth.keys.state=fresh] 3",
		"oidcauth.keys.state[oidcauth.issuer=https://i0.test oidcauth.keys.state=stale] 1",
		"oidcauth.keys.state[oidcauth.issuer=https://i2.test oidcauth.keys.state=stale] 1",
	} {
		if !slices.Contains(points, want) {
			t.Errorf("no %s in %q", want, points)
		}
	}
}

// The keys of an Authenticator that is closed are in no state, and do not count beside those of
// its successor.
func TestNew_Closed(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	idp := oidctest.NewIssuer(t, oidctest.Config{})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: idp.URL(), Audiences: []string{"my-db"}}}, Client: idp.Client(), Trace: l.hooks,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := auth.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	auth.Close() // which waits until all was told
	for _, point := range l.points(t) {
		if strings.HasPrefix(point, "oidcauth.keys.state[") {
			t.Errorf("got %s, want none", point)
		}
	}
}
