package oidcauth_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A latticeIssuer is one whose tokens another implementation has signed with ML-DSA.
type latticeIssuer struct {
	keys   []byte
	tokens map[string]string // by algorithm
}

func newLatticeIssuer(t *testing.T) latticeIssuer {
	t.Helper()
	text, err := os.ReadFile("internal/jws/testdata/mldsa/tokens.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tokens []struct {
			Key   json.RawMessage `json:"key"`
			Token string          `json:"token"`
		} `json:"tokens"`
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Tokens) != 3 {
		t.Fatalf("%d tokens, error %v", len(file.Tokens), err)
	}
	l := latticeIssuer{tokens: map[string]string{}}
	var keys [][]byte
	for _, given := range file.Tokens {
		var key struct{ Alg string }
		if err := json.Unmarshal(given.Key, &key); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, given.Key)
		l.tokens[key.Alg] = given.Token
	}
	l.keys = []byte(`{"keys":[` + string(bytes.Join(keys, []byte(","))) + `]}`)
	return l
}

func (l latticeIssuer) describe(algorithms ...string) oidcauth.Issuer {
	i := oidcauth.Issuer{URL: "https://issuer.test", Audiences: []string{"my-db"}, Algorithms: algorithms}
	i.Keys.JWKS = l.keys
	return i
}

// A server without ML-DSA says what to build with, and one with it accepts what its
// description names and nothing else.
func TestMLDSA(t *testing.T) {
	l := newLatticeIssuer(t)
	all := []string{"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"}
	if err := jws.CheckMLDSA(); err != nil {
		for _, alg := range all {
			_, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{l.describe("ES256", alg)}})
			if err == nil || !strings.Contains(err.Error(), "Go 1.27") || !strings.Contains(err.Error(), alg) {
				t.Errorf("New() error = %v, want what to build with for %s", err, alg)
			}
		}
		_, err = oidcauth.New(oidcauth.Config{AnyIssuer: &oidcauth.AnyIssuer{Audiences: []string{"x"}, Algorithms: all}})
		if err == nil || !strings.Contains(err.Error(), "Go 1.27") {
			t.Errorf("New() error = %v, want what to build with", err)
		}
		return
	}
	for _, alg := range all {
		named := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{l.describe(alg, "ES256")}})
		unnamed := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{l.describe()}})
		for other, token := range l.tokens {
			want := oidcauth.ErrAlgorithm
			if other == alg {
				want = nil
			}
			wants(t, named, token, want)
			wants(t, named, token, want)
			wants(t, unnamed, token, oidcauth.ErrAlgorithm)
		}
		wants(t, named, hostile.SpoilSignature(l.tokens[alg]), oidcauth.ErrSignature)
		if r := named.Explain(t.Context(), l.tokens[alg]); !r.Accepted || r.Steps[2].Got != alg {
			t.Errorf("Explain() = %v", r)
		}
		keys, err := named.Keys(t.Context(), "https://issuer.test")
		if err != nil || len(keys.Keys) != 3 || !strings.HasPrefix(keys.Keys[0].Type, "AKP ML-DSA") {
			t.Errorf("Keys() = %+v, error %v", keys.Keys, err)
		}
	}
}

// Strangers sign with ML-DSA only where AnyIssuer names it.
func TestMLDSA_Strangers(t *testing.T) {
	for _, alg := range oidcauth.StrangersAlgorithms() {
		if jws.IsMLDSA(alg) {
			t.Errorf("strangers may sign with %s by default", alg)
		}
	}
}

// A token of ML-DSA buys a ticket like any other.
func TestMLDSA_Ticket(t *testing.T) {
	if jws.CheckMLDSA() != nil {
		t.Log("without ML-DSA: TestMLDSA has what is told")
		return
	}
	l, local := newLatticeIssuer(t), newLocal(t, localissuer.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{l.describe("ML-DSA-87"), local.Issuer()}})
	ticket, err := local.Ticket(from(), authenticate(t, a, l.tokens["ML-DSA-87"]), "db")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := a.AuthenticateTicket(from(), ticket, "db"); err != nil || c.Subject() != "alice" {
		t.Errorf("AuthenticateTicket() error = %v", err)
	}
}
