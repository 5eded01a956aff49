package keycloak_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
)

// TestLogoutHandler ends one of two sign-ins of a person at Keycloak, which
// tells the server by back-channel logout.
func TestLogoutHandler(t *testing.T) {
	s := running(t)
	tried.Saw(t, trial.Logout, "ends the sign-in by sid")
	issuer := keycloakIssuer(s.issuer())
	// A logout token is for the client that the person signed in with.
	issuer.LogoutAudiences = []string{"app"}
	// Keycloak names the person, too, whose other sign-in is to go on here.
	issuer.LogoutBy = "sid"
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{issuer}})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	told := make(chan int, 10)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		auth.LogoutHandler().ServeHTTP(answer, r)
		w.WriteHeader(answer.Code)
		told <- answer.Code
	}))
	defer endpoint.Close()
	s.registerLogout(t, "app", endpoint.URL)
	defer s.registerLogout(t, "app", "")

	ended, other := s.alice(t).AccessToken, s.alice(t).AccessToken
	claims, otherClaims := accepts(t, auth, ended), accepts(t, auth, other)
	if claims.SessionID() == otherClaims.SessionID() {
		t.Fatal("two sign-ins share a session ID")
	}
	live, otherLive := auth.NewSession(t.Context(), claims), auth.NewSession(t.Context(), otherClaims)

	path := "/" + realm + "/sessions/" + url.PathEscape(claims.SessionID())
	if err := s.admin(t.Context(), http.MethodDelete, path, nil, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case status := <-told:
		if status != http.StatusOK {
			t.Fatalf("Keycloak's logout token: status = %d, want 200", status)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Keycloak did not tell of the logout")
	}
	if _, err := auth.Authenticate(t.Context(), ended); !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("token of the session that ended: Authenticate() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
	select {
	case <-live.Context().Done():
	case <-time.After(30 * time.Second):
		t.Error("the live session goes on")
	}
	accepts(t, auth, other)
	if err := otherLive.Context().Err(); err != nil {
		t.Errorf("the other live session has ended: %v", err)
	}
	accepts(t, auth, s.alice(t).AccessToken)
}

// registerLogout sets where Keycloak tells of logouts of a client's users.
func (s *keycloak) registerLogout(t *testing.T, clientID, address string) {
	t.Helper()
	var clients []map[string]any
	if err := s.admin(t.Context(), http.MethodGet, "/"+realm+"/clients?clientId="+clientID, nil, &clients); err != nil {
		t.Fatal(err)
	}
	if len(clients) != 1 {
		t.Fatalf("%d clients %q, want 1", len(clients), clientID)
	}
	attributes := clients[0]["attributes"].(map[string]any)
	attributes["backchannel.logout.url"] = address
	attributes["backchannel.logout.session.required"] = "true"
	path := "/" + realm + "/clients/" + clients[0]["id"].(string)
	if err := s.admin(t.Context(), http.MethodPut, path, clients[0], nil); err != nil {
		t.Fatal(err)
	}
}
