package keyset_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/oidctest"
)

func TestAdopt(t *testing.T) {
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
		keys, err := s.Keys(context.Background(), k.ID(), true)
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
