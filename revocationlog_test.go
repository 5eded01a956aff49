package oidcauth_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// What one server revokes ends tokens and sessions at all, also at one that
// joins later, and a logout token works once in the whole cluster.
func TestRevocationLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		log := newMemoryLog()
		cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log, RequireRevocations: true}
		a, b := newAuthenticator(t, cfg), newAuthenticator(t, cfg)
		for _, node := range []*oidcauth.Authenticator{a, b} {
			if err := node.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		token := issuer.Token(map[string]any{"jti": "token-1"})
		ended, other := b.NewSession(t.Context(), authenticate(t, b, token)), b.NewSession(t.Context(), authenticate(t, b, issuer.Token(nil)))
		revoke(t, a, oidcauth.Revocation{TokenID: "token-1"})
		expectEnd(t, ended, oidcauth.ErrRevoked)
		expectEnd(t, other, nil)

		late := newAuthenticator(t, cfg)
		if err := late.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := late.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrRevoked) {
			t.Errorf("Authenticate() error = %v at a server that joined later, want %v", err, oidcauth.ErrRevoked)
		}

		logout := logoutToken(issuer, nil)
		if resp := postLogout(a, logout); resp.StatusCode != 200 {
			t.Fatalf("got status %d, body %s", resp.StatusCode, bodyOf(t, resp))
		}
		expectEnd(t, other, oidcauth.ErrRevoked)
		for _, node := range []*oidcauth.Authenticator{a, b, late} {
			if resp := postLogout(node, logout); resp.StatusCode != 400 {
				t.Errorf("the same logout token again: got status %d, want 400", resp.StatusCode)
			}
		}
		log.SetDown(true)
		logout = logoutToken(issuer, map[string]any{"jti": "logout-2"})
		if resp := postLogout(b, logout); resp.StatusCode != 503 {
			t.Errorf("logout while the log is down: got status %d, want 503", resp.StatusCode)
		}
		log.SetDown(false)
		if resp := postLogout(b, logout); resp.StatusCode != 200 {
			t.Errorf("logout once the log is up again: got status %d, want 200", resp.StatusCode)
		}
	})
}

// While revocations may be missing, tokens pass by those that are known, or not
// at all if so configured; each change makes one line in the log.
func TestRevocationLog_Lost(t *testing.T) {
	for _, required := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			log := newMemoryLog()
			log.SetDown(true)
			var lines logBuffer
			a := newAuthenticator(t, oidcauth.Config{
				Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log, RequireRevocations: required,
				Logger: slog.New(slog.NewTextHandler(&lines, nil)),
			})
			token := issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
			expect := func(when string, current bool, lineCount int) {
				t.Helper()
				synctest.Wait()
				var want, ready error
				if !current {
					ready = oidcauth.ErrRevocationsUnavailable
				}
				if required {
					want = ready
				}
				if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, want) {
					t.Errorf("%s: Authenticate() error = %v, want %v", when, err, want)
				}
				if err := a.Ready(t.Context()); !errors.Is(err, ready) {
					t.Errorf("%s: Ready() error = %v, want %v", when, err, ready)
				}
				if n := strings.Count(lines.String(), "revocation log"); n != lineCount {
					t.Errorf("%s: %d log lines, want %d:\n%s", when, n, lineCount, &lines)
				}
			}
			expect("down at the start", false, 1)
			time.Sleep(10 * time.Minute)
			expect("down for ten minutes", false, 1)
			if _, _, follows := log.Counts(); follows > 30 {
				t.Errorf("%d attempts to follow", follows)
			}
			log.SetDown(false)
			time.Sleep(2 * time.Minute)
			expect("up", true, 2)
			s := a.NewSession(t.Context(), authenticate(t, a, token))

			log.SetDown(true)
			expect("down again", false, 3)
			var cause error
			if required {
				cause = oidcauth.ErrRevocationsUnavailable
			}
			expectEnd(t, s, cause)
			// What is revoked here holds here, and the caller learns that it is not shared.
			err := a.Revoke(t.Context(), oidcauth.Revocation{SessionID: "login-1"})
			if !errors.Is(err, errLogDown) || !errors.Is(err, oidcauth.ErrRevocationsUnavailable) || a.RevocationCount() != 1 {
				t.Errorf("Revoke() error = %v, %d are held", err, a.RevocationCount())
			}
			log.SetDown(false)
			time.Sleep(2 * time.Minute)
			expect("up again", true, 4)
			s = a.NewSession(t.Context(), authenticate(t, a, token))
			expectEnd(t, s, nil)

			// An entry without contents, or one that is over, revokes nothing.
			log.Add(oidcauth.Revocation{})
			log.Add(oidcauth.Revocation{Subject: "alice", Until: time.Now().Add(-time.Second)})
			expectEnd(t, s, nil)
			log.Add(oidcauth.Revocation{Subject: "alice"})
			expectEnd(t, s, oidcauth.ErrRevoked)
			a.Close()
		})
	}
}

func TestConfig_RequireRevocations(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), RequireRevocations: true}
	if _, err := oidcauth.New(cfg); err == nil {
		t.Error("New() accepts RequireRevocations without a log")
	}
}

// A lingeringLog takes its time to stop.
type lingeringLog struct{ *memoryLog }

func (l lingeringLog) Follow(ctx context.Context, apply func(oidcauth.Revocation), caughtUp func(bool)) error {
	err := l.memoryLog.Follow(ctx, apply, caughtUp)
	time.Sleep(10 * time.Second)
	return err
}

// TestClose_WhileTheLogStops: revocations are not heard of any more then, so that
// no token may be accepted.
func TestClose_WhileTheLogStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: lingeringLog{newMemoryLog()},
		})
		token := issuer.Token(nil)
		c := wants(t, a, token, nil)
		session := a.NewSession(t.Context(), c)
		began := time.Now()
		go a.Close()
		time.Sleep(time.Second)
		wants(t, a, token, oidcauth.ErrClosed)
		wants(t, a, issuer.Token(map[string]any{"jti": "fresh"}), oidcauth.ErrClosed)
		if call := session.CallContext(); !errors.Is(context.Cause(call), oidcauth.ErrClosed) {
			t.Errorf("cause of a call = %v, want %v", context.Cause(call), oidcauth.ErrClosed)
		}
		a.Close()
		if took := time.Since(began); took < 10*time.Second {
			t.Errorf("Close() returned after %v, before the log had stopped", took)
		}
	})
}
