package localissuer_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// stolenKeys reads the private keys of a key directory, as a thief would.
func stolenKeys(t *testing.T, dir string) map[string]*ecdsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "keyring.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Keys []struct {
			ID  string
			JWK jose.JSONWebKey
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	stolen := map[string]*ecdsa.PrivateKey{}
	for _, k := range file.Keys {
		if private, ok := k.JWK.Key.(*ecdsa.PrivateKey); ok {
			stolen[k.ID] = private
		}
	}
	return stolen
}

// A shop is a local issuer with a directory, and a server that trusts it and
// another issuer.
type shop struct {
	*counter
	dir string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	s := &shop{dir: filepath.Join(t.TempDir(), "keys")}
	local := newLocal(t, localissuer.Config{Dir: s.dir})
	s.counter = &counter{T: t, Issuer: issuer, Local: local, Auth: newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client(),
	})}
	return s
}

// forge makes a ticket for somebody whose token nobody has seen, signed with a
// key of the thief's, from a real one.
func (s *shop) forge(key *ecdsa.PrivateKey, keyID string) string {
	s.T.Helper()
	f := newForgery(s.T, s.Local, s.Buy(s.Issuer.Token(map[string]any{"sub": "mallory"}), anywhere))
	return signTicket(s.T, key, keyID, f.sealing(`"mallory"`, `"admin"`))
}

// Whoever holds an imported key, or a key that was retired, signs no tickets: a
// ticket may name anybody at every issuer.
func TestTicket_KeyThatMayNotSign(t *testing.T) {
	t.Parallel()
	t.Run("imported", func(t *testing.T) {
		s := newShop(t)
		key := newKey(t)
		id, err := s.Local.Import(t.Context(), privatePEM(t, key))
		if err != nil {
			t.Fatal(err)
		}
		for _, keyID := range []string{id, "", s.Local.Keys()[1].ID} {
			if claims, err := s.Use(s.forge(key, keyID), anywhere); !errors.Is(err, oidcauth.ErrUnknownKey) && !errors.Is(err, oidcauth.ErrSignature) {
				t.Errorf("AuthenticateTicket() under key ID %q: %v, error = %v, want a refusal", keyID, claims.Subject(), err)
			}
		}
	})
	t.Run("one of RetiredKeys", func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		retired, key := newKey(t), newKey(t)
		local := newLocal(t, localissuer.Config{Signer: key, RetiredKeys: []crypto.PublicKey{retired.Public()}})
		c := &counter{T: t, Issuer: issuer, Local: local, Auth: newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client(),
		})}
		s := &shop{counter: c}
		for _, k := range local.Keys() {
			want, signer := oidcauth.ErrUnknownKey, retired
			if !k.Imported {
				want, signer = nil, key
			}
			if _, err := s.Use(s.forge(signer, k.ID), anywhere); !errors.Is(err, want) {
				t.Errorf("AuthenticateTicket() under a key that is imported %t: error = %v, want %v", k.Imported, err, want)
			}
		}
	})
}

// Only what signs, what will, and what signed until two minutes ago may sign a
// ticket.
func TestTicket_KeyOfEachState(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		rotations int // before the ticket is used
		which     int // of the keys at the beginning
		wait      time.Duration
		want      error
	}{
		{"the key that signs", 0, 0, 0, nil},
		{"the next", 0, 1, 0, nil},
		{"just retired", 1, 0, 0, nil},
		{"retired 119 s ago", 1, 0, 119 * time.Second, nil},
		{"retired two minutes ago", 1, 0, 2 * time.Minute, oidcauth.ErrUnknownKey},
		{"the next, which signs by now", 1, 1, time.Hour, nil},
		{"the next, retired since", 2, 1, 2 * time.Minute, oidcauth.ErrUnknownKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t)
				id := s.Local.Keys()[tt.which].ID
				key := stolenKeys(t, s.dir)[id]
				for range tt.rotations {
					if err := s.Local.Rotate(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(tt.wait)
				f := newForgery(t, s.Local, s.Buy(s.Issuer.Token(nil), anywhere))
				ticket := signTicket(t, key, id, f.payload)
				if tt.want == nil {
					// Sealed for the key that signs it, as a process would that
					// has not noticed the rotation.
					ticket = signTicket(t, key, id, f.sealedFor(id))
				}
				if _, err := s.Use(ticket, anywhere); !errors.Is(err, tt.want) {
					t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
				}
			})
		})
	}
}

// sealedFor seals the same content with another key's secret.
func (f *forgery) sealedFor(keyID string) string {
	f.t.Helper()
	return f.with(f.members.Original, sealTicket(f.t, f.local, keyID, f.members.ID, f.content))
}

// A clock that is set back makes no key sign again.
func TestTicket_RetiredKeyAndClockSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := new(authtest.Clock)
		dir := filepath.Join(t.TempDir(), "keys")
		local := newLocal(t, localissuer.Config{Dir: dir, Now: clock.Now})
		auth := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{local.Issuer()}, Now: clock.Now})
		claims := authenticate(t, auth, issue(t, local, localissuer.Request{}))
		buy := func() string {
			t.Helper()
			ticket, err := local.Ticket(from(), claims, "chat")
			if err != nil {
				t.Fatal(err)
			}
			return ticket
		}
		id := local.Keys()[0].ID
		key := stolenKeys(t, dir)[id]
		if err := local.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		clock.Set(-10 * time.Minute)
		f := newForgery(t, local, buy())
		if _, err := auth.AuthenticateTicket(from(), signTicket(t, key, id, f.payload), "chat"); !errors.Is(err, oidcauth.ErrUnknownKey) {
			t.Errorf("AuthenticateTicket() error = %v, want %v", err, oidcauth.ErrUnknownKey)
		}
		if _, err := auth.AuthenticateTicket(from(), buy(), "chat"); err != nil {
			t.Errorf("AuthenticateTicket() under the key that signs: error = %v", err)
		}
	})
}

// A revocation of a key that sold tickets ends the sessions that began with them,
// on whatever token they are; that of the issuer, or of another key, does not.
func TestTicket_SessionAndSellerRevoked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		revoke func(s *shop) oidcauth.Revocation
		want   error
	}{
		{"the key", func(s *shop) oidcauth.Revocation { return oidcauth.Revocation{KeyID: s.Local.Keys()[0].ID} }, oidcauth.ErrRevoked},
		{"the key, by its issuer", func(s *shop) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: "localhost", KeyID: s.Local.Keys()[0].ID, IssuedBefore: time.Now().Add(time.Minute)}
		}, oidcauth.ErrRevoked},
		{"the key, for what it sold earlier", func(s *shop) oidcauth.Revocation {
			return oidcauth.Revocation{KeyID: s.Local.Keys()[0].ID, IssuedBefore: time.Now().Add(-time.Minute)}
		}, nil},
		{"a key of that ID of another issuer", func(s *shop) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: s.Issuer.URL(), KeyID: s.Local.Keys()[0].ID}
		}, nil},
		{"somebody's tokens under the key", func(s *shop) oidcauth.Revocation {
			return oidcauth.Revocation{KeyID: s.Local.Keys()[0].ID, Subject: "bob"}
		}, nil},
		{"another key", func(s *shop) oidcauth.Revocation { return oidcauth.Revocation{KeyID: s.Local.Keys()[1].ID} }, nil},
		{"the local issuer", func(s *shop) oidcauth.Revocation { return oidcauth.Revocation{Issuer: "localhost"} }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShop(t)
			token := s.Issuer.Token(nil)
			claims, err := s.Use(s.Buy(token, anywhere), anywhere)
			if err != nil {
				t.Fatal(err)
			}
			began := s.Auth.NewSession(t.Context(), claims)
			defer began.Close()
			revoke(t, s.Auth, tt.revoke(s))
			late := s.Auth.NewSession(t.Context(), claims)
			defer late.Close()
			for name, session := range map[string]*oidcauth.Session{"before": began, "after": late} {
				if cause := context.Cause(session.Context()); !errors.Is(cause, tt.want) {
					t.Errorf("a session begun %s: its cause is %v, want %v", name, cause, tt.want)
				}
			}
			if claims := s.Claims(token); claims.Subject() != "alice" { // the token itself is as good as ever
				t.Errorf("Authenticate() = %q", claims.Subject())
			}
		})
	}
}

// A revocation of the key that signs tickets, or of its issuer, ends them.
func TestTicket_SellerRevoked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		revoke func(s *shop) oidcauth.Revocation
		want   error
	}{
		{"the local key", func(s *shop) oidcauth.Revocation { return oidcauth.Revocation{KeyID: s.Local.Keys()[0].ID} }, oidcauth.ErrRevoked},
		{"the local key, by its issuer", func(s *shop) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: "localhost", KeyID: s.Local.Keys()[0].ID}
		}, oidcauth.ErrRevoked},
		{"the local issuer", func(s *shop) oidcauth.Revocation { return oidcauth.Revocation{Issuer: "localhost"} }, oidcauth.ErrRevoked},
		{"what the local issuer sold so far", func(s *shop) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: "localhost", IssuedBefore: time.Now().Add(time.Second)}
		}, oidcauth.ErrRevoked},
		{"what it sold earlier", func(s *shop) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: "localhost", IssuedBefore: time.Now().Add(-time.Minute)}
		}, nil},
		{"another local key", func(s *shop) oidcauth.Revocation { return oidcauth.Revocation{KeyID: s.Local.Keys()[1].ID} }, nil},
		{"somebody at the local issuer", func(s *shop) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: "localhost", Subject: "alice"}
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShop(t)
			ticket := s.Buy(s.Issuer.Token(nil), anywhere)
			revoke(t, s.Auth, tt.revoke(s))
			if _, err := s.Use(ticket, anywhere); !errors.Is(err, tt.want) {
				t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
			}
		})
	}
}
