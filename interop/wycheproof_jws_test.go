package interop_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// jwsGroup is a group of tests with tokens. Public is absent where the key is a
// secret one; it is a JWK or a JWK set.
type jwsGroup struct {
	Comment string          `json:"comment"`
	Public  json.RawMessage `json:"public"`
	Tests   []struct {
		ID      int     `json:"tcId"`
		Comment string  `json:"comment"`
		JWS     anyText `json:"jws"`
		JWE     anyText `json:"jwe"`
		Result  string  `json:"result"`
	} `json:"tests"`
}

// anyText is a token: a string, or a JSON object in the JSON serialization.
type anyText string

// UnmarshalJSON keeps an object as its text.
func (a *anyText) UnmarshalJSON(data []byte) error {
	var text string
	if data[0] != '"' {
		*a = anyText(data)
		return nil
	}
	err := json.Unmarshal(data, &text)
	*a = anyText(text)
	return err
}

// departures are the vectors whose verdict is not ours, by file and number, with
// the reason.
var departures = map[string]map[int]string{
	"json_web_signature_test.json": {
		346: "the key says PS256, the token PS384: a key verifies only its own algorithm",
		347: "the key says ES521, which is no algorithm",
		350: "the key says PS256, the token PS384: a key verifies only its own algorithm",
		351: "the key says ES521, which is no algorithm",
	},
}

// rocaFlaw is the one weakness of keys that goes unnoticed: RSA keys made by a
// flawed chip (CVE-2017-15361) are of good form, and it is for their issuer to
// replace them.
const rocaFlaw = "rejectsKeyWithRocaVulnerability"

func TestWycheproofJWS(t *testing.T) {
	for name, want := range map[string]count{
		"json_web_signature_test.json": {tried: 361, skipped: 40},
		"json_web_crypto_test.json":    {tried: 28, skipped: 55},
		"json_web_key_test.json":       {tried: 10, skipped: 16},
	} {
		t.Run(name, func(t *testing.T) {
			var got count
			for _, group := range readFile[jwsGroup](t, name) {
				if group.Public == nil {
					// Secret keys: HMAC and encryption, which are never accepted.
					got.skipped += len(group.Tests)
					checkSecretGroup(t, group)
					continue
				}
				for _, test := range group.Tests {
					if test.Comment == rocaFlaw {
						got.skipped++
						continue
					}
					got.tried++
					result := test.Result
					if departures[name][test.ID] != "" {
						result = "invalid"
					}
					err := verifyJWS(group.Public, string(test.JWS))
					if (err == nil) != (result == "valid") {
						t.Errorf("%d (%s, %s): error = %v, want %s", test.ID, group.Comment, test.Comment, err, result)
					}
				}
			}
			got.check(t, want)
		})
	}
}

// checkSecretGroup requires tokens made with secret keys to be refused, whatever
// their verdict there: no key of ours permits their algorithms.
func checkSecretGroup(t *testing.T, group jwsGroup) {
	t.Helper()
	for _, test := range group.Tests {
		var token jws.Token
		text := string(test.JWS + test.JWE)
		if _, err := token.Parse(nil, text, 16<<10); err == nil && jws.Known(token.Algorithm) {
			t.Errorf("%d (%s, %s): well formed and signed by %s", test.ID, group.Comment, test.Comment, token.Algorithm)
		}
	}
}

// verifyJWS verifies a token with any of the keys. The vectors sign texts that
// are no JSON objects, so the form is checked with an empty object in the
// payload's place, and the signature over what was signed.
func verifyJWS(public json.RawMessage, text string) error {
	keys, err := readKeys(public)
	if err != nil {
		return err
	}
	header, rest, _ := strings.Cut(text, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	var token jws.Token
	if _, err := token.Parse(nil, header+".e30."+signature, 16<<10); err != nil {
		return err
	}
	encoding := base64.RawURLEncoding.Strict()
	if _, err := encoding.DecodeString(payload); err != nil {
		return err
	}
	raw, err := encoding.DecodeString(signature)
	if err != nil {
		return err
	}
	err = errors.New("no key")
	for _, key := range keys {
		if err = key.VerifyBytes(token.Algorithm, []byte(header+"."+payload), raw); err == nil {
			return nil
		}
	}
	return err
}

// readKeys returns the usable keys of a JWK or a JWK set, and why the last of
// the others is not.
func readKeys(public json.RawMessage) ([]*jws.Key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(public, &set); err != nil {
		return nil, err
	}
	if set.Keys == nil {
		set.Keys = []json.RawMessage{public}
	}
	var keys []*jws.Key
	var unusable error
	for _, text := range set.Keys {
		key, err := readKey(text)
		if err != nil {
			unusable = err
			continue
		}
		keys = append(keys, key)
	}
	if keys == nil {
		return nil, fmt.Errorf("no usable key: %w", unusable)
	}
	return keys, nil
}

func readKey(text json.RawMessage) (*jws.Key, error) {
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(text, &jwk); err != nil {
		return nil, err
	}
	var more struct {
		KeyOps []string `json:"key_ops"`
	}
	if err := json.Unmarshal(text, &more); err != nil {
		return nil, err
	}
	return jws.NewKey(jwk.KeyID, jwk.Algorithm, jwk.Use, more.KeyOps, jwk.Key)
}
