package keyring_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/keyring"
)

// checkError has an error be [keyring.ErrRing] and say so much.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if !errors.Is(err, keyring.ErrRing) || !strings.Contains(err.Error(), keyring.ErrRing.Error()+": ") || !strings.Contains(err.Error(), want) {
		t.Errorf("error = %v, want %v and %q", err, keyring.ErrRing, want)
	}
}

// A ring that its changes cannot have made is not written, and says why.
func TestEncode_Refused(t *testing.T) {
	t.Parallel()
	good := newHistory(t).rotate(1).Ring // retired, active, next
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	id384, err := keyring.Thumbprint(&p384.PublicKey)
	must(t, err)
	fresh := newHistory(t).Ring
	_, err = keyring.Encode(good)
	must(t, err)
	for _, tt := range []struct {
		name   string
		change func(r *keyring.Ring)
		want   string
	}{
		{"two sign", func(r *keyring.Ring) { r.Keys = append(r.Keys, fresh.Keys[0]) }, "got 2 active and 1 next keys, want one of each"},
		{"two are next", func(r *keyring.Ring) { r.Keys = append(r.Keys, fresh.Keys[1]) }, "got 1 active and 2 next keys, want one of each"},
		{"none is next", func(r *keyring.Ring) { r.Keys = r.Keys[:2] }, "got 1 active and 0 next keys, want one of each"},
		{"none signs", func(r *keyring.Ring) { r.Keys = slices.Delete(r.Keys, 1, 2) }, "got 0 active and 1 next keys, want one of each"},
		{"a key that signs without its private half", func(r *keyring.Ring) { r.Keys[1].Private = nil },
			fmt.Sprintf("active key %q: private half: got false", good.Keys[1].ID)},
		{"a retired key with its private half", func(r *keyring.Ring) { r.Keys[1].State = keyring.Retired },
			fmt.Sprintf("retired key %q: private half: got true", good.Keys[1].ID)},
		{"a key of another curve", func(r *keyring.Ring) {
			r.Keys[0].Public, r.Keys[0].ID = &p384.PublicKey, id384
		}, "not on the curve P-256"},
		{"no public key", func(r *keyring.Ring) { r.Keys[0].Public = nil }, "not on the curve P-256"},
		{"another's private half", func(r *keyring.Ring) { r.Keys[1].Private = fresh.Keys[0].Private }, "its private half is another key's"},
		{"a private half that is none", func(r *keyring.Ring) {
			r.Keys[1].Private = &ecdsa.PrivateKey{PublicKey: *r.Keys[1].Public, D: new(big.Int)} //lint:ignore SA1019 only so can it be made
		}, "its private half is another key's"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := good
			r.Keys = slices.Clone(good.Keys)
			tt.change(&r)
			body, err := keyring.Encode(r)
			if checkError(t, err, tt.want); body != nil {
				t.Errorf("Encode() = %d bytes, want none", len(body))
			}
		})
	}
}

// A file that says what no ring does is refused, and says why, without any key of it.
func TestDecode_Refused(t *testing.T) {
	t.Parallel()
	r := newHistory(t).rotate(1).Ring
	body, err := keyring.Encode(r)
	must(t, err)
	former, err := os.ReadFile("testdata/version1.json")
	must(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	rsaJWK, err := jose.JSONWebKey{Key: rsaKey.Public()}.MarshalJSON()
	must(t, err)
	if _, err := keyring.Decode(former); err != nil {
		t.Fatalf("Decode() of version 1: error = %v", err)
	}
	jwk := regexp.MustCompile(`"jwk": \{[^}]*\}`).FindString(string(body))
	secret := regexp.MustCompile(`"ticket_secret": "[^"]*"`).FindString(string(body))
	for _, tt := range []struct {
		name, body, old, new, want string
	}{
		{"a longest life below zero", string(body), `"1h0m0s"`, `"-1s"`, `damaged: longest lifetime "-1s"`},
		{"a longest life that is none", string(body), `"1h0m0s"`, `"x"`, `damaged: longest lifetime "x"`},
		{"a key that is gone in version 1", string(former), `"version": 1,`, `"version": 1, "gone": ["x"],`, "damaged: version 1 with members of version 2"},
		{"a damaged key", string(body), `"kty": "EC"`, `"kty": ""`, fmt.Sprintf("key %q is damaged", r.Keys[0].ID)},
		{"a key of another type", string(body), jwk, `"jwk": ` + string(rsaJWK), fmt.Sprintf("key %q: got *rsa.PublicKey, want an ECDSA key", r.Keys[0].ID)},
		{"a ticket secret of one byte", string(body), secret, `"ticket_secret": "AA=="`, fmt.Sprintf("retired key %q: ticket secret of 1 bytes", r.Keys[0].ID)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(tt.body, tt.old) {
				t.Fatalf("the file has no %q:\n%s", tt.old, tt.body)
			}
			_, err := keyring.Decode([]byte(strings.Replace(tt.body, tt.old, tt.new, 1)))
			checkError(t, err, tt.want)
		})
	}
}
