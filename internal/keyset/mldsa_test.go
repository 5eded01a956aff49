package keyset_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// latticeJWKs are keys of ML-DSA that another implementation has made.
func latticeJWKs(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../jws/testdata/mldsa/tokens.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tokens []struct {
			Key json.RawMessage `json:"key"`
		} `json:"tokens"`
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Tokens) != 3 {
		t.Fatalf("%d keys, error %v", len(file.Tokens), err)
	}
	var keys []string
	for _, token := range file.Tokens {
		keys = append(keys, string(token.Key))
	}
	return keys
}

// A key of ML-DSA is used if it is one by RFC 9964, to the byte, and this program has
// ML-DSA; otherwise the report says why not. No such key takes another down.
func TestParse_MLDSA(t *testing.T) {
	good := latticeJWKs(t)[0]
	var parts struct{ Pub string }
	if err := json.Unmarshal([]byte(good), &parts); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts.Pub)
	if err != nil {
		t.Fatal(err)
	}
	pub := func(text string) string { return with(good, `{"pub":"`+text+`"}`) }
	for _, tt := range []struct {
		name, key string
		want      keyset.Reason // empty if it is used
		detail    string        // of one that is malformed
	}{
		{"as it was made", good, "", ""},
		{"for signatures", with(good, `{"use":"sig","key_ops":["verify"]}`), "", ""},
		{"priv null", with(good, `{"priv":null}`), "", ""},
		{"in the other alphabet, with padding", pub(base64.StdEncoding.EncodeToString(raw)), "", ""},
		{"no alg", with(good, `{"alg":null}`), keyset.NoAlgorithm, ""},
		{"alg empty", with(good, `{"alg":""}`), keyset.NoAlgorithm, ""},
		{"alg of another type", with(good, `{"alg":"ES256"}`), keyset.OtherAlgorithm, ""},
		{"alg in another case", with(good, `{"alg":"ml-dsa-44"}`), keyset.OtherAlgorithm, ""},
		{"alg of another set", with(good, `{"alg":"ML-DSA-65"}`), keyset.Malformed, "got 1312 bytes, want 1952"},
		{"priv", with(good, `{"priv":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`), keyset.PrivateKey, ""},
		{"priv of one digit", with(good, `{"priv":7}`), keyset.PrivateKey, ""},
		{"priv empty", with(good, `{"priv":""}`), keyset.PrivateKey, ""},
		{"seed, as in drafts", with(good, `{"seed":"AAAA"}`), keyset.PrivateKey, ""},
		{"d", with(good, `{"d":"AAAA"}`), keyset.PrivateKey, ""},
		{"no pub", with(good, `{"pub":null}`), keyset.Malformed, "got 0 bytes, want 1312"},
		{"x in place of pub", strings.Replace(good, `"pub"`, `"x"`, 1), keyset.Malformed, "got 0 bytes, want 1312"},
		{"pub in another case", strings.Replace(good, `"pub"`, `"PUB"`, 1), keyset.Malformed, "got 0 bytes, want 1312"},
		{"pub cut", pub(parts.Pub[:len(parts.Pub)-4]), keyset.Malformed, "pub: not base64url"},
		{"pub longer", pub(parts.Pub[:len(parts.Pub)-2] + "AAAA"), keyset.Malformed, "got 1314 bytes, want 1312"},
		{"pub with bits after its end", pub(parts.Pub[:len(parts.Pub)-1] + "_"), keyset.Malformed, "pub: not base64url"},
		{"pub padded wrongly", pub(parts.Pub + "==="), keyset.Malformed, `base64 with wrong padding: 1750 characters and 3 "="`},
		{"pub no base64", pub(parts.Pub[:len(parts.Pub)-1] + "!"), keyset.Malformed, "pub: not base64url"},
		{"for encryption", with(good, `{"use":"enc"}`), keyset.OtherUse, ""},
		{"for wrapping", with(good, `{"key_ops":["wrapKey"]}`), keyset.OtherUse, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if jws.CheckMLDSA() != nil && (want == "" || want == keyset.Malformed) {
				want = keyset.NoMLDSA
			}
			s, err := keyset.New(keyset.Config{Issuer: "x", Fixed: []byte(jwks(key("k1", 0), tt.key))})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			r := s.Report()
			switch {
			case want == "" && (len(r.Keys) != 2 || len(r.Skipped) != 0):
				t.Errorf("used %+v, skipped %+v, want both", r.Keys, r.Skipped)
			case want != "" && (len(r.Keys) != 1 || len(r.Skipped) != 1 || r.Skipped[0].Reason != want):
				t.Errorf("used %+v, skipped %+v, want it skipped: %s", r.Keys, r.Skipped, want)
			case want == keyset.Malformed && !strings.Contains(r.Skipped[0].Detail, tt.detail):
				t.Errorf("skipped %+v, want it to say %q", r.Skipped, tt.detail)
			}
		})
	}
}

// A report names the key as its issuer does.
func TestReport_MLDSA(t *testing.T) {
	if jws.CheckMLDSA() != nil {
		t.Log("without ML-DSA: TestParse_MLDSA has what is told")
		return
	}
	s, err := keyset.New(keyset.Config{Issuer: "x", Fixed: []byte(jwks(latticeJWKs(t)...))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, k := range s.Report().Keys {
		want := []string{"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"}[i]
		if k.Type != "AKP "+want || k.Algorithm != want || k.Thumbprint != k.ID {
			t.Errorf("key %d is %+v, want %s under its own thumbprint", i, k, want)
		}
	}
}

// The file in the cache directory has keys of ML-DSA beside the others.
func TestStore_MLDSA(t *testing.T) {
	if jws.CheckMLDSA() != nil {
		t.Log("without ML-DSA no such key is used, nor kept")
		return
	}
	dir := filepath.Join(t.TempDir(), "keys")
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(append(latticeJWKs(t), with(latticeJWKs(t)[0], `{"kid":"used","use":"sig","key_ops":["verify"],"issuer":"i"}`), key("a", 0))...)
		cfg := i.config(t)
		cfg.CacheDir = dir
		cfg.Hooks.StoreFailed = func(err error) { t.Errorf("StoreFailed(%v)", err) }
		fetched := start(t, cfg)
		mustKeys(t, fetched, "a")
		fetched.Close()
		i.set(func(i *issuer) { i.broken = true })
		if got := start(t, cfg).Report(); len(got.Keys) != 5 || !got.FromStore {
			t.Errorf("Report() = %+v, want the five keys from the file", got)
		}
	})
}

// Two keys of ML-DSA that differ in themselves alone are two.
func TestParse_MLDSATwice(t *testing.T) {
	if jws.CheckMLDSA() != nil {
		t.Log("without ML-DSA: TestParse_MLDSA has what is told")
		return
	}
	one := latticeJWKs(t)[0]
	for body, want := range map[string]int{jwks(one, one): 1, jwks(one, with(one, `{"pub":"`+encode(make([]byte, 1312))+`"}`)): 2} {
		s, err := keyset.New(keyset.Config{Issuer: "x", Fixed: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if r := s.Report(); len(r.Keys) != want || len(r.Skipped) != 0 {
			t.Errorf("%d keys, skipped %+v, want %d", len(r.Keys), r.Skipped, want)
		}
	}
}
