package keyset_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/oidctest"
)

func TestAdopt(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewIssuer(t, oidctest.Config{})
	jwks := func(keys ...*oidctest.Key) []byte {
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		for _, k := range keys {
			set.Keys = append(set.Keys, k.JWK())
		}
		body, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	a, b, c := issuer.NewKey(oidctest.KeyConfig{}), issuer.NewKey(oidctest.KeyConfig{}), issuer.NewKey(oidctest.KeyConfig{})
	var gone []string
	s, err := keyset.New(keyset.Config{Issuer: "x", Fixed: jwks(a, b), Hooks: keyset.Hooks{
		KeysGone: func(keys []*keyset.Key) {
			for _, k := range keys {
				gone = append(gone, k.ID())
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	find := func(k *oidctest.Key) *keyset.Key {
		keys, err := s.Keys(context.Background(), jws.Named(k.ID()))
		if err != nil {
			return nil
		}
		return keys[0]
	}
	oldA, oldB := find(a), find(b)

	if err := s.Adopt(jwks(b, c)); err != nil {
		t.Fatalf("Adopt() error = %v", err)
	}
	if find(a) != nil || oldA.Live(time.Now()) {
		t.Error("the key that left is still trusted")
	}
	if find(b) != oldB || !oldB.Live(time.Now()) {
		t.Error("the key that stayed is another or trusted no more")
	}
	if find(c) == nil {
		t.Error("the new key is unknown")
	}
	if len(gone) != 1 || gone[0] != a.ID() {
		t.Errorf("KeysGone got %q, want %q", gone, a.ID())
	}
	if err := s.Adopt([]byte(`{"keys":[]}`)); !errors.Is(err, keyset.ErrNoUsableKey) || find(c) == nil {
		t.Errorf("Adopt(no key) error = %v, want %v and the keys as they were", err, keyset.ErrNoUsableKey)
	}
	s.Close()
	if err := s.Adopt(jwks(a)); !errors.Is(err, keyset.ErrClosed) || find(a) != nil {
		t.Errorf("Adopt() after Close: error = %v, want %v and no keys", err, keyset.ErrClosed)
	}
}

// Keys that are withdrawn are trusted no more, nobody knows of any other, and
// the next document brings back what is in it.
func TestWithdraw(t *testing.T) {
	t.Parallel()
	j := &journal{}
	document := []byte(jwks(fastKey("a", 0)))
	s, err := keyset.New(keyset.Config{Issuer: "x", Fixed: document, Hooks: j.hooks()})
	if err != nil {
		t.Fatal(err)
	}
	k := mustKeys(t, s, "a")[0]
	why := errors.New("directory lost")
	for range 2 {
		if err := s.Withdraw(why); err != nil {
			t.Fatalf("Withdraw() error = %v", err)
		}
		_, err = s.Keys(t.Context(), jws.Named("a"))
		if retry := unavailable(t, err).RetryAfter; retry != 0 {
			t.Errorf("RetryAfter = %v, want 0: it is not known", retry)
		}
		if !errors.Is(err, why) || !errors.Is(s.Ready(t.Context()), why) || k.Live(time.Now()) {
			t.Errorf("Keys() error = %v, Ready() error = %v, live %t, want %v and no key", err, s.Ready(t.Context()), k.Live(time.Now()), why)
		}
	}
	if err := s.Adopt(document); err != nil {
		t.Fatalf("Adopt() error = %v", err)
	}
	if again := mustKeys(t, s, "a")[0]; !again.Live(time.Now()) || k.Live(time.Now()) {
		t.Errorf("the key is live %t, and so is the one that was withdrawn: %t", again.Live(time.Now()), k.Live(time.Now()))
	}
	refused(t, s, "b", keyset.ErrUnknownKey)
	j.wantStates(t, "fresh-gone true", "gone-fresh false")
	s.Close()
	if err := s.Withdraw(why); !errors.Is(err, keyset.ErrClosed) {
		t.Errorf("Withdraw() after Close: error = %v, want %v", err, keyset.ErrClosed)
	}
}
