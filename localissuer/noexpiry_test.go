package localissuer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A token without expiry is good only where the configuration says so.
func TestIssuer_NoExpiry(t *testing.T) {
	t.Parallel()
	const claims = `{"iss":"localhost","sub":"alice","aud":["my-db"],"iat":1737665769`
	for _, tt := range []struct {
		name, rest string
		strict     error // without NoExpiry
		lasting    error // with it
	}{
		{"expiry null", `,"exp":null}`, oidcauth.ErrClaim, nil},
		{"no expiry", `}`, oidcauth.ErrClaim, nil},
		{"expiry far away", `,"exp":4102444800}`, nil, nil},
		{"expired", `,"exp":1737665770}`, oidcauth.ErrExpired, oidcauth.ErrExpired},
		{"expired in the year 1", `,"exp":-62135596800}`, oidcauth.ErrExpired, oidcauth.ErrExpired},
		{"expiry zero", `,"exp":0}`, oidcauth.ErrExpired, oidcauth.ErrExpired},
		{"expiry as text", `,"exp":"4102444800"}`, oidcauth.ErrClaim, oidcauth.ErrClaim},
		{"expiry false", `,"exp":false}`, oidcauth.ErrClaim, oidcauth.ErrClaim},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for noExpiry, want := range map[bool]error{false: tt.strict, true: tt.lasting} {
				key := newKey(t)
				l := newLocal(t, localissuer.Config{NoExpiry: noExpiry})
				if _, err := l.Import(t.Context(), privatePEM(t, key)); err != nil {
					t.Fatal(err)
				}
				a, token := trusting(t, l), signAs(t, key, "JWT", claims+tt.rest)
				for range 2 {
					c, err := a.Authenticate(t.Context(), token)
					if !errors.Is(err, want) {
						t.Errorf("NoExpiry %t: Authenticate() error = %v, want %v", noExpiry, err, want)
					}
					if err == nil && noExpiry != c.Expiry().IsZero() && !strings.Contains(tt.rest, "41") {
						t.Errorf("NoExpiry %t: Expiry() = %v", noExpiry, c.Expiry())
					}
				}
				if report := a.Explain(t.Context(), token); report.Accepted != (want == nil) {
					t.Errorf("NoExpiry %t: Explain() says %v", noExpiry, report)
				}
			}
		})
	}
	// Nobody else's tokens may lack it.
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted, newLocal(t, localissuer.Config{NoExpiry: true}).Issuer()},
		Client:  issuer.Client(),
	})
	if _, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"exp": nil})); !errors.Is(err, oidcauth.ErrClaim) {
		t.Errorf("Authenticate() of another issuer's token without expiry: error = %v, want %v", err, oidcauth.ErrClaim)
	}
}

// Who asks for a lifetime and for none gets no token: it would live for ever, whichever of
// the two was meant.
func TestIssue_NoExpiryAndLifetime(t *testing.T) {
	t.Parallel()
	l := newLocal(t, localissuer.Config{NoExpiry: true})
	for _, lifetime := range []time.Duration{time.Hour, -time.Hour, 0} {
		token, _, err := l.Issue(t.Context(), localissuer.Request{NoExpiry: true, Lifetime: lifetime})
		if refused := err != nil && token == "" && strings.Contains(err.Error(), "NoExpiry"); refused != (lifetime != 0) {
			t.Errorf("Issue() with NoExpiry and a lifetime of %v: %d bytes, error %v", lifetime, len(token), err)
		}
	}
}

// A token that never expires is still accepted when the clock says 9000.
func TestIssuer_NeverExpires(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := newLocal(t, localissuer.Config{NoExpiry: true})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{l.Issuer()}, Now: func() time.Time { return now }})
	token := issue(t, l, localissuer.Request{NoExpiry: true})
	for range 3 {
		c, err := a.Authenticate(t.Context(), token)
		if err != nil || !c.Expiry().IsZero() {
			t.Fatalf("Authenticate() at %v: error = %v, want none and no expiry", now, err)
		}
		now = now.AddDate(3000, 0, 0)
	}
}

// A session under a token that never expires lives on, until something else ends
// it; a revocation of such a token does not wear off.
func TestIssuer_LastingSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, localissuer.Config{NoExpiry: true, Signer: newKey(t)}) // no directory, at which it would look every five seconds
		a := trusting(t, l)
		token := issue(t, l, localissuer.Request{Subject: "alice", NoExpiry: true})
		claims, err := a.Authenticate(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		s := a.NewSession(t.Context(), claims)
		warned := make(chan struct{}, 1)
		s.OnExpiring(time.Minute, func() { warned <- struct{}{} })
		time.Sleep(24 * time.Hour)
		if s.Context().Err() != nil {
			t.Fatalf("the session has ended: %v", context.Cause(s.Context()))
		}
		short := issue(t, l, localissuer.Request{Subject: "alice", Lifetime: time.Hour})
		if _, err := s.Renew(t.Context(), short); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59*time.Minute + 31*time.Second)
		synctest.Wait()
		select {
		case <-warned:
		default:
			t.Error("no warning of the expiry that the session was given")
		}
		if _, err := s.Renew(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		if s.Context().Err() != nil {
			t.Fatalf("the session has ended: %v", context.Cause(s.Context()))
		}
		if err := a.Revoke(t.Context(), oidcauth.Revocation{Issuer: "localhost", Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		if cause := context.Cause(s.Context()); !errors.Is(cause, oidcauth.ErrRevoked) {
			t.Errorf("the session's cause is %v, want %v", cause, oidcauth.ErrRevoked)
		}
		time.Sleep(2 * 365 * 24 * time.Hour)
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrRevoked) {
			t.Errorf("two years later: Authenticate() error = %v, want %v", err, oidcauth.ErrRevoked)
		}
	})
}
