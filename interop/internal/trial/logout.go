package trial

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
)

// logoutLimit is how long a provider may take to tell of a logout.
const logoutLimit = 30 * time.Second

// EndsByLogout waits for the logout token that a provider sends for somebody who has just
// signed out, hands it to auth, and waits until the live session of theirs has ended.
func EndsByLogout(t *testing.T, auth *oidcauth.Authenticator, live *oidcauth.Session, told <-chan string) {
	t.Helper()
	var token string
	select {
	case token = <-told:
	case <-time.After(logoutLimit):
		t.Fatal("the provider did not tell of the logout")
	}
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/logout", nil)
	request.PostForm = url.Values{"logout_token": {token}}
	auth.LogoutHandler().ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		t.Fatalf("logout token: status = %d, want 200: %s", answer.Code, answer.Body)
	}
	select {
	case <-live.Context().Done():
	case <-time.After(logoutLimit):
		t.Error("the live session goes on")
	}
}
