package oidcauth_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

// FuzzAuthenticate changes the header, the payload and the signature of a good
// token. Whatever is accepted is the good token itself, or has been signed
// anew: nothing unsigned passes, nothing panics, and every refusal is one of
// this package's.
func FuzzAuthenticate(f *testing.F) {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{}) // nil: a fuzz target must not use f
	f.Cleanup(issuer.Close)
	a := newAuthenticator(f, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{testAudience}}}, Client: issuer.Client(),
	})
	good := issuer.Token(map[string]any{"aud": testAudience, "exp": int64(4102444800)})
	parts := strings.Split(good, ".")
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		f.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(header), string(payload), parts[2])
	f.Add(strings.Replace(string(header), "ES256", "none", 1), string(payload), "")
	f.Add(string(header), strings.Replace(string(payload), "alice", "admin", 1), parts[2])
	f.Add(string(header), string(payload)+" ", parts[2])
	f.Add(string(header), string(payload), parts[2]+".")
	f.Add(`{"alg":"ES256"}`, `{"iss":"https://issuer.test","sub":"alice","exp":1e400}`, "AAAA")

	f.Fuzz(func(t *testing.T, header, payload, signature string) {
		token := hostile.Encode(header) + "." + hostile.Encode(payload) + "." + signature
		if c, err := a.Authenticate(t.Context(), token); err == nil && token != good {
			t.Errorf("accepted a changed token: %s %s: %s", header, payload, c.Payload())
		} else if err != nil {
			checkRefusal(t, err)
		}
		signed := issuer.Sign(map[string]any{}, payload)
		if c, err := a.Authenticate(t.Context(), signed); err != nil {
			checkRefusal(t, err)
		} else if c.Issuer() != issuer.URL() || c.Subject() == "" || !c.HasAudience(testAudience) || string(c.Payload()) != payload {
			t.Errorf("accepted %s as %s of %s", payload, c.Subject(), c.Issuer())
		}
	})
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*oidcauth.Refusal](err); !ok {
		t.Errorf("error = %v, not a *Refusal", err)
	}
	if status, _, _ := oidcauth.Answer(err); status == 500 {
		t.Errorf("error = %v, none of the package's", err)
	}
}
