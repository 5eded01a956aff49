package signin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/examples/internal/signin"
)

// fake is a provider that answers every authorization request with the same
// parameters and has no tokens to give. Sign-ins that succeed are tested
// against the real one, in package provider.
func fake(t *testing.T, parameters url.Values) *httptest.Server {
	t.Helper()
	return fakeThat(t, parameters, func() {})
}

// fakeThat is a fake that does something at each authorization request.
func fakeThat(t *testing.T, parameters url.Values, asked func()) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{
			"issuer": server.URL, "authorization_endpoint": server.URL + "/authorize",
			"token_endpoint": server.URL + "/token", "jwks_uri": server.URL + "/keys",
		})
	})
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		asked()
		if parameters == nil {
			return
		}
		answer := url.Values{"state": {r.FormValue("state")}}
		for name, values := range parameters {
			answer[name] = values
		}
		http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
	})
	return server
}

func TestRun_Refuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name       string
		parameters url.Values
		want       string
	}{
		{"answer to another flow", url.Values{"code": {"code"}, "state": {"another"}}, "its state"},
		{"refusal of the provider", url.Values{"error": {"access_denied"}}, `"access_denied"`},
		{"code without tokens behind it", url.Values{"code": {"code"}}, "exchange of the code"},
	} {
		t.Run(row.name, func(t *testing.T) {
			flow := signin.Flow{Issuer: fake(t, row.parameters).URL, ClientID: "app"}
			_, err := flow.Run(t.Context(), signin.NewBrowser("alice", "password"))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("Run() error = %v, want one about %s", err, row.want)
			}
		})
	}
}

func TestRun_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// Long enough, as a rule, for the browser to have the page: then Run waits for
	// the answer. If not it is the browser that ends, with the same error.
	silent := fakeThat(t, nil, func() { time.AfterFunc(50*time.Millisecond, cancel) })
	flow := signin.Flow{Issuer: silent.URL, ClientID: "app"}
	if _, err := flow.Run(ctx, signin.NewBrowser("alice", "password")); !errors.Is(err, context.Canceled) {
		t.Errorf("Run() error = %v, want %v", err, context.Canceled)
	}
}

// TestBrowser_ErrorsHideTheQuery visits a page that cannot be had: what is in
// its address, an ID token when somebody signs out, stays out of the error.
func TestBrowser_ErrorsHideTheQuery(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.URL + "/end_session?id_token_hint=a-token"
	browser := signin.NewBrowser("alice", "password")
	for _, state := range []string{"404", "server down"} {
		err := browser.Open(t.Context(), address)
		if err == nil || !strings.Contains(err.Error(), "/end_session: ") || strings.Contains(err.Error(), "a-token") {
			t.Errorf("%s: Open() error = %v, want one with the path alone", state, err)
		}
		server.Close()
	}
}
