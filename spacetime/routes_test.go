package spacetime_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/spacetime"
)

// A path in another spelling is none of the server's, and leads nowhere: an answer that sent
// on to the clean one would repeat a ticket in a header and in a page.
func TestServer_UncleanPaths(t *testing.T) {
	w := newWorld(t, spacetime.Config{Anonymous: true})
	for _, tt := range []struct {
		request string
		want    int
	}{
		{"POST /v1/identity", 200},
		{"POST //v1/identity", 404},
		{"POST /v1/./identity", 404},
		{"GET /v1/identity/public-key", 200},
		{"GET /v1/identity//public-key", 404},
		{"GET /v1/identity/public-key/", 404},
		{"GET /", 404},
		{"GET //", 404},
		{"GET //evil.example/../v1/identity/public-key", 404},
		{"GET /v1/database/db/subscribe?token=secret", 426}, // it is no WebSocket
		{"GET /v1/database/./db/subscribe?token=secret", 404},
		{"GET /v1/x/../database/db/subscribe?token=secret", 404},
	} {
		method, target, _ := strings.Cut(tt.request, " ")
		answer := httptest.NewRecorder()
		w.server.ServeHTTP(answer, httptest.NewRequest(method, target, nil))
		if to := answer.Header().Get("Location"); answer.Code != tt.want || to != "" || strings.Contains(answer.Body.String(), "secret") {
			t.Errorf("%s: status %d, leads to %q, want %d and nowhere", tt.request, answer.Code, to, tt.want)
		}
	}
}

// No answer below /v1/identity has a token in a header, where proxies log it, nor
// says there who the caller is; and none of a token's may be stored.
func TestIdentityRoutes_Headers(t *testing.T) {
	w := newWorld(t, spacetime.Config{Anonymous: true, Origins: []string{"*"}})
	token := w.issuer.Token(nil)
	alice, bob := identity.New(w.issuer.URL(), "alice").String(), identity.New(w.issuer.URL(), "bob").String()
	for _, tt := range []struct {
		request, token string
		want           int
	}{
		{"POST /v1/identity", "", 200},
		{"POST /v1/identity/websocket-token", token, 200},
		{"POST /v1/identity/websocket-token", token + "x", 401},
		{"POST /v1/identity/websocket-token", "", 401},
		{"GET /v1/identity/" + alice + "/verify", token, 204},
		{"GET /v1/identity/" + bob + "/verify", token, 400},
		{"GET /v1/identity/" + bob + "/verify", token + "x", 401},
		{"HEAD /v1/identity/" + alice + "/verify", token, 204},
		{"GET /v1/identity/x/verify", token, 400},
		{"GET /v1/identity/public-key", token, 200},
		{"OPTIONS /v1/identity/websocket-token", token, 204},
		{"GET /v1/identity/websocket-token", token, 405},
		{"GET /v1/identity/other", token, 404},
	} {
		method, path, _ := strings.Cut(tt.request, " ")
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Origin", "https://app.example")
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, r)
		if rec.Code != tt.want {
			t.Errorf("%s: status %d, want %d", tt.request, rec.Code, tt.want)
		}
		for name, values := range rec.Header() {
			text := strings.Join(values, " ")
			if strings.HasPrefix(name, "Spacetime-") || strings.Contains(text, "eyJ") || strings.Contains(text, "Spacetime-") {
				t.Errorf("%s: header %s: %s", tt.request, name, text)
			}
		}
		if rec.Body.Len() > 0 && rec.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: a browser may take the body for something else", tt.request)
		}
		written := tt.want != 404 && tt.want != 405 && rec.Body.Len() > 0 && !strings.HasSuffix(path, "public-key") && rec.Body.String()[0] == '{'
		if got := rec.Header().Get("Content-Type") == "application/json"; got != written {
			t.Errorf("%s: Content-Type is %q", tt.request, rec.Header().Get("Content-Type"))
		}
		public := strings.HasSuffix(path, "public-key") || method == "OPTIONS" || tt.want == 404 || tt.want == 405
		if stored := rec.Header().Get("Cache-Control") != "no-store"; stored && !public {
			t.Errorf("%s: status %d may be stored", tt.request, rec.Code)
		}
	}
}

// A server that cannot sign says so, and lets nobody in for it.
func TestRoutes_CannotSign(t *testing.T) {
	w, signer := newCountingWorld(t, spacetime.Config{Anonymous: true, NoExpiry: true})
	bearer := authorization("Bearer " + w.issuer.Token(nil))
	for n, broken := range []bool{false, true} {
		signer.broken.Store(broken)
		identity, new := w.do(t, "POST", "/v1/identity")
		exchange, bought := w.do(t, "POST", "/v1/identity/websocket-token", bearer...)
		_, nobody, _ := w.dial(t, "", v3)
		got := [3]int{identity.StatusCode, exchange.StatusCode, nobody.StatusCode}
		if want := [2][3]int{{200, 200, 101}, {503, 503, 503}}[n]; got != want {
			t.Errorf("broken: %t: identity, exchange and nobody: got %v, want %v", broken, got, want)
		}
		if (new["token"] == "") != broken || (bought["token"] == "") != broken || (nobody.Header.Get("Spacetime-Identity-Token") == "") != broken {
			t.Errorf("broken: %t: got %d bytes of a token, %d of a ticket", broken, len(new["token"]), len(bought["token"]))
		}
	}
}

// A token within the leeway is good for all routes, and beyond it for none.
func TestRoutes_Leeway(t *testing.T) {
	// A far leeway, so that a busy machine does not get to its end.
	w := newWorldOf(t, spacetime.Config{}, localissuer.Config{Dir: t.TempDir() + "/keys"}, 5*time.Minute)
	alice := identity.New(w.issuer.URL(), "alice").String()
	for _, tt := range []struct {
		name                      string
		ago                       time.Duration
		verify, exchange, connect int
	}{
		{"not expired", -time.Hour, 204, 200, 101},
		{"within the leeway", time.Minute, 204, 200, 101},
		{"beyond it", 301 * time.Second, 401, 401, 401},
	} {
		token := w.issuer.Token(map[string]any{"exp": time.Now().Add(-tt.ago).Unix()})
		bearer := "Bearer " + token
		verify, _ := w.do(t, "GET", "/v1/identity/"+alice+"/verify", "Authorization", bearer)
		exchange, body := w.do(t, "POST", "/v1/identity/websocket-token", "Authorization", bearer)
		_, header, _ := w.dial(t, "", v3, "Authorization", bearer)
		if verify.StatusCode != tt.verify || exchange.StatusCode != tt.exchange || header.StatusCode != tt.connect {
			t.Errorf("%s: verify %d, exchange %d, header %d", tt.name, verify.StatusCode, exchange.StatusCode, header.StatusCode)
		}
		if exchange.StatusCode != 200 {
			continue
		}
		if _, ticket, _ := w.dial(t, "?token="+body["token"], v3); ticket.StatusCode != tt.connect {
			t.Errorf("%s: ticket %d, want %d", tt.name, ticket.StatusCode, tt.connect)
		}
	}
}

// A whole token in the address is accepted where that is permitted, as one in the
// header is; elsewhere the answer and the log say what to do instead.
func TestConfig_InsecureQueryToken(t *testing.T) {
	strict, lax := newWorld(t, spacetime.Config{}), newWorld(t, spacetime.Config{InsecureQueryToken: true})
	token := lax.issuer.Token(nil)
	for _, tt := range []struct {
		name, token string
		want        int
	}{
		{"a good token", token, 101},
		{"a ticket", lax.buy(t, token), 101},
		{"a bad token", token + "x", 401},
		{"no token at all", "x", 401},
		{"another audience's", lax.issuer.Token(map[string]any{"aud": "x"}), 401},
		{"a forged ticket", lax.issuer.Sign(map[string]any{"typ": "ticket+jwt"}, map[string]any{"iss": "localhost", "aud": audience}), 401},
	} {
		socket, resp, err := lax.dial(t, "?token="+tt.token, v3)
		if resp == nil || resp.StatusCode != tt.want {
			t.Errorf("%s: got %v, want %d", tt.name, err, tt.want)
		} else if err == nil {
			if g := greeted(t, socket); g.token != tt.token {
				t.Errorf("%s: greeted with another token", tt.name)
			}
		}
	}
	resp := strict.ask(t, written("GET", "/v1/database/chat/subscribe?token="+strict.issuer.Token(nil), handshake()))
	body := make([]byte, 200)
	n, _ := io.ReadFull(resp.Body, body)
	const route = "POST /v1/identity/websocket-token"
	if text := string(body[:n]); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(text, route) || !strings.Contains(resp.Header.Get("WWW-Authenticate"), route) {
		t.Errorf("status %d, %v, %s: want 401, and the route named", resp.StatusCode, resp.Header, text)
	}
	if log := strict.log.String(); !strings.Contains(log, route) || !strings.Contains(log, "InsecureQueryToken") || strings.Contains(log, "eyJ") {
		t.Errorf("logged %s", log)
	}
}

// Keys that are trusted no more are not published.
func TestPublicKey_Unavailable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	synctest.Test(t, func(t *testing.T) {
		local, err := localissuer.New(localissuer.Config{URL: "localhost", Dir: dir, Audiences: []string{audience}})
		if err != nil {
			t.Fatal(err)
		}
		defer local.Close()
		auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{local.Issuer()}})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		server, err := spacetime.New(spacetime.Config{Auth: auth, Local: local})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close(t.Context())
		if err := os.Rename(dir, dir+"-away"); err != nil {
			t.Fatal(err)
		}
		for n, wait := range []time.Duration{time.Hour, 25 * time.Hour} {
			want := []int{200, 503}[n]
			time.Sleep(wait)
			rec := httptest.NewRecorder()
			server.ServeHTTP(rec, httptest.NewRequest("GET", "/v1/identity/public-key", nil))
			if rec.Code != want || strings.Contains(rec.Body.String(), "PUBLIC KEY") != (want == 200) {
				t.Errorf("after %v: status %d, want %d", wait, rec.Code, want)
			}
		}
	})
}
