package keycloak_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/memorylog"
	"github.com/oidcauth/oidcauth/issuers"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

// bound gets an access token that Keycloak binds to the prover's key.
func (s *keycloak) bound(t *testing.T, p *oidctest.Prover) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"prover"}, "client_secret": {"prover-secret"}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.endpoint("token"), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("DPoP", p.Proof(http.MethodPost, s.endpoint("token"), "", map[string]any{"ath": nil}))
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Type != "DPoP" {
		t.Fatalf("the token endpoint answered %s: %s", response.Status, body)
	}
	return answer.Token
}

// A node is one server of a cluster: all of them have one address.
type node struct {
	auth    *oidcauth.Authenticator
	handler http.Handler
}

// newNode makes a server that accepts the realm's tokens, at /call and at the socket
// /subscribe, on which a client renews with a token and a proof.
func (s *keycloak) newNode(t *testing.T, proofs dpop.Config) *node {
	t.Helper()
	verifier, err := dpop.New(proofs)
	if err != nil {
		t.Fatal(err)
	}
	issuer := issuers.Keycloak(s.issuer(), database)
	issuer.Keys.InsecureHTTP = true
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{issuer}, DPoP: verifier})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	mux := http.NewServeMux()
	mux.HandleFunc("/call", func(w http.ResponseWriter, r *http.Request) {
		claims, _ := oidcauth.FromContext(r.Context())
		io.WriteString(w, claims.Subject())
	})
	mux.HandleFunc("/subscribe", func(w http.ResponseWriter, r *http.Request) { subscribe(auth, w, r) })
	return &node{auth, auth.Middleware(mux)}
}

// subscribe tells the client the nonce, and the outcome of each renewal: a line with a
// token, a space and a proof.
func subscribe(auth *oidcauth.Authenticator, w http.ResponseWriter, r *http.Request) {
	claims, _ := oidcauth.FromContext(r.Context())
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	session := auth.NewSession(r.Context(), claims)
	defer session.Close()
	for text := "hello"; ; {
		if err := conn.Write(session.Context(), websocket.MessageText, []byte(text+" "+session.Nonce())); err != nil {
			return
		}
		_, message, err := conn.Read(session.Context())
		if err != nil {
			return
		}
		token, proof, _ := strings.Cut(string(message), " ")
		_, err = session.Renew(possession.NewContext(session.Context(), possession.Proof{DPoP: proof}), token)
		if text = "renewed"; err != nil {
			text = "refused"
		}
	}
}

// call presents a token and a proof to the server that handles requests at an address.
func call(t *testing.T, address, scheme, token, proof string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", scheme+" "+token)
	r.Header.Set("DPoP", proof)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response
}

// A real token that is bound to a key is accepted with its proof, once: neither again,
// nor by another server of the cluster, nor after a restart, nor at a socket, nor as a
// bearer token.
func TestDPoP(t *testing.T) {
	s := running(t)
	p := oidctest.NewProver(t, "")
	token := s.bound(t, p)
	var current *node
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { current.handler.ServeHTTP(w, r) }))
	defer front.Close()
	config := dpop.Config{PublicURL: front.URL}
	nonces := config
	nonces.Nonces = true
	log := memorylog.New[oidcauth.Revocation]()
	shared := config
	shared.Replays = log
	for _, cluster := range []struct {
		name    string
		cfg     dpop.Config
		restart time.Duration // before proofs that were used are refused for their time
		another bool          // another server refuses what one took
	}{
		{"a server alone", config, time.Second, false}, {"a cluster with nonces", nonces, 0, true}, {"a cluster with a store", shared, 0, true},
	} {
		t.Run(cluster.name, func(t *testing.T) {
			one := s.newNode(t, cluster.cfg)
			current = one
			claims := func() map[string]any {
				if !cluster.cfg.Nonces {
					return nil
				}
				return map[string]any{"nonce": call(t, front.URL+"/call", "DPoP", token, p.Proof("GET", front.URL+"/call", token, nil)).Header.Get("DPoP-Nonce")}
			}
			proof := p.Proof("GET", front.URL+"/call", token, claims())
			expect := func(when, path, scheme, proof string, want int) {
				t.Helper()
				if got := call(t, front.URL+path, scheme, token, proof); got.StatusCode != want {
					t.Errorf("%s: %s %q, want %d", when, got.Status, got.Header.Values("WWW-Authenticate"), want)
				}
			}
			expect("as a bearer token", "/call", "Bearer", proof, 401)
			expect("at first", "/call", "DPoP", proof, 200)
			expect("again at once", "/call", "DPoP", proof, 401)
			expect("at a socket", "/subscribe", "DPoP", proof, 401)
			if cluster.another {
				current = s.newNode(t, cluster.cfg)
				expect("at another server", "/call", "DPoP", proof, 401)
				expect("at another server, with a proof of its own", "/call", "DPoP", p.Proof("GET", front.URL+"/call", token, claims()), 200)
			}
			time.Sleep(cluster.restart)
			current = s.newNode(t, cluster.cfg)
			expect("after a restart", "/call", "DPoP", proof, 401)
			expect("after a restart, with a proof of its own", "/call", "DPoP", p.Proof("GET", front.URL+"/call", token, claims()), 200)
			current = one
			stranger := oidctest.NewProver(t, "")
			expect("by another key", "/call", "DPoP", stranger.Proof("GET", front.URL+"/call", token, claims()), 401)
		})
	}
	if _, err := s.newNode(t, config).auth.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrProof) {
		t.Errorf("Authenticate() error = %v without proof, want %v", err, oidcauth.ErrProof)
	}
}

// A socket opens with a proof, and goes on under Keycloak's next token with a proof over
// its nonce by the same key, and under no other.
func TestDPoP_Socket(t *testing.T) {
	s := running(t)
	p, thief := oidctest.NewProver(t, ""), oidctest.NewProver(t, "")
	token := s.bound(t, p)
	server := httptest.NewUnstartedServer(nil)
	server.Start()
	defer server.Close()
	server.Config.Handler = s.newNode(t, dpop.Config{PublicURL: server.URL}).handler
	address := server.URL + "/subscribe"
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	proof := p.Proof("GET", address, token, nil)
	header := http.Header{"Authorization": {"DPoP " + token}, "Dpop": {proof}}
	conn, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if again, response, err := websocket.Dial(ctx, address, &websocket.DialOptions{HTTPHeader: header}); err == nil || response.StatusCode != 401 {
		t.Errorf("the same proof opened a second socket: %v", again)
	}
	read := func(want string) (nonce string) {
		t.Helper()
		_, message, err := conn.Read(ctx)
		got, nonce, _ := strings.Cut(string(message), " ")
		if err != nil || got != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
		return nonce
	}
	nonce := read("hello")
	next, stolen := s.bound(t, p), s.bound(t, thief)
	for _, tt := range []struct {
		name, token string
		by          *oidctest.Prover
		claims      map[string]any
		want        string
	}{
		{"without nonce", next, p, nil, "refused"},
		{"by another key", next, thief, map[string]any{"nonce": nonce}, "refused"},
		{"a token of another key", stolen, thief, map[string]any{"nonce": nonce}, "refused"},
		{"as it should be", next, p, map[string]any{"nonce": nonce}, "renewed"},
		{"the same nonce again", next, p, map[string]any{"nonce": nonce}, "refused"},
	} {
		message := tt.token + " " + tt.by.Proof("GET", address, tt.token, tt.claims)
		if err := conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
		t.Log(tt.name)
		read(tt.want)
	}
}
