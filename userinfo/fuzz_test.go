package userinfo_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/userinfo"
)

// An answering endpoint gives one answer to every request.
type answering struct{ contentType, body string }

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {a.contentType}},
		Body: io.NopCloser(strings.NewReader(a.body)), Request: r,
	}, nil
}

// FuzzSupplement: of an answer the claims named are taken over and no others, each as
// another reader of JSON finds it, and only from one about the token's subject.
func FuzzSupplement(f *testing.F) {
	for _, seed := range []string{
		`{"sub":"alice","groups":["staff"],"email":"a@b.test","exp":1}`, `{"sub":"\u0061lice","groups": [ "a" , {"b":null} ]}`, `{"sub":"Alice","groups":["staff"]}`, `{"groups":["staff"]}`,
		`{"sub":"alice","sub":"bob"}`, `{"sub":"alice","gr\u006fups":1e9}`, `{"Sub":"alice"}`, `{"sub":"alice","q\"":"\u2028"}`, `[]`, ` {"sub":"alice"} x`, "\ufeff{}",
	} {
		f.Add("application/json", seed)
	}
	f.Add("application/json; charset=utf-8", `{"sub":"alice"}`)
	f.Add("application/jwt", `{"sub":"alice"}`)
	issuer := oidctest.NewIssuer(nil, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": "my-db"}})
	f.Cleanup(issuer.Close)
	a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { a.Close() })
	token := issuer.Token(map[string]any{"exp": int64(4102444800)}) // good for as long as inputs are tried
	claims, err := a.Authenticate(f.Context(), token)
	if err != nil {
		f.Fatal(err)
	}
	endpoint := new(answering)
	named := []string{"groups", "email", `q"`, "é"}
	ask, err := userinfo.Supplement(&http.Client{Transport: endpoint}, "https://issuer.test/userinfo", named...)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		endpoint.contentType, endpoint.body = contentType, body
		got, err := ask(t.Context(), claims, token)
		if err != nil {
			if strings.Contains(err.Error(), token) || len(err.Error()) > 300+4*len(contentType) {
				t.Errorf("error = %v", err)
			}
			return
		}
		var said, taken map[string]json.RawMessage
		var subject string
		if json.Unmarshal([]byte(body), &said) != nil || json.Unmarshal(said["sub"], &subject) != nil || subject != "alice" {
			t.Fatalf("took over %s of %s", got, body)
		}
		if err := json.Unmarshal(got, &taken); err != nil {
			t.Fatalf("took over %s: %v", got, err)
		}
		for _, name := range named {
			value, found := said[name]
			if has, ok := taken[name]; ok != found || string(has) != string(value) {
				t.Errorf("took over %s of %s", got, body)
			}
			delete(taken, name)
		}
		if len(taken) > 0 {
			t.Errorf("took over %s of %s", got, body)
		}
	})
}
