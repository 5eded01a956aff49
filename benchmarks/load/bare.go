package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

// bareFlag makes the command the server without authentication, which has to be
// a process of its own as "oidcauth serve" is.
const bareFlag = "bare"

// startBare runs the server without authentication, for the payload of a token.
func startBare(payload []byte) (target, error) {
	self, err := os.Executable()
	if err != nil {
		return target{}, err
	}
	cmd := exec.Command(self, "-"+bareFlag)
	cmd.Stdin = strings.NewReader(string(payload))
	return start(cmd)
}

// serveBare answers everybody as GET /v1/whoami of "oidcauth serve" answers the
// bearer of a token with the payload that in holds. Limits, routing, counters and
// the making of the answer are the same; the authentication alone is missing.
func serveBare(in io.Reader, out io.Writer) error {
	payload, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var issued struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(payload, &issued); err != nil {
		return err
	}
	claims, err := oidcauth.UnverifiedClaims(payload, oidcauth.Issuer{
		URL: issued.Issuer, Audiences: []string{idp.Audience}, Keys: oidcauth.KeysFrom{InsecureHTTP: true},
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/whoami", func(w http.ResponseWriter, _ *http.Request) { answer(w, claims) })
	server := &http.Server{
		Handler:           counted(mux),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	fmt.Fprintf(out, "listening on http://%s\n", listener.Addr())
	return server.Serve(listener)
}

// whoami has the members of the answer in their order.
type whoami struct {
	Identity  string          `json:"identity"`
	Issuer    string          `json:"issuer"`
	Subject   string          `json:"subject"`
	Audience  []string        `json:"audience"`
	ExpiresAt time.Time       `json:"expires_at"`
	Claims    json.RawMessage `json:"claims"`
}

func answer(w http.ResponseWriter, claims *oidcauth.Claims) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	// The only error left is that of a client that has gone.
	_ = encoder.Encode(whoami{
		Identity:  claims.Identity().String(),
		Issuer:    claims.Issuer(),
		Subject:   claims.Subject(),
		Audience:  slices.Collect(claims.Audience()),
		ExpiresAt: claims.Expiry(),
		Claims:    claims.Payload(),
	})
}

// counted counts the answers by status, as every server of some use does.
func counted(next http.Handler) http.Handler {
	counts := new([600]atomic.Uint64)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		counts[rec.status].Add(1)
	})
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
