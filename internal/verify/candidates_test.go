package verify_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// crowdedIssuer publishes n keys of one kind, all under one key ID if that is not
// empty and otherwise under none.
func crowdedIssuer(t testing.TB, alg, id string, n int) (*oidctest.Issuer, oidcauth.Issuer, []*oidctest.Key) {
	t.Helper()
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{Algorithm: alg})
	issuer.RemoveKeys()
	keys := make([]*oidctest.Key, n)
	for i := range keys {
		keys[i] = issuer.NewKey(oidctest.KeyConfig{Algorithm: alg, ID: id, NoID: id == ""})
		issuer.Publish(keys[i])
	}
	return issuer, trusted, keys
}

// acceptedOf returns how many of the keys have a token accepted at once, by an
// Authenticator of each key's own: as many as are tried for one token.
func acceptedOf(t *testing.T, keys []*oidctest.Key, open func() *oidcauth.Authenticator) int {
	t.Helper()
	accepted := 0
	for i, k := range keys {
		_, err := open().Authenticate(t.Context(), k.Token(map[string]any{"jti": fmt.Sprint(i)}))
		if err == nil {
			accepted++
		} else if !errors.Is(err, oidcauth.ErrSignature) {
			t.Errorf("Authenticate() error = %v, want %v", err, oidcauth.ErrSignature)
		}
	}
	return accepted
}

// However many keys may have signed a token, four are tried, and two of an issuer
// that nobody configured.
func TestAuthenticate_ChecksForOneToken(t *testing.T) {
	t.Parallel()
	const n = 12
	for _, alg := range []string{"ES256", "ES384", "EdDSA"} {
		for _, id := range []string{"", "shared"} {
			t.Run(fmt.Sprintf("%s, key ID %q", alg, id), func(t *testing.T) {
				issuer, trusted, keys := crowdedIssuer(t, alg, id, n)
				trusted.Keys.JWKS = issuer.KeySet()
				configured := func() *oidcauth.Authenticator {
					return authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
				}
				if got := acceptedOf(t, keys, configured); got != 4 {
					t.Errorf("%d of %d keys were tried for a token of a configured issuer, want 4", got, n)
				}
			})
		}
	}
}

// Of more keys than are tried each has its turn, and one that has verified a
// token is tried first from then on.
func TestAuthenticate_CrowdedKeysAreFound(t *testing.T) {
	t.Parallel()
	const n = 16
	issuer, trusted, keys := crowdedIssuer(t, "ES256", "", n)
	trusted.Keys.JWKS = issuer.KeySet()
	a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, CacheBytes: -1})
	stranger := issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"}).WithID("")
	find := func(k *oidctest.Key) {
		t.Helper()
		for try := 1; ; try++ {
			_, err := a.Authenticate(t.Context(), k.Token(nil))
			if err == nil {
				return
			}
			if !errors.Is(err, oidcauth.ErrSignature) || try == n {
				t.Fatalf("Authenticate() error = %v at try %d", err, try)
			}
		}
	}
	for _, k := range keys {
		find(k)
		authtest.Wants(t, a, stranger.Token(nil), oidcauth.ErrSignature)
		authtest.Wants(t, a, k.Token(nil), nil)
	}
	inUse := []*oidctest.Key{keys[14], keys[3], keys[9]}
	for _, k := range inUse {
		find(k)
	}
	for range 10 {
		for _, k := range inUse {
			authtest.Wants(t, a, stranger.Token(nil), oidcauth.ErrSignature)
			authtest.Wants(t, a, k.Token(nil), nil)
		}
	}
}

// So has each under a key ID that is used again, where one check is kept until the issuer
// was asked for others, and where tokens with other key IDs took turns before.
func TestAuthenticate_CrowdedKeyIDReused(t *testing.T) {
	t.Parallel()
	issuer, trusted, keys := crowdedIssuer(t, "ES256", "shared", 12)
	for range 4 {
		issuer.Publish(issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"}).WithID("other"))
	}
	trusted.Keys = oidcauth.KeysFrom{JWKS: issuer.KeySet(), ReusesKeyIDs: true}
	stranger := issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"})
	for _, k := range keys {
		a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, CacheBytes: -1})
		for range 2 {
			authtest.Wants(t, a, stranger.WithID("other").Token(nil), oidcauth.ErrSignature)
		}
		accepted := false
		for range 4 {
			_, err := a.Authenticate(t.Context(), k.Token(nil))
			accepted = accepted || err == nil
		}
		if !accepted {
			t.Error("Authenticate() accepted no token of one of 12 keys in 4 tries, want each key tried in 3")
		}
	}
}

// Keys that can be told apart from the token are not counted: by the length of
// their signatures, by their type and by their own algorithm.
func TestAuthenticate_KeysOfOtherKinds(t *testing.T) {
	t.Parallel()
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{Algorithm: "RS256"})
	for n := range 3 {
		longer := append([]byte{0x80, byte(n)}, slices.Repeat([]byte{1}, 382)...) // 3072 bits that nobody has the primes of
		issuer.AddJWK(map[string]string{"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(longer), "e": "AQAB"})
		issuer.Publish(issuer.NewKey(oidctest.KeyConfig{Algorithm: "PS256"}).WithID(""))
		issuer.Publish(issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"}).WithID(""))
	}
	last := issuer.NewKey(oidctest.KeyConfig{Algorithm: "RS256"}).WithID("")
	issuer.Publish(last)
	trusted.Keys.JWKS = issuer.KeySet()
	a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	authtest.Wants(t, a, last.Token(nil), nil)
}

// An issuer that reuses key IDs: a key that has just been fetched is tried also
// where the token has used up its checks of the old ones, and no more than four
// in all are.
func TestAuthenticate_ChecksAfterRefetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted, keys := crowdedIssuer(t, "ES256", "shared", 4)
		trusted.Keys.ReusesKeyIDs = true
		a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: -1})
		for _, k := range keys {
			authtest.Wants(t, a, k.Token(nil), nil) // the fourth after a look for others
		}
		time.Sleep(2 * authtest.CoolDown)
		fresh := issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"}).WithID("shared")
		issuer.Publish(fresh)
		authtest.Wants(t, a, fresh.Token(nil), nil)
		time.Sleep(2 * authtest.CoolDown)
		authtest.Wants(t, a, issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"}).WithID("shared").Token(nil), oidcauth.ErrSignature)
	})
}

// Nor are more tried of one set where the issuer has descriptions with other keys, which
// are looked at first as they are in hand, and then anew.
func TestAuthenticate_ChecksForOneOfTwoSets(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "shared"} {
		for _, reused := range []bool{false, true} {
			issuer, trusted, keys := crowdedIssuer(t, "ES256", id, 12)
			trusted.Name, trusted.SubjectPrefix = "crowded", "crowded:"
			trusted.Keys = oidcauth.KeysFrom{JWKS: issuer.KeySet(), ReusesKeyIDs: reused}
			few, other, _ := crowdedIssuer(t, "ES256", id, 1)
			other.URL, other.Name, other.Keys = trusted.URL, "other", oidcauth.KeysFrom{JWKS: few.KeySet()}
			open := func() *oidcauth.Authenticator {
				return authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{other, trusted}})
			}
			if got := acceptedOf(t, keys, open); got != 4 {
				t.Errorf("key ID %q, reused %v: %d of the keys were tried, want 4", id, reused, got)
			}
		}
	}
}

// Descriptions that share keys share what is known of these: whichever says that key IDs
// are used again, the keys are looked for again for the tokens of all.
func TestAuthenticate_KeyIDReusedForAll(t *testing.T) {
	t.Parallel()
	for says := range 2 {
		for of, audience := range []string{"first", "second"} {
			issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
			all := []oidcauth.Issuer{trusted, trusted}
			all[0].Name, all[0].Audiences = "1", []string{"first"}
			all[1].Name, all[1].Audiences = "2", []string{"second"}
			all[says].Keys.ReusesKeyIDs = true
			a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: all, Client: issuer.Client()})
			for range 2 {
				if _, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"aud": audience})); err != nil {
					t.Errorf("the description %d says it, a token of %d: Authenticate() error = %v, want none", says, of, err)
				}
				issuer.ReuseKeyID()
			}
		}
	}
}

// An issuer whose tokens have no key ID changes all its keys at once: where a
// token has used up most of its checks on the old ones and some of the new are
// left, it is told to come back, and once more only.
func TestAuthenticate_NewKeysLeftUntried(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "shared"} {
		t.Run(fmt.Sprintf("key ID %q", id), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 3
				issuer, trusted, _ := crowdedIssuer(t, "ES256", id, n)
				trusted.Keys.ReusesKeyIDs = id != ""
				a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: -1})
				if err := a.Ready(t.Context()); err != nil {
					t.Fatal(err)
				}
				for range 4 { // whichever of the new keys is tried first
					time.Sleep(2 * authtest.CoolDown)
					issuer.RemoveKeys()
					var fresh []*oidctest.Key
					for range n {
						fresh = append(fresh, issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"}).WithID(id))
						issuer.Publish(fresh[len(fresh)-1])
					}
					forged := issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"}).WithID(id).Token(nil)
					authtest.Wants(t, a, forged, oidcauth.ErrKeysUnavailable)
					authtest.Wants(t, a, forged, oidcauth.ErrSignature)
					for _, k := range fresh {
						authtest.Wants(t, a, k.Token(nil), nil)
					}
				}
			})
		})
	}
}

// A token without key ID finds its key behind any number of keys of other
// types: only keys that fit its algorithm count against the limit.
func TestAuthenticate_KeyBehindOthers(t *testing.T) {
	t.Parallel()
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
	for range 20 {
		issuer.AddKey("ES256")
	}
	last := issuer.AddKey("EdDSA")
	a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	if _, err := a.Authenticate(t.Context(), last.WithID("").Token(nil)); err != nil {
		t.Errorf("Authenticate() error = %v", err)
	}
}
