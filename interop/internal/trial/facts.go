package trial

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// Published reads the discovery document at an address, and the key set that it
// names, and records both. It returns the document.
func (tr *Trial) Published(t *testing.T, issuer, document string) map[string]any {
	t.Helper()
	var doc map[string]any
	fetch(t, document, &doc)
	if doc["issuer"] != issuer {
		t.Errorf("%s: issuer = %v, want %q", document, doc["issuer"], issuer)
	}
	algorithms := words(doc["id_token_signing_alg_values_supported"])
	fact := "states no algorithm"
	if len(algorithms) > 0 {
		fact = "states " + strings.Join(algorithms, " ")
	}
	address, _ := doc["jwks_uri"].(string)
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	fetch(t, address, &set)
	if len(set.Keys) == 0 {
		t.Errorf("%s: no keys", address)
	}
	tr.Saw(t, Discovery, fact)
	tr.Saw(t, JWKS, keySet(set.Keys))
	return doc
}

// KeyIDs returns the IDs of the keys that are published at an address.
func KeyIDs(t *testing.T, address string) []string {
	t.Helper()
	var set struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}
	fetch(t, address, &set)
	var ids []string
	for _, k := range set.Keys {
		ids = append(ids, k.ID)
	}
	return ids
}

// keySet says which kinds of keys there are, and what all of them state.
func keySet(keys []map[string]any) string {
	kinds := map[string]bool{}
	var stated []string
	for _, member := range []string{"kid", "alg", "use"} {
		if !slices.ContainsFunc(keys, func(k map[string]any) bool { return k[member] == nil }) {
			stated = append(stated, member)
		}
	}
	for _, k := range keys {
		kind := fmt.Sprint(k["kty"])
		if k["use"] == "enc" {
			kind += " (enc)"
		}
		kinds[kind] = true
	}
	var names []string
	for kind := range kinds {
		names = append(names, kind)
	}
	slices.Sort(names)
	if len(stated) == 0 {
		return strings.Join(names, ", ") + "; no kid, alg, use"
	}
	return strings.Join(names, ", ") + "; " + strings.Join(stated, ", ")
}

// Accepts authenticates a token, records what it is like in a column, and returns
// its claims.
func (tr *Trial) Accepts(t *testing.T, column string, auth *oidcauth.Authenticator, token string) *oidcauth.Claims {
	t.Helper()
	claims, err := auth.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatalf("%s: Authenticate() error = %v", column, err)
	}
	tr.Saw(t, column, "accepted: "+Header(t, token))
	return claims
}

// Header says what matters of a token's header and audience.
func Header(t *testing.T, token string) string {
	t.Helper()
	var header, payload map[string]any
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts, want 3", len(parts))
	}
	for n, into := range []*map[string]any{&header, &payload} {
		text, err := base64.RawURLEncoding.DecodeString(parts[n])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatalf("part %d of a token: %v", n+1, err)
		}
	}
	said := []string{fmt.Sprint(header["alg"]), "no typ", "no kid"}
	if typ, there := header["typ"]; there {
		said[1] = fmt.Sprint(typ)
	}
	if header["kid"] != nil {
		said[2] = "kid"
	}
	if payload["sid"] != nil {
		said = append(said, "sid")
	}
	return strings.Join(said, ", ")
}

// A Refusal is a token that must be refused, and for what. Without a Want it is the
// good twin, which must be accepted.
type Refusal struct {
	Name, Token string
	Want        error
}

// Refuses authenticates tokens that must be refused, each in a test of its own, and
// records how many they are. One of them at least must be a good twin.
func (tr *Trial) Refuses(t *testing.T, auth *oidcauth.Authenticator, tokens []Refusal) {
	t.Helper()
	refused := 0
	for _, r := range tokens {
		if r.Want != nil {
			refused++
		}
		t.Run(r.Name, func(t *testing.T) {
			if r.Token == "" {
				t.Fatal("the server gave none")
			}
			if _, err := auth.Authenticate(t.Context(), r.Token); !errors.Is(err, r.Want) {
				t.Errorf("Authenticate() error = %v, want %v", err, r.Want)
			}
		})
	}
	if refused == 0 || refused == len(tokens) {
		t.Errorf("%d of %d tokens to be refused, want some and some good ones", refused, len(tokens))
	}
	tr.Saw(t, Refusals, fmt.Sprint(refused))
}

// Tampered returns the token with another character in its signature.
func Tampered(token string) string {
	changed := []byte(token)
	c := &changed[strings.LastIndexByte(token, '.')+20]
	if *c == 'A' {
		*c = 'B'
	} else {
		*c = 'A' // of base64url, whatever stood there
	}
	return string(changed)
}

func fetch(t *testing.T, address string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
}

func words(list any) []string {
	var all []string
	values, _ := list.([]any)
	for _, v := range values {
		all = append(all, fmt.Sprint(v))
	}
	slices.Sort(all)
	return all
}
