package later_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/later"
	"github.com/oidcauth/oidcauth/oidctest"
)

// roles supplies them, or says that it cannot.
type roles func() error

func begin(t *testing.T, supply roles) (*oidcauth.Authenticator, func(claims map[string]any) *oidcauth.Claims) {
	t.Helper()
	idp := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "notes"}})
	issuer := oidcauth.Issuer{URL: idp.URL(), Audiences: []string{"notes"}}
	if supply != nil {
		issuer.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) { return nil, supply() }
	}
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{issuer}, Client: idp.Client(), Leeway: -1})
	if err != nil {
		t.Fatal(err)
	}
	return auth, func(claims map[string]any) *oidcauth.Claims {
		c, err := auth.Authenticate(t.Context(), idp.Token(claims))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// What a caller began outlives the socket, and neither the token nor its revocation, of
// which a context that the program made of the claims says nothing.
func TestFinish(t *testing.T) {
	for name, tt := range map[string]struct {
		steps  int // of a minute each
		revoke bool
		want   error
		done   int
	}{
		"within the token's life": {5, false, nil, 5},
		"beyond it":               {100, false, oidcauth.ErrExpired, 60},
		"revoked":                 {5, true, oidcauth.ErrRevoked, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				auth, bearer := begin(t, nil)
				defer auth.Close()
				claims := bearer(nil)
				socket := auth.NewSession(t.Context(), claims)
				call := context.WithoutCancel(socket.CallContext())
				done := 0
				steps := make([]func(context.Context) error, tt.steps)
				for i := range steps {
					steps[i] = func(ctx context.Context) error {
						time.Sleep(time.Minute)
						done++
						if i == 0 {
							socket.Close()
						}
						if i == 2 && tt.revoke {
							return auth.Revoke(ctx, oidcauth.Revocation{Subject: claims.Subject()})
						}
						return nil
					}
				}
				if err := later.Finish(auth, claims, steps...); !errors.Is(err, tt.want) || done != tt.done {
					t.Errorf("Finish() = %v after %d steps, want %v after %d", err, done, tt.want, tt.done)
				}
				if err := oidcauth.Require(call); !errors.Is(err, oidcauth.ErrClosed) {
					t.Errorf("a call of a socket that closed: %v", err)
				}
				if err := oidcauth.Require(oidcauth.NewContext(t.Context(), claims)); err != nil {
					t.Errorf("a context of the program's own: %v", err)
				}
			})
		})
	}
}

// Work waits while nobody can tell the caller's roles, and goes on where it was, unless
// the token ends first.
func TestFinish_Outage(t *testing.T) {
	for minutes, want := range map[time.Duration]error{20: nil, 80: oidcauth.ErrExpired} {
		synctest.Test(t, func(t *testing.T) {
			begun, outage := time.Now(), minutes*time.Minute
			auth, bearer := begin(t, func() error {
				if since := time.Since(begun); since > 0 && since < outage {
					return errors.New("the directory is down")
				}
				return nil
			})
			defer auth.Close()
			done := 0
			step := func(context.Context) error { time.Sleep(time.Minute); done++; return nil }
			if err := later.Finish(auth, bearer(nil), step, step); !errors.Is(err, want) || (done == 2) != (want == nil) {
				t.Errorf("an outage of %v: Finish() = %v after %d steps, want %v", outage, err, done, want)
			}
		})
	}
}

// What is scheduled is done when the token is long over, for its owner, unless that is
// forgotten; who may not, and nobody, schedules nothing.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth, bearer := begin(t, nil)
		defer auth.Close()
		s := &later.Schedule{Allow: oidcauth.HasRole("writer")}
		did := map[oidcauth.Identity]int{}
		run := func(ctx context.Context, owner oidcauth.Identity) {
			if !oidcauth.IsInternal(ctx) {
				t.Error("not the server's own call")
			}
			did[owner]++
		}
		who := map[string]*oidcauth.Claims{}
		for _, name := range []string{"alice", "bob"} {
			who[name] = bearer(map[string]any{"sub": name, "roles": "writer"})
			if err := s.Add(oidcauth.NewContext(t.Context(), who[name]), 24*time.Hour, run); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range []struct {
			ctx  context.Context
			want error
		}{
			{oidcauth.NewContext(t.Context(), bearer(map[string]any{"sub": "carol"})), oidcauth.ErrForbidden},
			{t.Context(), oidcauth.ErrNoToken},
			{oidcauth.NewInternalContext(t.Context()), oidcauth.ErrNoToken},
		} {
			if err := s.Add(tt.ctx, time.Hour, run); !errors.Is(err, tt.want) {
				t.Errorf("Add() = %v, want %v", err, tt.want)
			}
		}
		time.Sleep(23 * time.Hour)
		s.Forget(who["bob"].Identity())
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if alice, bob := did[who["alice"].Identity()], did[who["bob"].Identity()]; alice != 1 || bob != 0 || len(did) != 1 {
			t.Errorf("done for alice %d times, for bob %d, for %d callers", alice, bob, len(did))
		}
	})
}

// One caller schedules no more than so much at a time, and that keeps nobody else from it.
func TestSchedule_TooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth, bearer := begin(t, nil)
		defer auth.Close()
		s := &later.Schedule{Allow: oidcauth.HasRole("writer")}
		of := func(name string) context.Context {
			return oidcauth.NewContext(t.Context(), bearer(map[string]any{"sub": name, "roles": "writer"}))
		}
		add := func(ctx context.Context) error {
			return s.Add(ctx, time.Hour, func(context.Context, oidcauth.Identity) {})
		}
		alice := of("alice")
		var err error
		added := 0
		for err = add(alice); err == nil && added < 1000; err = add(alice) {
			added++
		}
		if !errors.Is(err, later.ErrTooMany) || added != 100 {
			t.Errorf("after %d jobs: %v, want %v after 100", added, err, later.ErrTooMany)
		}
		if err := add(of("bob")); err != nil {
			t.Errorf("another caller: %v", err)
		}
		time.Sleep(2 * time.Hour)
		if err := add(of("alice")); err != nil {
			t.Errorf("when those are done: %v", err)
		}
	})
}
