package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

// described is an issuer as a file describes it.
func described(iss *oidctest.Issuer, more string) string {
	return fmt.Sprintf(`{"url": %q, "audiences": ["my-db"], "keys": {"insecure_http": true}%s}`, iss.URL(), more)
}

// replaceFile puts another content in the place of a file, as a careful editor does.
func replaceFile(t *testing.T, path, content string) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

// awaitLines waits until standard error has a text as often as that.
func (c *console) awaitLines(t *testing.T, text string, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); strings.Count(c.err.String(), text) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not %d of %q in %s", n, text, c.err.String())
		}
	}
}

const (
	reloaded    = "the configuration was reloaded"
	notReloaded = "the configuration was not reloaded"
)

// TestServe_Reload: a file that changes is taken over, all of it or nothing.
func TestServe_Reload(t *testing.T) {
	t.Parallel()
	a, b := startIssuer(t), startIssuer(t)
	ofA, ofB := a.Token(map[string]any{"aud": "my-db"}), b.Token(map[string]any{"aud": "my-db"})
	file := writeFile(t, "config.json", `{"watch": "5ms", "issuers": [`+described(a, "")+`]}`)
	s := serve(t, "--config", file)
	expect := func(when string, statusOfA, statusOfB int) {
		t.Helper()
		for token, want := range map[string]int{ofA: statusOfA, ofB: statusOfB} {
			if got := s.get(t, "/v1/whoami", token); got.status != want {
				t.Errorf("%s: status %d, want %d", when, got.status, want)
			}
		}
	}
	says := func(want string) {
		t.Helper()
		if body := s.get(t, "/metrics", "").body; !strings.Contains(body, "\n"+want+"\n") {
			t.Errorf("the metrics do not say %s:\n%s", want, body)
		}
	}
	expect("before", 200, 401)
	says("oidcauth_config_last_reload_successful 1")

	replaceFile(t, file, `{"watch": "5ms", "issuers": [`+described(a, "")+`, `+described(b, "")+`]}`)
	s.awaitLines(t, reloaded, 1)
	expect("with both", 200, 200)
	says(`oidcauth_config_reloads_total{result="ok"} 1`)
	if got := s.get(t, metadataPath, ""); !strings.Contains(got.body, b.URL()) {
		t.Errorf("the metadata do not name the new issuer: %s", got.body)
	}
	if body := s.get(t, "/metrics", "").body; !strings.Contains(body, fmt.Sprintf("issuer=%q,result=\"ok\"", b.URL())) {
		t.Errorf("the fetches of the new issuer are not counted:\n%s", body)
	}

	for i, bad := range []struct{ file, says string }{
		{`{"issuers": [`, "does not end"},
		{`{"watch": "5ms", "issuers": [` + described(b, `, "algorithms": ["HS256"]`) + `]}`, "issuers[0]: issuer"},
		{`{"watch": "5ms", "issuers": [` + described(b, "") + `], "isuers": 1}`, "did you mean issuers?"},
		{`{"watch": "5ms", "issuers": [` + described(b, "") + `], "log_format": "json", "cache_bytes": 7}`, "only a restart changes log_format, cache_bytes"},
		{`{"watch": "5ms"}`, "no issuer"},
	} {
		replaceFile(t, file, bad.file)
		s.awaitLines(t, notReloaded, i+1)
		if !strings.Contains(s.err.String(), strings.ReplaceAll(bad.says, `"`, `\"`)) {
			t.Errorf("the log does not say %s:\n%s", bad.says, s.err.String())
		}
		expect(bad.file, 200, 200)
		says("oidcauth_config_last_reload_successful 0")
	}

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.awaitLines(t, notReloaded, 6)
	expect("without a file", 200, 200)

	replaceFile(t, file, `{"watch": "5ms", "issuers": [`+described(b, "")+`]}`)
	s.awaitLines(t, reloaded, 2)
	expect("with the other alone", 401, 200)
	says("oidcauth_config_last_reload_successful 1")
}

// A changer replaces a file at the first line that is written to it.
type changer struct {
	once   sync.Once
	change func()
}

func (c *changer) Write(p []byte) (int, error) {
	c.once.Do(c.change)
	return len(p), nil
}

// TestServe_ReloadAtStart: a file that changes between the moment in which the server reads
// it and the one in which it begins to watch is taken over, too.
func TestServe_ReloadAtStart(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	secret := writeFile(t, "secret", adminSecret)
	file := writeFile(t, "config.json", fmt.Sprintf(`{"watch": "5ms", "issuers": [%s], "admin": {"addr": "127.0.0.1:0", "secret_file": %q}}`, described(iss, ""), secret))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := newConsole(t)
	ended := make(chan int)
	go func() {
		listens := &changer{change: func() { replaceFile(t, secret, strings.Repeat("n", 40)) }}
		ended <- run(ctx, []string{"serve", "--addr", "127.0.0.1:0", "--config", file}, strings.NewReader(""), listens, &c.err)
	}()
	c.awaitLines(t, reloaded, 1)
	stop()
	<-ended
}

// TestServe_ReloadNonceKey: the key of nonces is that of the start, and a reload that finds
// another in its file does not say that this one is in force.
func TestServe_ReloadNonceKey(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	key := writeFile(t, "key", said.NewSecret("nonce key"))
	config := func(more string) string {
		return fmt.Sprintf(`{"watch": "5ms", "resource": "https://db.example.com", "dpop": {"nonces": true, "nonce_key_file": %q}, "issuers": [%s]}`, key, described(iss, more))
	}
	file := writeFile(t, "config.json", config(""))
	s := serve(t, "--config", file)
	replaceFile(t, file, config(`, "roles": [["roles"]]`))
	s.awaitLines(t, reloaded, 1)
	replaceFile(t, key, said.NewSecret("next nonce key"))
	replaceFile(t, file, config(`, "roles": [["groups"]]`))
	s.awaitLog(t, "only a restart changes dpop")
}

// TestServe_ReloadStorm: a hundred reloads refuse no good request and end no session,
// whatever else they change.
func TestServe_ReloadStorm(t *testing.T) {
	const reloads, sessions, clients = 100, 20, 4
	stays, comes := startIssuer(t), startIssuer(t)
	dir := filepath.Join(t.TempDir(), "keys")
	config := func(n int) string {
		issuers := []string{described(stays, fmt.Sprintf(`, "roles": [["roles%d"]]`, n%3))} // it changes each time
		rules := fmt.Sprintf(`{"issuers": [%q]}`, stays.URL())
		if n%2 == 1 {
			issuers = append(issuers, described(comes, ""))
			rules = fmt.Sprintf(`{"issuers": [%q, %q]}`, stays.URL(), comes.URL())
		}
		return fmt.Sprintf(`{"watch": "1ms", "issuers": [%s], "local_issuer": {"dir": %q}, "forward_auth": {"rules": [%s]}}`, strings.Join(issuers, ", "), dir, rules)
	}
	file := writeFile(t, "config.json", config(0))
	s := serve(t, "--config", file)
	s.awaitLog(t, "the keys of every issuer are in hand")
	var sockets []*websocket.Conn
	for i := range sessions {
		token := stays.Token(map[string]any{"aud": "my-db", "sub": fmt.Sprint("user ", i)})
		s.used(token)
		var ticket struct{ Token string }
		s.ask(t, "POST", "/v1/identity/websocket-token", token, &ticket)
		s.used(ticket.Token)
		socket, _, err := websocket.Dial(t.Context(), s.url+"/v1/database/chat/subscribe?token="+ticket.Token,
			&websocket.DialOptions{Subprotocols: []string{"v3.bsatn.spacetimedb"}})
		if err != nil {
			t.Fatal(err)
		}
		defer socket.CloseNow()
		if _, _, err := socket.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		sockets = append(sockets, socket)
	}
	var lost atomic.Int64
	for _, socket := range sockets {
		go func() { // ends with the socket
			_, _, err := socket.Read(context.Background())
			if websocket.CloseStatus(err) != websocket.StatusGoingAway {
				lost.Add(1)
			}
		}()
	}

	stop := make(chan struct{})
	var asked, refused atomic.Int64
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				// Every second one is new to the server.
				token := stays.Token(map[string]any{"aud": "my-db", "sub": fmt.Sprint(c, " ", n/2)})
				req, _ := http.NewRequestWithContext(t.Context(), "GET", s.url+"/v1/forward-auth", nil)
				req.Header.Set("Authorization", "Bearer "+token)
				resp, err := http.DefaultClient.Do(req)
				asked.Add(1)
				if err != nil || resp.StatusCode != 200 {
					refused.Add(1)
				}
				if err == nil {
					resp.Body.Close()
				}
			}
		})
	}
	for n := 1; n <= reloads; n++ {
		if n%10 == 0 { // and some files are no good
			replaceFile(t, file, config(n)[n:])
			s.awaitLines(t, notReloaded, n/10)
		}
		replaceFile(t, file, config(n))
		s.awaitLines(t, reloaded, n)
	}
	close(stop)
	wg.Wait()
	if n := strings.Count(s.err.String(), notReloaded); n != reloads/10 {
		t.Errorf("%d reloads were refused, want those of bad files: %s", n, s.err.String())
	}
	if refused.Load() > 0 || asked.Load() < reloads {
		t.Errorf("of %d good requests %d were refused", asked.Load(), refused.Load())
	}
	for i, socket := range sockets {
		if err := socket.Ping(t.Context()); err != nil {
			t.Errorf("session %d: %v", i, err)
		}
	}
	if n := lost.Load(); n > 0 {
		t.Errorf("%d of %d sessions were lost", n, sessions)
	}
	t.Logf("%d reloads, %d requests, %d sessions", reloads, asked.Load(), sessions)
}
