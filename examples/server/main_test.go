package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewIssuer(t, oidctest.Config{})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
		Client:  issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	handler := routes(auth)
	for _, tt := range []struct {
		name   string
		claims map[string]any
		want   int
	}{
		{"a writer", map[string]any{"aud": "my-db", "roles": []string{"writer"}}, http.StatusOK},
		{"a reader", map[string]any{"aud": "my-db", "roles": []string{"reader"}}, http.StatusForbidden},
		{"somebody else's token", map[string]any{"aud": "other", "roles": []string{"writer"}}, http.StatusUnauthorized},
		{"nobody", nil, http.StatusUnauthorized},
	} {
		r := httptest.NewRequest("POST", "/v1/call/send", nil)
		if tt.claims != nil {
			r.Header.Set("Authorization", "Bearer "+issuer.Token(tt.claims))
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, w.Code, tt.want)
		}
	}
}
