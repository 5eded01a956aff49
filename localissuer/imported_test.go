package localissuer_test

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/localissuer"
)

// What a SpacetimeDB server issued is for an audience of its own, and good where
// the configuration says so. New tokens are not for it.
func TestConfig_ImportedAudiences(t *testing.T) {
	for _, tt := range []struct {
		name     string
		audience string
		imported []string
		want     error
	}{
		{"not named", "spacetimedb", nil, oidcauth.ErrAudience},
		{"named", "spacetimedb", []string{"spacetimedb"}, nil},
		{"another", "other", []string{"spacetimedb"}, oidcauth.ErrAudience},
		{"the issuer's own", "my-db", []string{"spacetimedb"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, key := newLocal(t, localissuer.Config{NoExpiry: true, ImportedAudiences: tt.imported}), newKey(t)
			if _, err := l.Import(t.Context(), privatePEM(t, key)); err != nil {
				t.Fatal(err)
			}
			a := trusting(t, l)
			wants(t, a, signAs(t, key, "JWT", `{"iss":"localhost","sub":"bob","aud":["`+tt.audience+`"],"exp":null}`), tt.want)
			if c := authenticate(t, a, issue(t, l, localissuer.Request{})); c.HasAudience("spacetimedb") {
				t.Error("a new token is for it, too")
			}
		})
	}
	if _, err := localissuer.New(localissuer.Config{URL: "localhost", Dir: filepath.Join(t.TempDir(), "keys"), Audiences: []string{"a"}, ImportedAudiences: []string{""}}); err == nil {
		t.Error("New() error = nil for an empty audience")
	}
}

// Every key is published, first the one that signs.
func TestIssuer_PublicPEM(t *testing.T) {
	l := newLocal(t, localissuer.Config{})
	if _, err := l.Import(t.Context(), privatePEM(t, newKey(t))); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		text, err := l.PublicPEM()
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		other := newLocal(t, localissuer.Config{})
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			id, err := other.Import(t.Context(), pem.EncodeToMemory(block))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		keys := l.Keys()
		if len(ids) != len(keys) {
			t.Errorf("PublicPEM() has %d keys, want %d", len(ids), len(keys))
		}
		for n, state := range []string{"active", "next"} {
			i := slices.IndexFunc(keys, func(k localissuer.Key) bool { return k.State == state })
			if ids[n] != keys[i].ID {
				t.Errorf("block %d is of key %s, want %s, which is %s", n, ids[n], keys[i].ID, state)
			}
		}
		if err := l.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Keys that are trusted no more are not published.
func TestIssuer_PublicPEM_Withdrawn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	l := newLocal(t, localissuer.Config{Dir: dir})
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	l.Refresh()
	if _, err := l.PublicPEM(); err != nil {
		t.Errorf("PublicPEM() of a directory that is away: error = %v", err)
	}
	localissuer.AgeKeyDirectory(l, keyset.StaleLimit+time.Second)
	if err := os.Mkdir(dir, 0o700); err != nil { // something to be seen from outside
		t.Fatal(err)
	}
	l.Refresh()
	if text, err := l.PublicPEM(); !errors.Is(err, oidcauth.ErrKeysUnavailable) || text != nil {
		t.Errorf("PublicPEM() a day later = %d bytes, %v, want %v", len(text), err, oidcauth.ErrKeysUnavailable)
	}
}
