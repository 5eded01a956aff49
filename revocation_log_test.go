package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// What one server revokes ends tokens and sessions at all, also at one that
// joins later, and a logout token works once in the whole cluster.
func TestRevocationLog(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
		if cause := context.Cause(session.Context()); !errors.Is(cause, oidcauth.ErrClosed) { // before anybody looks
			t.Errorf("cause of the session's end = %v, want %v", cause, oidcauth.ErrClosed)
		}
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

// What was revoked stays revoked until its end, whatever the clock said
// meanwhile: at a server that started with its clock ahead, and at one whose
// clock went ahead and came back.
func TestRevocationLog_ClockWasAhead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		start time.Duration // of the clock, ahead
		ahead time.Duration // a moment later
		stays time.Duration // for so long, until it is right
		until time.Duration // of the revocations, by the right clock
		soon  bool          // refused at once, not only after the log was read anew
	}{
		{"started two hours ahead", 2 * time.Hour, 2 * time.Hour, time.Minute, time.Hour, true},
		{"started two hours ahead, for hours", 2 * time.Hour, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour, false},
		{"started two hours ahead, over by then", 2 * time.Hour, 2 * time.Hour, 110 * time.Minute, 2*time.Hour + 5*time.Minute, false},
		{"went ahead by two hours", 0, 2 * time.Hour, 30 * time.Minute, time.Hour, true},
		{"went ahead by a year", 0, 365 * 24 * time.Hour, 30 * time.Minute, time.Hour, true},
		{"started two days ahead, for two days", 48 * time.Hour, 48 * time.Hour, 47 * time.Hour, 72 * time.Hour, false},
		{"always right", 0, 0, 30 * time.Minute, time.Hour, true},
	}
	for _, tt := range tests {
		for _, required := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, required %t", tt.name, required), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					issuer, trusted := newIssuer(t, oidctest.Config{})
					log := newMemoryLog()
					end := time.Now().Add(tt.until)
					const subjects = 20
					for n := range subjects {
						log.Add(oidcauth.Revocation{Subject: fmt.Sprint(n), Until: end.UTC()})
					}
					clock := new(authtest.Clock)
					clock.Set(tt.start)
					a := newAuthenticator(t, oidcauth.Config{
						Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: clock.Now,
						Revocations: log, RequireRevocations: required,
					})
					if err := a.Ready(t.Context()); err != nil {
						t.Fatal(err)
					}
					clock.Set(tt.ahead)
					time.Sleep(tt.stays)
					synctest.Wait() // for what is read anew at that very moment
					clock.Set(0)
					refused := func(when string) {
						t.Helper()
						for n := range subjects {
							token := issuer.Token(map[string]any{"sub": fmt.Sprint(n), "exp": end.Unix()})
							if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrRevoked) {
								t.Fatalf("%s: Authenticate() error = %v, want %v", when, err, oidcauth.ErrRevoked)
							}
						}
					}
					if tt.soon {
						refused("at once")
					}
					time.Sleep(20 * time.Second)
					if err := a.Ready(t.Context()); err != nil {
						t.Fatal(err)
					}
					refused("soon")
					time.Sleep(time.Until(end) - 1)
					refused("just before the end")
					time.Sleep(time.Second)
					wants(t, a, issuer.Token(map[string]any{"sub": "1"}), nil)
					time.Sleep(72 * time.Hour)
					synctest.Wait()
					if n := a.RevocationsKept(); n != 0 {
						t.Errorf("%d revocations are kept long after their end", n)
					}
					a.Close()
				})
			})
		}
	}
}

// A verdict that was right while the clock was ahead does not outlive that, nor
// does a session.
func TestRevocationLog_AcceptedWhileAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		clock := new(authtest.Clock)
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: clock.Now, Revocations: newMemoryLog(),
		})
		revoke(t, a, oidcauth.Revocation{Subject: "alice", Until: time.Now().Add(time.Hour)})
		token := issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		wants(t, a, token, oidcauth.ErrRevoked)
		clock.Set(2 * time.Hour)
		s := a.NewSession(t.Context(), wants(t, a, token, nil))
		wants(t, a, token, nil)
		time.Sleep(20 * time.Second)
		expectEnd(t, s, nil)
		clock.Set(0)
		wants(t, a, token, oidcauth.ErrRevoked)
		time.Sleep(20 * time.Second)
		expectEnd(t, s, oidcauth.ErrRevoked)
		time.Sleep(time.Hour)
		wants(t, a, token, nil)
		a.Close()
	})
}

// So it is with a session whose key has another name by then, which is what was revoked:
// among several revocations it is found by that.
func TestRevocationLog_KeyRenamedWhileAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		k, clock := issuer.Key(), new(authtest.Clock)
		issuer.SignWith(k.WithID("")) // a token that names its key ends with the name
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: clock.Now, Revocations: newMemoryLog(),
		})
		until := time.Now().Add(30 * time.Hour)
		revoke(t, a, oidcauth.Revocation{KeyID: "new", Until: until})
		revoke(t, a, oidcauth.Revocation{TokenID: "another", Until: until})
		s := a.NewSession(t.Context(), wants(t, a, issuer.Token(map[string]any{"exp": time.Now().Add(96 * time.Hour).Unix()}), nil))
		clock.Set(48 * time.Hour)
		issuer.RemoveKeys()
		issuer.Publish(k.WithID("new"))
		time.Sleep(24 * time.Hour)
		expectEnd(t, s, nil)
		clock.Set(0)
		time.Sleep(20 * time.Second)
		expectEnd(t, s, oidcauth.ErrRevoked)
		a.Close()
	})
}

// A log that leaves nothing out does not fill the memory with what is over, and
// a clock that is corrected by little has nothing read anew.
func TestRevocationLog_OverForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		log, clock := newMemoryLog(), new(authtest.Clock)
		over := time.Now().Add(-time.Hour).UTC()
		const kept = 1 << 16
		for n := range kept + 100 {
			log.Add(oidcauth.Revocation{TokenID: fmt.Sprint(n), Until: over})
		}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: clock.Now, Revocations: log})
		if err := a.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := a.RevocationsKept(); n != kept {
			t.Errorf("%d revocations are kept that are over, want %d", n, kept)
		}
		if n := a.RevocationCount(); n != 0 {
			t.Errorf("%d of them hold", n)
		}
		for range 4 {
			clock.Set(-30 * time.Second)
			time.Sleep(time.Minute)
			clock.Set(0)
			time.Sleep(time.Minute)
		}
		if _, _, follows := log.Counts(); follows != 1 {
			t.Errorf("the log was read %d times, want once", follows)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if n := a.RevocationsKept(); n != 0 {
			t.Errorf("%d revocations are kept a day later", n)
		}
		a.Close()
	})
}

// However many log out, a bounded number of revocations is kept, and no token of
// theirs comes back before its own end: not one that lives for ten days either,
// and not at a server that joins later.
func TestLogoutHandler_Bounded(t *testing.T) {
	t.Parallel()
	const most = 40
	for _, by := range []string{"sid", "sub"} {
		t.Run(by, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				var lines logBuffer
				cfg := oidcauth.Config{
					Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: newMemoryLog(),
					Logger: slog.New(slog.NewTextHandler(&lines, nil)),
				}
				a := newAuthenticator(t, cfg)
				a.KeepLogouts(most)
				start := time.Now()
				token := func(n int) string {
					return issuer.Token(map[string]any{"sub": fmt.Sprint("subject-", n), "sid": fmt.Sprint("login-", n), "exp": time.Now().Add(240 * time.Hour).Unix()})
				}
				var tokens []string
				var sessions []*oidcauth.Session
				for n := range 400 {
					tokens = append(tokens, token(n))
					if n%50 == 0 {
						sessions = append(sessions, a.NewSession(t.Context(), wants(t, a, tokens[n], nil)))
					}
					time.Sleep(25 * time.Minute)
					claims := map[string]any{"jti": fmt.Sprint("logout-", n), "sid": nil, "sub": nil}
					claims[by] = strings.NewReplacer("sid", "login-", "sub", "subject-").Replace(by) + fmt.Sprint(n)
					if resp := postLogout(a, logoutToken(issuer, claims)); resp.StatusCode != 200 {
						t.Fatalf("got status %d, body %s", resp.StatusCode, bodyOf(t, resp))
					}
					// One more than are kept, and a cutoff.
					if kept := a.RevocationsKept(); kept > most+2 {
						t.Fatalf("%d revocations are kept after %d logouts, want %d at most", kept, n+1, most+2)
					}
				}
				if passed := time.Since(start); passed > 7*24*time.Hour {
					t.Fatalf("%v have passed, and tokens have expired", passed)
				}
				late := newAuthenticator(t, cfg)
				late.KeepLogouts(most)
				if err := late.Ready(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, server := range []*oidcauth.Authenticator{a, late} {
					for n := range tokens {
						if _, err := server.Authenticate(t.Context(), tokens[n]); !errors.Is(err, oidcauth.ErrRevoked) {
							t.Fatalf("token %d of 10 days is back: Authenticate() error = %v, want %v", n, err, oidcauth.ErrRevoked)
						}
					}
					// Whoever logs in again, or has logged in lately, is welcome.
					wants(t, server, token(7), nil)
					wants(t, server, issuer.Token(map[string]any{"sub": "bob", "iat": time.Now().Add(-6 * time.Hour).Unix()}), nil)
				}
				for _, s := range sessions {
					expectEnd(t, s, oidcauth.ErrRevoked)
				}
				if !strings.Contains(lines.String(), "too many logouts") {
					t.Error("nothing in the log says that earlier tokens are refused")
				}
				late.Close()
				a.Close()
			})
		})
	}
}

// As long as they are not too many, nobody is refused who has not logged out, and
// a login that has ended stays so for tokens that are issued later.
func TestLogoutHandler_NotTooMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		a.KeepLogouts(100)
		old := issuer.Token(map[string]any{"sub": "bob", "exp": time.Now().Add(240 * time.Hour).Unix()})
		for n := range 100 {
			time.Sleep(time.Minute)
			logout := logoutToken(issuer, map[string]any{"jti": fmt.Sprint(n), "sid": fmt.Sprint("login-", n), "sub": nil})
			if resp := postLogout(a, logout); resp.StatusCode != 200 {
				t.Fatalf("got status %d", resp.StatusCode)
			}
		}
		wants(t, a, old, nil)
		wants(t, a, issuer.Token(map[string]any{"sub": "bob", "sid": "login-0"}), oidcauth.ErrRevoked)
		a.Close()
	})
}

// As many are kept as LogoutHandler says, and then the oldest quarter makes way for one.
func TestRevoke_AsManyAsSaid(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	const said = 65_536
	for n := range said {
		revoke(t, a, oidcauth.Revocation{Issuer: issuer.URL(), Subject: fmt.Sprint(n), IssuedBefore: time.Now()})
	}
	if n := a.RevocationCount(); n != said {
		t.Errorf("%d are kept, want all %d", n, said)
	}
	revoke(t, a, oidcauth.Revocation{Issuer: issuer.URL(), Subject: "one more", IssuedBefore: time.Now()})
	if n := a.RevocationCount(); n != said*3/4+1 {
		t.Errorf("%d are kept, want the newer three quarters and one for the others", n)
	}
}

// What an operator revokes for tokens to come as well makes way for nothing.
func TestRevoke_NeverCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		a.KeepLogouts(4)
		revoke(t, a, oidcauth.Revocation{Issuer: issuer.URL(), Subject: "mallory"})
		revoke(t, a, oidcauth.Revocation{Issuer: issuer.URL(), SessionID: "login-1"})
		for n := range 100 {
			revoke(t, a, oidcauth.Revocation{Issuer: issuer.URL(), Subject: fmt.Sprint(n), IssuedBefore: time.Now()})
			time.Sleep(time.Minute)
		}
		time.Sleep(time.Hour)
		wants(t, a, issuer.Token(map[string]any{"sub": "mallory"}), oidcauth.ErrRevoked)
		wants(t, a, issuer.Token(map[string]any{"sid": "login-1"}), oidcauth.ErrRevoked)
		wants(t, a, issuer.Token(nil), nil)
		a.Close()
	})
}

// A revocation of a key ends what tickets under it have begun, on tokens of other
// issuers: no cutoff of the key's issuer refuses these.
func TestRevoke_KeyNeverCutOff(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (*counter, *oidcauth.Claims, oidcauth.Revocation) {
		s := newCounter(t)
		s.Auth.KeepLogouts(4)
		claims, err := s.Use(s.Buy(s.Issuer.Token(map[string]any{"exp": time.Now().Add(240 * time.Hour).Unix()}), anywhere), anywhere)
		if err != nil {
			t.Fatal(err)
		}
		r := oidcauth.Revocation{Issuer: "localhost", KeyID: s.Local.Keys()[0].ID, IssuedBefore: time.Now().Add(time.Minute)}
		return s, claims, r
	}
	flood := func(s *counter) {
		for n := range 100 {
			time.Sleep(time.Minute)
			revoke(s.T, s.Auth, oidcauth.Revocation{Issuer: "localhost", Subject: fmt.Sprint(n), IssuedBefore: time.Now()})
		}
	}
	expect := func(t *testing.T, s *counter, claims *oidcauth.Claims) {
		session := s.Auth.NewSession(t.Context(), claims)
		defer session.Close()
		if cause := context.Cause(session.Context()); !errors.Is(cause, oidcauth.ErrRevoked) {
			t.Errorf("a session of what the key sold: its cause is %v, want %v", cause, oidcauth.ErrRevoked)
		}
		s.Local.Close()
		s.Auth.Close()
	}
	bubble := func(name string, f func(*testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
	}
	bubble("before others", func(t *testing.T) {
		s, claims, r := begin(t)
		revoke(t, s.Auth, r)
		flood(s)
		expect(t, s, claims)
	})
	bubble("after others", func(t *testing.T) {
		s, claims, r := begin(t)
		flood(s)
		revoke(t, s.Auth, r)
		expect(t, s, claims)
	})
}
