package issuers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A world is an internet in which all providers share their keys, so that
// nothing but a token's contents tells one provider's from another's.
type world struct {
	keys  map[string]*oidctest.Key // by algorithm
	pages map[string][]byte        // by URL
}

func newWorld(t testing.TB) *world {
	t.Helper()
	lab := oidctest.NewIssuer(t, oidctest.Config{})
	w := &world{keys: map[string]*oidctest.Key{}, pages: map[string][]byte{}}
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		w.keys[alg] = lab.NewKey(oidctest.KeyConfig{Algorithm: alg})
	}
	return w
}

// RoundTrip answers like the provider whose address it is.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	status, page := http.StatusOK, w.pages[r.URL.String()]
	if page == nil {
		status = http.StatusNotFound
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(bytes.NewReader(page)), ContentLength: int64(len(page)), Request: r,
	}, nil
}

// keySet is what all providers publish: keys of three kinds, one for encryption,
// as Keycloak has it, and members that mean nothing. The keys name keyIssuer, if
// it is not empty, and neither algorithm nor use.
func (w *world) keySet(t testing.TB, keyIssuer string) []byte {
	t.Helper()
	keys := []any{map[string]any{"kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "kid": "enc", "n": "AQAB", "e": "AQAB"}}
	for _, k := range w.keys {
		var jwk map[string]any
		if err := json.Unmarshal(k.JWK(), &jwk); err != nil {
			t.Fatal(err)
		}
		if keyIssuer != "" {
			jwk["issuer"] = keyIssuer
		}
		delete(jwk, "use")
		delete(jwk, "alg")
		keys = append(keys, jwk)
	}
	page, err := json.Marshal(map[string]any{"keys": keys, "public_certs": []any{}})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// found puts the provider's pages where its description, or its document, says.
// A document that is not in testdata is made up.
func (w *world) found(t testing.TB, p provider, i oidcauth.Issuer) {
	t.Helper()
	keyIssuer := ""
	if i.TenantClaim != "" {
		keyIssuer = i.URL
	}
	if i.Keys.JWKSURL != "" {
		w.pages[i.Keys.JWKSURL] = w.keySet(t, keyIssuer)
		return
	}
	document := fmt.Appendf(nil, `{"issuer":%q,"jwks_uri":%q}`, i.URL, "https://keys.test/"+p.name())
	if p.document != "" {
		document = p.readDocument(t)
	}
	var stated struct {
		Issuer  string `json:"issuer"`
		JWKSURL string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(document, &stated); err != nil || stated.JWKSURL == "" {
		t.Fatalf("%s: document: %v", p.call, err)
	}
	if stated.Issuer != i.URL {
		t.Errorf("%s: URL = %q, but the document found states %q", p.call, i.URL, stated.Issuer)
	}
	at := i.Keys.DiscoveryURL
	if at == "" {
		at = strings.TrimSuffix(i.URL, "/") + "/.well-known/openid-configuration"
	}
	w.pages[at] = document
	w.pages[stated.JWKSURL] = w.keySet(t, keyIssuer)
}

func (p provider) readDocument(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "discovery", p.document))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.NewReplacer(p.replaces...).Replace(string(text)))
}

// authenticator makes an Authenticator for the description alone.
func (w *world) authenticator(t testing.TB, p provider, i oidcauth.Issuer) *oidcauth.Authenticator {
	t.Helper()
	w.found(t, p, i)
	// Tokens that are bound to a key are refused last, for want of a proof.
	proofs, err := dpop.New(dpop.Config{InsecureAnyHost: true})
	if err != nil {
		t.Fatal(err)
	}
	a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{i}, Client: &http.Client{Transport: w}, DPoP: proofs})
	if err != nil {
		t.Fatalf("%s: New() error = %v", p.call, err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// A sample is a token as a provider makes it, before it is signed.
type sample struct {
	Name    string         `json:"name"`
	Header  map[string]any `json:"header"`
	Payload map[string]any `json:"payload"`
}

// samples returns the tokens of one file.
func samples(t testing.TB, file string) []sample {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "providers", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []sample
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&all); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(all) == 0 {
		t.Fatalf("%s: no tokens", file)
	}
	return all
}

func sampleOf(t testing.TB, file, name string) sample {
	t.Helper()
	for _, s := range samples(t, file) {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("%s: no token %q", file, name)
	return sample{}
}

// sign makes a token of the sample, with the times moved so that it was issued
// now and the key ID changed to that of a key of the world's. A token whose
// algorithm is none, or needs a secret, is signed all the same, so that nothing
// but its header can be its undoing.
func (w *world) sign(t testing.TB, s sample) string {
	t.Helper()
	header := map[string]any{"kid": nil, "typ": nil}
	maps.Copy(header, s.Header)
	alg, _ := header["alg"].(string)
	key := w.keys[alg]
	if key == nil {
		key = w.keys["RS256"]
	}
	if header["kid"] != nil {
		header["kid"] = key.ID()
	}
	return key.Sign(header, inTime(t, s.Payload))
}

// inTime moves the times, but not a "not before" of zero.
func inTime(t testing.TB, payload map[string]any) map[string]any {
	t.Helper()
	moved := maps.Clone(payload)
	if moved["iat"] == nil {
		return moved
	}
	shift := time.Now().Unix() - number(t, moved["iat"])
	for _, name := range []string{"iat", "exp", "nbf", "auth_time"} {
		if old, there := moved[name]; there && number(t, old) != 0 {
			moved[name] = number(t, old) + shift
		}
	}
	return moved
}

func number(t testing.TB, v any) int64 {
	t.Helper()
	n, err := v.(json.Number).Int64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// changed returns the sample after a JSON merge patch (RFC 7396): nil removes.
func (s sample) changed(header, payload map[string]any) sample {
	return sample{s.Name, merge(s.Header, header), merge(s.Payload, payload)}
}

func merge(into, patch map[string]any) map[string]any {
	merged := maps.Clone(into)
	if merged == nil {
		merged = map[string]any{}
	}
	for name, value := range patch {
		inner, isObject := value.(map[string]any)
		old, wasObject := merged[name].(map[string]any)
		switch {
		case value == nil:
			delete(merged, name)
		case isObject && wasObject:
			merged[name] = merge(old, inner)
		default:
			merged[name] = value
		}
	}
	return merged
}
