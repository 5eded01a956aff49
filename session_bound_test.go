package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

const socketURL = publicURL + "/v1/subscribe"

// open begins a session as the handler of a WebSocket would.
func (w *boundWorld) open(t testing.TB, token string) *oidcauth.Session {
	t.Helper()
	r := httptest.NewRequest("GET", "/v1/subscribe", nil)
	r.Header.Set("Authorization", "DPoP "+token)
	r.Header.Set("DPoP", w.client.Proof("GET", socketURL, token, nil))
	var s *oidcauth.Session
	answer := httptest.NewRecorder()
	w.auth.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		claims, _ := oidcauth.FromContext(r.Context())
		s = w.auth.NewSession(r.Context(), claims)
	})).ServeHTTP(answer, r)
	if s == nil {
		t.Fatalf("status %d: %s", answer.Code, answer.Body)
	}
	t.Cleanup(s.Close)
	return s
}

// renew presents a token and a proof with these claims on the session, as message of
// the client's. Without claims there is no proof.
func renew(s *oidcauth.Session, p *oidctest.Prover, token string, claims map[string]any) error {
	ctx := context.Background()
	if claims != nil {
		ctx = possession.NewContext(ctx, possession.Proof{DPoP: p.Proof("GET", socketURL, token, claims)})
	}
	_, err := s.Renew(ctx, token)
	return err
}

// A session of a bound token goes on under tokens alone that are bound to the same key,
// whose possession is proved over a nonce of that session, once.
func TestSession_RenewBound(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{}, nil)
	s, elsewhere := w.open(t, w.token()), w.open(t, w.token())
	thief := oidctest.NewProver(t, "")
	stolen := w.issuer.Token(map[string]any{"cnf": map[string]any{"jkt": thief.Thumbprint()}})
	next := w.token()
	if err := renew(s, w.client, next, map[string]any{"nonce": "x"}); !errors.Is(err, dpop.ErrUseNonce) {
		t.Errorf("Renew() error = %v before a nonce was given, want %v", err, dpop.ErrUseNonce)
	}
	nonce := s.Nonce()
	if again := s.Nonce(); again != nonce || nonce == "" || nonce == elsewhere.Nonce() {
		t.Errorf("Nonce() = %q, %q, and of another session the same", nonce, again)
	}
	for _, tt := range []struct {
		name   string
		by     *oidctest.Prover
		token  string
		claims map[string]any
		want   error
	}{
		{"without proof", w.client, next, nil, oidcauth.ErrProof},
		{"without nonce", w.client, next, map[string]any{"x": 1}, dpop.ErrUseNonce},
		{"with another's nonce", w.client, next, map[string]any{"nonce": elsewhere.Nonce()}, dpop.ErrUseNonce},
		{"by another key", thief, next, map[string]any{"nonce": nonce}, oidcauth.ErrProof},
		{"a token of another key", thief, stolen, map[string]any{"nonce": nonce}, oidcauth.ErrProof},
		{"a bearer token", w.client, w.issuer.Token(nil), nil, oidcauth.ErrProof},
		{"for another method", w.client, next, map[string]any{"nonce": nonce, "htm": "POST"}, dpop.ErrInvalidProof},
		{"for another address", w.client, next, map[string]any{"nonce": nonce, "htu": callURL}, dpop.ErrInvalidProof},
		{"for another token", w.client, next, map[string]any{"nonce": nonce, "ath": "x"}, dpop.ErrInvalidProof},
		{"as it should be", w.client, next, map[string]any{"nonce": nonce}, nil},
		{"the same nonce again", w.client, next, map[string]any{"nonce": nonce}, dpop.ErrUseNonce},
		{"the next nonce", w.client, next, map[string]any{"nonce": s.Nonce()}, nil},
	} {
		if tt.name == "the next nonce" {
			tt.claims["nonce"] = s.Nonce()
		}
		if err := renew(s, tt.by, tt.token, tt.claims); !errors.Is(err, tt.want) || err != nil && !errors.Is(err, oidcauth.ErrProof) {
			t.Errorf("%s: Renew() error = %v, want %v", tt.name, err, tt.want)
		}
		if s.Context().Err() != nil {
			t.Fatalf("%s: the session ended with %v", tt.name, context.Cause(s.Context()))
		}
	}
}

// A session of a bearer token goes on under one that is bound once that is proved, and
// from then on under nothing less.
func TestSession_RenewBoundFromBearer(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{}, nil)
	s := w.auth.NewSession(t.Context(), authenticate(t, w.auth, w.issuer.Token(nil)))
	defer s.Close()
	bound := w.token()
	if err := renew(s, w.client, bound, nil); !errors.Is(err, oidcauth.ErrProof) {
		t.Errorf("Renew() error = %v without proof, want %v", err, oidcauth.ErrProof)
	}
	ctx := possession.NewContext(t.Context(), possession.Proof{Method: "GET", URL: socketURL,
		DPoP: w.client.Proof("GET", socketURL, bound, map[string]any{"nonce": s.Nonce()})})
	if _, err := s.Renew(ctx, bound); err != nil {
		t.Errorf("Renew() error = %v", err)
	}
	if _, err := s.Renew(t.Context(), w.issuer.Token(nil)); !errors.Is(err, oidcauth.ErrProof) {
		t.Errorf("Renew() error = %v back to a bearer token, want %v", err, oidcauth.ErrProof)
	}
}

// Of two tokens at once, too, one that is bound is never followed by one that is not.
func TestSession_RenewBoundAtOnce(t *testing.T) {
	t.Parallel()
	var meanwhile func()
	w := newBoundWorld(t, dpop.Config{}, func(cfg *oidcauth.Config) {
		cfg.Issuers[0].Rules = []oidcauth.Rule{func(c *oidcauth.Claims) error {
			if c.TokenID() == "late" && meanwhile != nil {
				meanwhile()
			}
			return nil
		}}
	})
	s := w.auth.NewSession(t.Context(), authenticate(t, w.auth, w.issuer.Token(nil)))
	defer s.Close()
	late := w.issuer.Token(map[string]any{"jti": "late"})
	authenticate(t, w.auth, late)
	asked, bound := 0, w.token()
	meanwhile = func() {
		if asked++; asked != 2 { // first the token is judged, then the session is put under it
			return
		}
		ctx := possession.NewContext(t.Context(), possession.Proof{Method: "GET", URL: socketURL,
			DPoP: w.client.Proof("GET", socketURL, bound, map[string]any{"nonce": s.Nonce()})})
		if _, err := s.Renew(ctx, bound); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Renew(t.Context(), late); !errors.Is(err, oidcauth.ErrProof) {
		t.Errorf("Renew() error = %v, want %v", err, oidcauth.ErrProof)
	}
	if s.Context().Err() != nil || !oidcauth.IsProved(s.Claims()) {
		t.Errorf("the session lives by a bearer token now, or ended with %v", context.Cause(s.Context()))
	}
}

// A usesMeanwhile knows of no use, and takes a while to say so.
type usesMeanwhile struct{ meanwhile func() }

func (u *usesMeanwhile) FirstUse(context.Context, [32]byte, time.Time) (bool, error) {
	if f := u.meanwhile; f != nil {
		u.meanwhile = nil
		f()
	}
	return true, nil
}

// Two renewals at once over one nonce, each with a proof of its own, are one renewal.
func TestSession_RenewBoundOverOneNonce(t *testing.T) {
	t.Parallel()
	uses := &usesMeanwhile{}
	w := newBoundWorld(t, dpop.Config{Replays: uses}, nil)
	s := w.open(t, w.token())
	nonce := map[string]any{"nonce": s.Nonce()}
	first, second := w.token(), w.token()
	uses.meanwhile = func() {
		if err := renew(s, w.client, second, nonce); err != nil {
			t.Errorf("Renew() error = %v while another renewal waits", err)
		}
	}
	if err := renew(s, w.client, first, nonce); !errors.Is(err, dpop.ErrUseNonce) {
		t.Errorf("Renew() error = %v over a nonce that was used meanwhile, want %v", err, dpop.ErrUseNonce)
	}
	if s.Context().Err() != nil {
		t.Errorf("the session ended with %v", context.Cause(s.Context()))
	}
}

// Nonces are kept for live sessions alone, and given where anybody can use them.
func TestSession_NonceKept(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{}, nil)
	without := newBoundWorld(t, dpop.Config{}, func(cfg *oidcauth.Config) { cfg.DPoP = nil })
	for _, tt := range []struct {
		auth  *oidcauth.Authenticator
		token string
		given bool
	}{{w.auth, w.issuer.Token(nil), true}, {without.auth, without.issuer.Token(nil), false}} {
		s := tt.auth.NewSession(t.Context(), authenticate(t, tt.auth, tt.token))
		if given := s.Nonce() != ""; given != tt.given || oidcauth.NoncesKept(tt.auth) > 0 != tt.given {
			t.Errorf("Nonce() gave one: %v, want %v; %d are kept", given, tt.given, oidcauth.NoncesKept(tt.auth))
		}
		s.Close()
		if n := oidcauth.NoncesKept(tt.auth); n > 0 || s.Nonce() != "" {
			t.Errorf("%d nonces are kept of a session that has ended", n)
		}
	}
}

// What was proved belongs to one use of a token: neither the cache has it nor what others
// got for the same token, and a session needs it.
func TestNewSession_BoundClaims(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{}, nil)
	token := w.token()
	with := func() *oidcauth.Claims {
		ctx := possession.NewContext(t.Context(), possession.Proof{DPoP: w.proof(token), Method: "POST", URL: callURL})
		c, err := w.auth.Authenticate(ctx, token)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one, other := with(), with()
	if one == other {
		t.Error("two uses of a bound token share their claims")
	}
	bare := oidcauth.Unproved(one)
	s := w.auth.NewSession(t.Context(), bare)
	if cause := context.Cause(s.Context()); !errors.Is(cause, oidcauth.ErrProof) {
		t.Errorf("a session without proof ended with %v, want %v", cause, oidcauth.ErrProof)
	}
	if s := w.auth.NewSession(t.Context(), one); s.Context().Err() != nil {
		t.Errorf("a session with proof ended with %v", context.Cause(s.Context()))
	}
	if c := oidcauth.Remembered(w.auth, token); c == nil || oidcauth.IsProved(c) {
		t.Errorf("the cache has %v, want claims without proof", c)
	}
}

// What changes while a session lives leaves what was proved: other descriptions, and
// answers that are asked for again.
func TestSession_BoundStaysBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var trusted oidcauth.Issuer
		w := newBoundWorld(t, dpop.Config{}, func(cfg *oidcauth.Config) {
			cfg.Issuers[0].Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
				return json.RawMessage(`{"roles":["writer"]}`), nil
			}
			trusted = cfg.Issuers[0]
		})
		defer w.auth.Close()
		token := w.token()
		s := w.open(t, token)
		proved := func(when string) {
			t.Helper()
			if s.Context().Err() != nil || !oidcauth.IsProved(s.Claims()) || !s.Claims().HasRole("writer") {
				t.Errorf("%s: proved: %v, cause %v", when, oidcauth.IsProved(s.Claims()), context.Cause(s.Context()))
			}
			if c := oidcauth.Remembered(w.auth, token); c != nil && oidcauth.IsProved(c) {
				t.Errorf("%s: the cache has claims with what was proved", when)
			}
		}
		proved("at first")
		time.Sleep(2 * time.Minute)
		s.CallContext()
		proved("after another answer")
		time.Sleep(time.Second)
		w.call(t, "Authorization", "DPoP "+token, "DPoP", w.proof(token))
		time.Sleep(50 * time.Second)
		s.CallContext()
		proved("after an answer that another use asked for")
		trusted.TokenTypes = []string{"JWT", "at+jwt"}
		if err := w.auth.SetIssuers(trusted); err != nil {
			t.Fatal(err)
		}
		proved("by another description")
		if err := renew(s, w.client, w.issuer.Token(nil), nil); !errors.Is(err, oidcauth.ErrProof) {
			t.Errorf("Renew() error = %v for a bearer token, want %v", err, oidcauth.ErrProof)
		}
		trusted.Bound = "refuse"
		if err := w.auth.SetIssuers(trusted); err != nil {
			t.Fatal(err)
		}
		expectEnd(t, s, oidcauth.ErrTokenType)
	})
}
