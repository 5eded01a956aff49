package oidcauth_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Keys of one's own stand in for an audience that is not there. One that is
// there, and be it empty, counts.
func TestIssuer_DedicatedKeysAudience(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.Audiences, trusted.DedicatedKeys = nil, true
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for _, tt := range []struct {
		name string
		aud  any
		want error
	}{
		{"none", nil, nil},
		{"another", "another-db", oidcauth.ErrAudience},
		{"an empty list", []string{}, oidcauth.ErrAudience},
		{"an empty name", "", oidcauth.ErrAudience},
		{"null", json.RawMessage("null"), oidcauth.ErrClaim},
	} {
		if _, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"aud": tt.aud})); !errors.Is(err, tt.want) {
			t.Errorf("%s: error = %v, want %v", tt.name, err, tt.want)
		}
	}
}

// Where any audience will do, a logout token needs one all the same.
func TestLogoutHandler_AnyAudience(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.Audiences, trusted.InsecureAnyAudience = nil, true
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for _, tt := range []struct {
		name   string
		aud    any
		status int
	}{
		{"one", "anything", http.StatusOK},
		{"none", nil, http.StatusBadRequest},
		{"an empty list", []string{}, http.StatusBadRequest},
	} {
		token := logoutToken(issuer, map[string]any{"aud": tt.aud, "jti": tt.name})
		if resp := postLogout(a, token); resp.StatusCode != tt.status {
			t.Errorf("%s: status = %d, want %d", tt.name, resp.StatusCode, tt.status)
		}
	}
}
