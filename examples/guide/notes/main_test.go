package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestRoutes makes the calls that the guide makes with curl.
func TestRoutes(t *testing.T) {
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "notes"}})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"notes"}}},
		Client:  issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	handler := routes(auth, newDatabase())
	alice := issuer.Token(map[string]any{"sub": "alice", "roles": []string{"writer"}})
	bob := issuer.Token(map[string]any{"sub": "bob"})
	for _, row := range []struct {
		name, reducer, token string
		status               int
		body                 string
	}{
		{"a writer adds", "add", alice, 200, `"text":"hello"`},
		{"a reader may not", "add", bob, 403, "may not do this"},
		{"a writer is no admin", "clear", alice, 403, "may not do this"},
		{"nobody", "add", "", 401, "a bearer token is required"},
		{"a token that is none", "add", "x.y.z", 401, "malformed"},
		{"a reducer that is not there", "drop", alice, 404, "not found"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/call/"+row.reducer, strings.NewReader("hello"))
			if row.token != "" {
				r.Header.Set("Authorization", "Bearer "+row.token)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != row.status || !strings.Contains(w.Body.String(), row.body) {
				t.Errorf("got %d %s, want %d and %q", w.Code, w.Body, row.status, row.body)
			}
		})
	}
}

// TestTestIssuer: the tokens of the issuer for tests are accepted over its socket.
func TestTestIssuer(t *testing.T) {
	description := testIssuer("notes")
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{description}})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	for _, name := range []string{"alice", "bob"} {
		response, err := http.Get(description.URL + "/token/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var token strings.Builder
		if err := response.Write(&token); err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(token.String(), "\r\n\r\n")
		claims, err := auth.Authenticate(t.Context(), text)
		if err != nil || claims.Subject() != name {
			t.Errorf("%s: got %v, %v", name, claims, err)
		}
	}
}
