package envoyauth_test

import (
	"maps"
	"net/http"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/envoyauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// What the route is, Envoy's configuration says, and nothing that the client sends.
func TestExtensions(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}}, Client: iss.Client()})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	var got map[string]string
	answers, err := envoyauth.New(envoyauth.Config{Authenticator: auth, Authorize: func(r *http.Request) error {
		got = envoyauth.Extensions(r.Context())
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []map[string]string{{"route": "admin"}, nil} {
		question := askedBy("203.0.113.9", iss.Token(map[string]any{"aud": "my-db"}))
		question.Attributes.ContextExtensions = want
		question.Attributes.Request.Http.Headers["route"] = "items"
		if _, err := answers.Check(t.Context(), question); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(got, want) {
			t.Errorf("Extensions() = %v, want %v", got, want)
		}
	}
	if said := envoyauth.Extensions(t.Context()); said != nil {
		t.Errorf("Extensions() = %v of a request that Envoy has not asked about", said)
	}
}
