package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// fleet returns n issuers behind one loopback address, and a configuration
// file that names them all.
func fleet(t *testing.T, n int) ([]*oidctest.Issuer, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	var issuers []*oidctest.Issuer
	var config struct {
		Issuers []oidcauth.Issuer `json:"issuers"`
		Ready   []string          `json:"ready_issuers"`
	}
	for i := range n {
		url := fmt.Sprintf("http://%s/realm-%d", ln.Addr(), i)
		iss := oidctest.NewIssuer(t, oidctest.Config{URL: url})
		mux.Handle(fmt.Sprintf("/realm-%d/", i), iss.Handler())
		issuers = append(issuers, iss)
		config.Ready = append(config.Ready, url)
		config.Issuers = append(config.Issuers, oidcauth.Issuer{URL: url, Audiences: []string{"my-db"}, Keys: oidcauth.KeysFrom{InsecureHTTP: true}})
	}
	srv := &http.Server{Handler: mux}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return issuers, writeFile(t, "config.json", string(text))
}

// outages are ways in which an issuer does not answer.
var outages = []oidctest.Fault{{Hang: true}, {Status: 503}, {Reset: true}}

// TestOutage: with sixty issuers down the server listens at once, and accepts
// the tokens of each as it comes up while the others stay down.
func TestOutage(t *testing.T) {
	t.Parallel()
	const n = 60
	issuers, config := fleet(t, n)
	for i, iss := range issuers {
		iss.Fail(oidctest.Discovery, outages[i%len(outages)])
	}
	begun := time.Now()
	s := serve(t, "--config", config)
	// A request to an issuer that hangs is given up after ten seconds: a server
	// that waited for one would not listen before.
	if took := time.Since(begun); took >= 10*time.Second {
		t.Errorf("listening took %v", took)
	}
	if got := s.get(t, "/healthz", ""); got.status != 200 {
		t.Errorf("healthz: status = %d, want 200", got.status)
	}
	got := s.get(t, "/readyz", "")
	if ready := decode[readyAnswer](t, got); got.status != 503 || len(ready.NotReady) != n {
		t.Errorf("readyz: status = %d, %d issuers missing; want 503, %d", got.status, len(ready.NotReady), n)
	}
	first := []*oidctest.Issuer{issuers[0], issuers[1], issuers[2], issuers[n-1]}
	for _, iss := range first {
		iss.Clear()
	}
	for _, iss := range first {
		awaitStatus(t, s, "/v1/whoami", iss.Token(map[string]any{"aud": "my-db"}), 200)
	}
	ready := decode[readyAnswer](t, s.get(t, "/readyz", ""))
	if len(ready.NotReady) != n-len(first) {
		t.Errorf("with %d issuers up %d are missing, want %d", len(first), len(ready.NotReady), n-len(first))
	}
	for _, iss := range issuers {
		iss.Clear()
	}
	awaitStatus(t, s, "/readyz", "", 200)
	for _, iss := range issuers {
		if got := s.get(t, "/v1/whoami", iss.Token(map[string]any{"aud": "my-db"})); got.status != 200 {
			t.Errorf("%s: status = %d, want 200", iss.URL(), got.status)
		}
	}
}

// awaitStatus asks until the answer has the status; each answer says 503 until
// then.
func awaitStatus(t *testing.T, s *service, path, token string, want int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got := s.get(t, path, token)
		if got.status == want {
			return
		}
		if got.status != 503 || time.Now().After(deadline) {
			t.Fatalf("%s: status = %d, want %d; %s", path, got.status, want, got.body)
		}
	}
}
