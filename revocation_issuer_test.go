package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// The issuer that a revocation names may be one that FindIssuer knows, whose prefix it
// names too then.
func TestRevoke_FoundIssuer(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
	trusted.SubjectPrefix = "c:"
	found := oidcauth.Config{Client: issuer.Client(), FindIssuer: func(_ context.Context, name string) ([]oidcauth.Issuer, error) {
		if name != trusted.URL {
			return nil, nil
		}
		return []oidcauth.Issuer{trusted}, nil
	}}
	listed := oidcauth.Config{Client: issuer.Client(), Issuers: []oidcauth.Issuer{trusted}}
	for _, tt := range []struct {
		name, issuer string
		found        error // where FindIssuer knows the issuer
		listed       error // where it is configured
	}{
		{"the issuer", trusted.URL, nil, nil},
		{"its prefix", trusted.URL + "|c:", nil, nil},
		{"another prefix", trusted.URL + "|d:", oidcauth.ErrMalformedRequest, oidcauth.ErrMalformedRequest},
		{"nobody's prefix", "|c:", oidcauth.ErrMalformedRequest, oidcauth.ErrMalformedRequest},
		{"an issuer that is not known now", "https://former.test|c:", nil, oidcauth.ErrMalformedRequest},
	} {
		for cfg, want := range map[*oidcauth.Config]error{&found: tt.found, &listed: tt.listed} {
			a := newAuthenticator(t, *cfg)
			if err := a.Revoke(t.Context(), oidcauth.Revocation{Issuer: tt.issuer, Subject: "alice"}); !errors.Is(err, want) {
				t.Errorf("%s, configured: %t: Revoke() error = %v, want %v", tt.name, cfg == &listed, err, want)
			}
		}
	}
}

// A revocation of an issuer and nothing else is mostly one whose token had no ID: it is an
// error. One that an older version has shared holds.
func TestRevoke_IssuerAlone(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	log := newMemoryLog()
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log})
	c := authenticate(t, a, issuer.Token(nil))
	for _, r := range []oidcauth.Revocation{
		{Issuer: c.Issuer(), TokenID: c.TokenID()},
		{Issuer: c.Issuer() + "|", TokenID: c.TokenID()},
		{Issuer: c.Issuer(), Until: time.Now().Add(time.Hour), EndedAt: time.Now()},
	} {
		err := a.Revoke(t.Context(), r)
		if !errors.Is(err, oidcauth.ErrMalformedRequest) || !strings.Contains(err.Error(), "and nothing else, want a subject") || !strings.Contains(err.Error(), "IssuedBefore: time.Now()") {
			t.Errorf("Revoke(%+v) error = %v", r, err)
		}
	}
	if len(log.Entries()) != 0 || a.RevocationsKept() != 0 {
		t.Error("it holds, or is shared, all the same")
	}
	authenticate(t, a, issuer.Token(nil))

	_, err := log.Append(t.Context(), oidcauth.Revocation{Issuer: c.Issuer(), Until: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	later := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log, RequireRevocations: true})
	if err := later.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := later.Authenticate(t.Context(), issuer.Token(nil)); !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("with one in the log: Authenticate() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
}

// Where tokens may never expire, a revocation without end is kept for a century.
func TestRevoke_EndlessTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, trusted, source := newHandSource(t)
		source.keys.NoExpiry = true
		log := newMemoryLog()
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Revocations: log})
		revoke(t, a, oidcauth.Revocation{Subject: "alice"})
		want := time.Now().AddDate(100, 0, 0)
		if got := log.Entries(); len(got) != 1 || !got[0].Until.Equal(want) {
			t.Errorf("shared: %v, want one until %v", got, want)
		}
	})
}

// What another server says of an issuer under another name of it is the same here.
func TestRevocationLog_Alias(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		trusted.Aliases = []string{"alias.test"}
		log := newMemoryLog()
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log})
		until := time.Now().Add(time.Hour).UTC()
		for _, name := range []string{"alias.test", issuer.URL(), "alias.test|", issuer.URL() + "|"} {
			log.Add(oidcauth.Revocation{Issuer: name, Subject: "alice", Until: until})
		}
		synctest.Wait()
		if n := a.RevocationCount(); n != 2 {
			t.Errorf("%d revocations hold, want one of the issuer and one of its callers without prefix", n)
		}
		wants(t, a, issuer.Token(nil), oidcauth.ErrRevoked)
	})
}

// A prefix is nobody's subject.
func TestRevoke_PrefixAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		trusted.SubjectPrefix = "team:"
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
		revoke(t, a, oidcauth.Revocation{Subject: "team:"})
		expectEnd(t, s, nil)
		wants(t, a, issuer.Token(nil), nil)
		revoke(t, a, oidcauth.Revocation{Subject: "team:alice"})
		expectEnd(t, s, oidcauth.ErrRevoked)
	})
}

// Of a tenant's revocation hooks are told the issuer that is configured: names of tenants
// may be without number.
func TestTrace_RevokedTenant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{newTenantKeys(t).trusted}, Trace: d.hooks()})
		revoke(t, a, oidcauth.Revocation{Issuer: tenantURL(tenantA), IssuedBefore: time.Now()})
		revoke(t, a, oidcauth.Revocation{Issuer: tenantURL(tenantB), Subject: "alice"})
		a.Close()
		if want := []string{"revoked issuer " + template, "revoked subject " + template}; !slices.Equal(d.lines, want) {
			t.Errorf("told %q, want %q", d.lines, want)
		}
	})
}

// A token is compared with the revocations once, and then not until there is another.
func TestRevoke_SearchedOnce(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.Subject, trusted.SubjectPrefix = []oidcauth.Path{{"oid"}}, "team:" // so that a comparison takes memory
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(map[string]any{"oid": strings.Repeat("o", 40), "sub": strings.Repeat("s", 40)})
	c := authenticate(t, a, token)
	for _, subject := range []string{"bob", "carol"} {
		revoke(t, a, oidcauth.Revocation{Subject: subject})
		if oidcauth.Searched(a, c) {
			t.Errorf("after the revocation of %s the token need not be compared with it", subject)
		}
		authenticate(t, a, token)
		if !oidcauth.Searched(a, c) {
			t.Errorf("after the revocation of %s the token is compared again and again", subject)
		}
		if n := testing.AllocsPerRun(100, func() { authenticate(t, a, token) }); n != 0 {
			t.Errorf("%v allocations for a token that was compared", n)
		}
	}
}

// calledBy reports whether whoever calls the caller was called by a function.
func calledBy(name string) bool {
	var counters [16]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(3, counters[:])])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, name) {
			return true
		}
		if !more {
			return false
		}
	}
}

// Whoever revokes what another call has just added, and not brought to pass, does so
// before it returns.
func TestRevoke_AddedByAnother(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	var armed atomic.Bool
	between := func() {}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: func() time.Time {
		if armed.Load() && calledBy(".announce") { // it holds, and no session knows yet
			armed.Store(false)
			between()
		}
		return time.Now()
	}})
	s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
	r, done := oidcauth.Revocation{Subject: "alice", Until: time.Now().Add(time.Hour)}, false
	between = func() {
		if s.Context().Err() != nil {
			t.Fatal("the session has ended: nothing is shown")
		}
		revoke(t, a, r)
		if cause := context.Cause(s.Context()); !errors.Is(cause, oidcauth.ErrRevoked) {
			t.Errorf("as the second call returns, the session's cause is %v, want %v", cause, oidcauth.ErrRevoked)
		}
		done = true
	}
	armed.Store(true)
	revoke(t, a, r)
	if !done {
		t.Error("nothing happened between a revocation's beginning and what it ends")
	}
}

// Where so many log out at so many issuers that earlier tokens of all of these are refused
// at once, the sessions under them end, each for what its own issuer's are refused for, and
// no other does.
func TestRevoke_TooManyLogoutsOfManyIssuers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const issuers, each = 68, 16
		one, first := newIssuer(t, oidctest.Config{URL: "https://issuer-0.test"})
		two, second := newIssuer(t, oidctest.Config{URL: "https://issuer-1.test"})
		spared, last := newIssuer(t, oidctest.Config{URL: "https://spared.test"})
		all := []oidcauth.Issuer{first, second, last}
		for n := 2; n < issuers; n++ {
			all = append(all, oidcauth.Issuer{URL: fmt.Sprintf("https://issuer-%d.test", n), Audiences: []string{testAudience}})
		}
		a := newAuthenticator(t, oidcauth.Config{Issuers: all, Client: oidctest.Client(one, two, spared)})
		a.KeepLogouts(issuers * each / 8)
		session := func(issuer *oidctest.Issuer) *oidcauth.Session {
			return a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})))
		}
		early := []*oidcauth.Session{session(one), session(two), session(spared)}
		time.Sleep(2 * time.Minute)
		late := session(one)
		logOut := func(issuer string, n int) {
			revoke(t, a, oidcauth.Revocation{Issuer: issuer, SessionID: fmt.Sprint("login-", n), EndedAt: time.Now().Add(-time.Minute)})
		}
		for n := range issuers * each {
			logOut(fmt.Sprintf("https://issuer-%d.test", n%issuers), n)
		}
		for _, s := range early {
			expectEnd(t, s, nil)
		}
		logOut(last.URL, 0)
		for n, s := range early[:2] {
			expectEnd(t, s, oidcauth.ErrRevoked)
			if why, name := fmt.Sprint(context.Cause(s.Context())), fmt.Sprintf("https://issuer-%d.test", n); !strings.Contains(why, name) {
				t.Errorf("the session ended with %q, want that to name %s", why, name)
			}
		}
		expectEnd(t, early[2], nil)
		expectEnd(t, late, nil)
	})
}
