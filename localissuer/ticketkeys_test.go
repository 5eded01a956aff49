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
	"github.com/oidcauth/oidcauth/internal/ticket"
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

// A clock that is set back makes no key sign again, and no ticket younger.
func TestTicket_ClockSetBack(t *testing.T) {
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
		wants := func(ticket string, want error) {
			t.Helper()
			if _, err := auth.AuthenticateTicket(from(), ticket, "chat"); !errors.Is(err, want) {
				t.Errorf("AuthenticateTicket() error = %v, want %v", err, want)
			}
		}
		id := local.Keys()[0].ID
		key, secret := stolenKeys(t, dir)[id], secretOf(t, local, id)
		forged := func() string {
			t.Helper()
			f := newForgery(t, local, buy())
			sealed, err := ticket.Encrypt(secret, f.members.ID, []byte(f.content))
			if err != nil {
				t.Fatal(err)
			}
			return signTicket(t, key, id, f.with(f.members.Original, sealed))
		}
		if err := local.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		retired := time.Now()
		for _, tt := range []struct {
			after time.Duration
			want  error
		}{
			{119 * time.Second, nil},
			{120 * time.Second, oidcauth.ErrUnknownKey},
			{10 * time.Minute, oidcauth.ErrUnknownKey},
		} {
			time.Sleep(tt.after - time.Since(retired))
			clock.Set(-tt.after)
			wants(forged(), tt.want)
			if _, signs := ticketsOf(t, local).Secret(id); signs != (tt.want == nil) {
				t.Errorf("after %v the key signs tickets: %t", tt.after, signs)
			}
			wants(buy(), nil)
		}
		for _, age := range []time.Duration{59 * time.Second, time.Minute} {
			sold, ahead := buy(), time.Until(clock.Now())
			time.Sleep(age)
			clock.Set(ahead - age)
			want := oidcauth.ErrExpired
			if age < time.Minute {
				want = nil
			}
			wants(sold, want)
		}
	})
}

// Nobody can seal a ticket for a key that signs none, also not with a secret of nothing.
func TestTicket_SecretOfKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := &leap{}
		l, _ := clock.local(t, filepath.Join(t.TempDir(), "keys"), time.Hour)
		first := active(l)
		for range 2 {
			if err := l.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		imported, err := l.Import(t.Context(), privatePEM(t, newKey(t)))
		if err != nil {
			t.Fatal(err)
		}
		wants := func(name, keyID string, want bool) {
			t.Helper()
			if secret, signs := ticketsOf(t, l).Secret(keyID); signs != want || (secret != nil) != want {
				t.Errorf("%s signs tickets: %t, with a secret of %d bytes, want %t", name, signs, len(secret), want)
			}
		}
		wants("the key that signs", active(l), true)
		wants("a key that was just retired", first, true)
		wants("an imported key", imported, false)
		wants("a key that nobody knows", "nobody's", false)
		wants("a key without ID", "", false)
		clock.over(2 * time.Minute)
		wants("a key that was retired earlier", first, false)
	})
}

// What a token may nest, a ticket cannot hold: it is refused, and no ticket sold.
func TestTicket_NestedTooDeep(t *testing.T) {
	t.Parallel()
	l := newLocal(t, localissuer.Config{})
	a := trusting(t, l)
	for depth, want := range map[int]error{30: nil, 31: oidcauth.ErrMalformedToken} { // beside the object of all claims
		var nested any = "x"
		for range depth {
			nested = []any{nested}
		}
		claims := authenticate(t, a, issue(t, l, localissuer.Request{Claims: map[string]any{"nested": nested}}))
		text, err := l.Ticket(from(), claims, "chat")
		if !errors.Is(err, want) || (text == "") != (want != nil) {
			t.Errorf("Ticket() of claims %d deep = %d bytes, error %v, want %v", depth+1, len(text), err, want)
		}
	}
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
		{"the local issuer", func(s *shop) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: "localhost", IssuedBefore: time.Now().Add(time.Minute)}
		}, nil},
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
