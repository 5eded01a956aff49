package keyset_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// FuzzParse: the keys of a set that is accepted are public ones that stand in it, and
// are to go-jose what they are here.
func FuzzParse(f *testing.F) {
	f.Add([]byte(jwks(key("a", 0), key("b", 1))))
	f.Add([]byte(jwks(rsaJWK(2048, 65537), `{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`, `null`)))
	f.Add([]byte(jwks(fastKey("a", 1), with(key("a", 1), `{"use":"enc"}`), with(key("b", 2), `{"key_ops":["sign"],"alg":"ES384"}`))))
	f.Add([]byte(jwks(with(key("a", 0), `{"d":"AAAA"}`), `{"kty":"oct","k":"AAAA"}`, with(key("c", 3), `{"x":"AAAA"}`))))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":"","x5c":[]}],"keys":[]}`))
	f.Add([]byte(jwks(strings.NewReplacer("-", "+", "_", "/").Replace(rsaJWK(2048, 65537)), with(rsaJWK(2048, 3), `{"e":"AAAD"}`))))
	f.Add([]byte(`{"keys":[` + key("a", 0) + `],"Keys":[` + key("b", 1) + `]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := keyset.New(keyset.Config{Fixed: append([]byte{}, body...)})
		if err != nil {
			return
		}
		defer s.Close()
		published := publishedIn(body)
		r := s.Report()
		if len(r.Keys) == 0 {
			t.Error("a set without usable keys was accepted")
		}
		for _, k := range r.Keys {
			keys, err := s.Keys(t.Context(), jws.Named(k.ID))
			if err != nil && k.ID != "" {
				t.Fatalf("Keys(%q) error = %v", k.ID, err)
			}
			for _, found := range keys {
				public, ok := found.Public().(interface{ Equal(crypto.PublicKey) bool })
				if !ok || found.Algorithm() != "" && len(k.Type) > 3 && k.Type[:3] == "AKP" {
					continue // of a kind that go-jose does not know
				}
				if !slices.ContainsFunc(published, func(other jose.JSONWebKey) bool {
					return other.KeyID == found.ID() && other.IsPublic() && public.Equal(other.Key)
				}) {
					t.Errorf("key %q, %s, is none that go-jose finds in %q", found.ID(), k.Type, body)
				}
			}
		}
	})
}

// publishedIn returns the keys that go-jose reads, each alone.
func publishedIn(body []byte) (all []jose.JSONWebKey) {
	var set map[string]json.RawMessage // and no struct, of which "Keys" would be a member, too
	var keys []json.RawMessage
	if len(body) > 3 && string(body[:3]) == "\ufeff" {
		body = body[3:]
	}
	json.Unmarshal(body, &set)
	json.Unmarshal(set["keys"], &keys)
	for _, raw := range keys {
		// What stands beside the key is not read here, and must not be there: a
		// certificate that go-jose cannot read, or a use that it checks.
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			continue
		}
		for name := range members {
			if !slices.Contains([]string{"kty", "kid", "crv", "x", "y", "n", "e"}, name) {
				delete(members, name)
			}
		}
		var crv string
		json.Unmarshal(members["crv"], &crv)
		size := map[string]int{"P-256": 32, "P-384": 48, "P-521": 66}[crv]
		for _, name := range []string{"n", "e", "x", "y"} {
			var text string
			if json.Unmarshal(members[name], &text) == nil && crv != "Ed25519" {
				members[name], _ = json.Marshal(inOneForm(text, size))
			}
		}
		raw, _ = json.Marshal(members)
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) == nil {
			all = append(all, k)
		}
	}
	return all
}

// inOneForm is a number in the one form that go-jose reads: what is written in another
// alphabet, with padding or with other zeros in front is the same number.
func inOneForm(text string, size int) string {
	text = strings.NewReplacer("+", "-", "/", "_", "=", "", "\r", "", "\n", "").Replace(text)
	number, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return text
	}
	number = bytes.TrimLeft(number, "\x00")
	return base64.RawURLEncoding.EncodeToString(append(make([]byte, max(0, size-len(number))), number...))
}

// FuzzStored: a file is used if it is, to another reader of JSON, of this version,
// issuer and source, and of the last day; its keys are those of the set in it.
func FuzzStored(f *testing.F) {
	cfg := keyset.Config{Issuer: "https://issuer.test", JWKSURL: "https://issuer.test/jwks", CacheDir: f.TempDir()}
	cfg.Fetch = newIssuer().config(f).Fetch
	if err := os.Chmod(cfg.CacheDir, 0o700); err != nil {
		f.Fatal(err)
	}
	const head = `"version":1,"issuer":"https://issuer.test","source":"jwks https://issuer.test/jwks","jwks_url":"https://issuer.test/jwks"`
	set := jwks(key("a", 0), fastKey("b", 1))
	for _, seed := range []string{
		`{` + head + `,"confirmed":"NOW","jwks":` + set + `}`, `{` + head + `,"confirmed":"2001-01-01T00:00:00Z","jwks":` + set + `}`, `{` + head + `,"confirmed":"2999-01-01T00:00:00Z","jwks":` + set + `}`,
		`{` + head + `,"confirmed":"NOW","jwks":{"keys":[]}}`, `{` + head + `,"confirmed":"NOW","jwks":null}`, `{` + head + `,"version":2,"confirmed":"NOW","jwks":` + set + `}`, `{` + head + `,"confirmed":"NOW","JWKS":` + set + `} x`, ``, `null`,
	} {
		f.Add(seed)
	}
	path := keyset.StorePath(cfg)
	f.Fuzz(func(t *testing.T, body string) {
		now := time.Now().UTC()
		body = strings.Replace(body, "NOW", now.Format(time.RFC3339), 1)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := keyset.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		r := s.Report()
		if !r.FromStore {
			if len(r.Keys) > 0 {
				t.Errorf("has keys of nowhere: %+v", r.Keys)
			}
			return
		}
		var file struct {
			Version        int
			Issuer, Source string
			Confirmed      time.Time
			JWKS           json.RawMessage
		}
		if json.Unmarshal([]byte(body), &file) != nil || file.Version != 1 || file.Issuer != cfg.Issuer || file.Source != "jwks "+cfg.JWKSURL ||
			now.Sub(file.Confirmed) > 24*time.Hour || file.Confirmed.Sub(now) > 2*time.Minute || r.Confirmed.After(time.Now()) || r.ServeUntil.After(now.Add(24*time.Hour+time.Minute)) {
			t.Fatalf("used %q: %+v", body, r)
		}
		fixed, err := keyset.New(keyset.Config{Fixed: file.JWKS})
		if err != nil {
			t.Fatalf("used %q, and alone its set is no set: %v", body, err)
		}
		defer fixed.Close()
		if want := fixed.Report().Keys; !slices.Equal(r.Keys, want) {
			t.Errorf("keys %+v, want %+v", r.Keys, want)
		}
	})
}
