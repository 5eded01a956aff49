package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// service is "oidcauth serve" at work in this process.
type service struct {
	*console
	url  string
	stop context.CancelFunc // what SIGTERM does
	code chan int           // the exit code, once it has ended
}

// serve starts the command and waits until it listens. It ends with the test,
// if not before.
func serve(t *testing.T, flags ...string) *service {
	t.Helper()
	s, code := tryServe(t, flags...)
	if s == nil {
		t.Fatalf("serve ended with exit code %d before it listened", code)
	}
	return s
}

// tryServe is serve for flags that may be wrong: then it returns the exit code.
func tryServe(t *testing.T, flags ...string) (*service, int) {
	t.Helper()
	return serveAnywhere(t, append([]string{"--addr", "127.0.0.1:0"}, flags...)...)
}

// serveAnywhere is tryServe without an address.
func serveAnywhere(t *testing.T, flags ...string) (*service, int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &service{console: newConsole(t), stop: cancel, code: make(chan int, 1)}
	read, write := io.Pipe()
	args := append([]string{"serve"}, flags...)
	go func() {
		code := run(ctx, args, strings.NewReader(""), io.MultiWriter(&s.out, write), &s.err)
		write.Close()
		s.code <- code
	}()
	line := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(read)
		text, _ := lines.ReadString('\n')
		line <- text
		io.Copy(io.Discard, lines)
	}()
	select {
	case text := <-line:
		url, found := strings.CutPrefix(text, "oidcauth: listening on ")
		if !found {
			cancel()
			code := <-s.code
			t.Logf("serve ended with exit code %d: %s", code, s.err.String())
			return nil, code
		}
		s.url = strings.TrimSuffix(url, "\n")
	case <-time.After(patience):
		t.Fatal("serve neither listened nor ended")
	}
	t.Cleanup(func() {
		cancel()
		select {
		case <-s.code:
		case <-time.After(patience):
			t.Error("serve did not end")
		}
	})
	return s, 0
}

// ended waits until the command has ended and returns its exit code.
func (s *service) ended(t *testing.T) int {
	t.Helper()
	select {
	case code := <-s.code:
		s.code <- code
		return code
	case <-time.After(patience):
		t.Fatal("serve did not end")
		return -1
	}
}

// reply is an HTTP answer that has been read.
type reply struct {
	status int
	header http.Header
	body   string
}

// get asks for a path, with a token unless that is empty.
func (s *service) get(t *testing.T, path, token string) reply {
	t.Helper()
	return s.do(t, http.MethodGet, path, token)
}

func (s *service) do(t *testing.T, method, path, token string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequest(method, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		s.used(token)
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if part := leaked(string(body), token); part != "" {
		t.Errorf("the answer to %s contains %q of the token", path, part)
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// serveFor starts the command for one issuer and the audience "my-db".
func serveFor(t *testing.T, iss *oidctest.Issuer, flags ...string) *service {
	t.Helper()
	return serve(t, append([]string{"--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http"}, flags...)...)
}

// decode reads a JSON answer.
func decode[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("%v in %q", err, r.body)
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type = %q", got)
	}
	return v
}

func TestServe_Methods(t *testing.T) {
	t.Parallel()
	s := serveFor(t, startIssuer(t))
	for _, test := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/healthz", 200},
		{"HEAD", "/healthz", 200},
		{"POST", "/healthz", 405},
		{"POST", "/v1/whoami", 405},
		{"DELETE", "/readyz", 405},
		{"PUT", "/metrics", 405},
		{"POST", "/.well-known/oauth-protected-resource", 405},
		{"GET", "/v1/forward-auth", 401},
		{"POST", "/v1/forward-auth", 401},
		{"OPTIONS", "/v1/forward-auth", 401},
		{"GET", "/v1/whoami/", 404},
		{"GET", "/", 404},
	} {
		got := s.do(t, test.method, test.path, "")
		if got.status != test.want {
			t.Errorf("%s %s: status = %d, want %d", test.method, test.path, got.status, test.want)
		}
		if test.want == 405 && got.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s: Allow = %q", test.method, test.path, got.header.Get("Allow"))
		}
	}
}

func TestServe_Health(t *testing.T) {
	t.Parallel()
	s := serveFor(t, startIssuer(t))
	if got := s.get(t, "/healthz", ""); got.body != "ok\n" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("healthz: got %+v", got)
	}
	ready := decode[readyAnswer](t, s.get(t, "/readyz", ""))
	if !ready.Ready || ready.NotReady == nil || len(ready.NotReady) != 0 {
		t.Errorf("readyz: got %+v", ready)
	}
}

// TestServe_Ready: one issuer without keys does not keep the server from the users of
// the others, unless the file names it.
func TestServe_Ready(t *testing.T) {
	t.Parallel()
	good, bad := startIssuer(t), startIssuer(t)
	bad.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
	for _, test := range []struct {
		name, ready string
		issuers     []*oidctest.Issuer
		want        int
	}{
		{"all of all", ``, []*oidctest.Issuer{good}, 200},
		{"any", ``, []*oidctest.Issuer{good, bad}, 200},
		{"none", ``, []*oidctest.Issuer{bad}, 503},
		{"those named", fmt.Sprintf(`, "ready_issuers": [%q]`, good.URL()), []*oidctest.Issuer{good, bad}, 200},
		{"not those named", fmt.Sprintf(`, "ready_issuers": [%q, %q]`, good.URL(), bad.URL()), []*oidctest.Issuer{good, bad}, 503},
	} {
		var list []string
		for _, i := range test.issuers {
			list = append(list, fmt.Sprintf(`{"url": %q, "audiences": ["my-db"], "keys": {"insecure_http": true}}`, i.URL()))
		}
		file := writeFile(t, "config.json", `{"issuers": [`+strings.Join(list, ", ")+`]`+test.ready+`}`)
		s := serve(t, "--config", file)
		got := s.get(t, "/readyz", "")
		ready := decode[readyAnswer](t, got)
		if got.status != test.want || ready.Ready != (test.want == 200) {
			t.Errorf("%s: status %d, %+v; want %d", test.name, got.status, ready, test.want)
		}
		if test.want == 200 && !slices.Equal(ready.InHand, []string{good.URL()}) {
			t.Errorf("%s: in hand: %q", test.name, ready.InHand)
		}
	}
	file := writeFile(t, "config.json", fmt.Sprintf(`{"issuers": [{"url": %q, "audiences": ["a"]}], "ready_issuers": ["https://id.exmaple.com"]}`, "https://id.example.com"))
	if got := invoke(t, "", "serve", "--config", file, "--check"); got.code != 2 || !strings.Contains(got.err, "ready_issuers") {
		t.Errorf("a name that is no issuer's: %+v, want exit code 2", got)
	}
}

func TestServe_ReadyNamesMissingIssuers(t *testing.T) {
	t.Parallel()
	good, bad, worse := startIssuer(t), startIssuer(t), startIssuer(t)
	bad.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
	worse.Fail(oidctest.Discovery, oidctest.Fault{Hang: true})
	file := writeFile(t, "config.json", fmt.Sprintf(`{"ready_issuers": [%q, %q]}`, good.URL(), bad.URL()))
	s := serveFor(t, good, "--issuer", bad.URL(), "--issuer", worse.URL(), "--config", file)
	asked := time.Now()
	got := s.get(t, "/readyz", "")
	// The issuer that hangs would hold it up for the 10 seconds of a fetch.
	if took := time.Since(asked); took > 8*time.Second {
		t.Errorf("the answer took %v", took)
	}
	ready := decode[readyAnswer](t, got)
	if want := []string{bad.URL(), worse.URL()}; got.status != 503 || ready.Ready || strings.Join(ready.NotReady, " ") != strings.Join(want, " ") {
		t.Errorf("status %d, %+v; want 503 and %q", got.status, ready, want)
	}
}

func TestServe_HugeHeader(t *testing.T) {
	t.Parallel()
	s := serveFor(t, startIssuer(t))
	if got := s.do(t, "GET", "/healthz", "", "X-Large", strings.Repeat("x", headerBytes/2)); got.status != 200 {
		t.Errorf("half the limit: status = %d, want 200", got.status)
	}
	if got := s.do(t, "GET", "/healthz", "", "X-Large", strings.Repeat("x", 2*headerBytes)); got.status != 431 {
		t.Errorf("twice the limit: status = %d, want 431", got.status)
	}
}

func TestServe_AddressInUse(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	first := serveFor(t, iss)
	got := invoke(t, "", "serve", "--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http",
		"--addr", strings.TrimPrefix(first.url, "http://"))
	if got.code != 1 || got.out != "" || !strings.Contains(got.err, "address already in use") || !strings.Contains(got.err, "--addr") {
		t.Errorf("got %+v, want exit code 1", got)
	}
}

func TestServe_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := serveFor(t, startIssuer(t))
	s.stop()
	if code := s.ended(t); code != 0 {
		t.Errorf("exit code = %d, want 0; %s", code, s.err.String())
	}
	if got := strings.Count(s.out.String(), "\n"); got != 1 {
		t.Errorf("standard output has %d lines, want 1: %s", got, s.out.String())
	}
}

func TestShutDown_Limit(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	defer close(leave)
	srv := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-leave
	})}
	url := listen(t, srv)
	asked := make(chan error, 1)
	go func() {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
		}
		asked <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := shutDown(ctx, srv, time.Millisecond); err == nil || !strings.Contains(err.Error(), "still under way after 1ms") {
		t.Errorf("shutDown() error = %v, want one about the request under way", err)
	}
	if err := <-asked; err == nil {
		t.Error("the request was not cut off")
	}
}

// A closedListener has been closed by somebody else, which the server does not see
// before it closes it too.
type closedListener struct {
	net.Listener
	accepting, closed chan struct{}
}

func (l *closedListener) Accept() (net.Conn, error) {
	close(l.accepting)
	<-l.closed
	return nil, net.ErrClosed
}

func (l *closedListener) Close() error {
	close(l.closed)
	return net.ErrClosed
}

func TestShutDown_ClosedListener(t *testing.T) {
	t.Parallel()
	ln := &closedListener{accepting: make(chan struct{}), closed: make(chan struct{})}
	srv := new(http.Server)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	<-ln.accepting
	if err := shutDown(t.Context(), srv, time.Second); err != nil {
		t.Errorf("shutDown() error = %v, want none", err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve() error = %v, want %v", err, http.ErrServerClosed)
	}
}

func TestServe_FileSettings(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	small := iss.Token(map[string]any{"aud": "my-db"})
	large := iss.Token(map[string]any{"aud": "my-db", "text": strings.Repeat("x", 500)})
	file := writeFile(t, "config.json", fmt.Sprintf(`{
		"issuers": [{"url": %q, "audiences": ["my-db"], "keys": {"insecure_http": true}}],
		"addr": "127.0.0.3:0", "resource": "https://db.example.com", "log_format": "json",
		"max_token_bytes": %d, "cache_bytes": -1
	}`, iss.URL(), len(small)+10))
	s, code := serveAnywhere(t, "--config", file)
	if s == nil {
		t.Fatalf("exit code = %d", code)
	}
	if !strings.HasPrefix(s.url, "http://127.0.0.3:") {
		t.Errorf("listens on %s, want 127.0.0.3", s.url)
	}
	if got := decode[map[string]any](t, s.get(t, metadataPath, "")); got["resource"] != "https://db.example.com" {
		t.Errorf("resource = %v", got["resource"])
	}
	if got := s.get(t, "/v1/whoami", small); got.status != 200 {
		t.Errorf("a token within the limit: status = %d, want 200", got.status)
	}
	if got := s.get(t, "/v1/whoami", large); got.status != 401 {
		t.Errorf("a token beyond the limit: status = %d, want 401", got.status)
	}
	s.stop()
	s.ended(t)
	for line := range strings.Lines(s.err.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

// TestServe_LongTokens: tokens may be longer than the header that other requests
// may have, if the file says so.
func TestServe_LongTokens(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	token := iss.Token(map[string]any{"aud": "my-db", "text": strings.Repeat("x", 4*headerBytes)})
	file := writeFile(t, "config.json", fmt.Sprintf(`{"max_token_bytes": %d}`, len(token)))
	if got := serveFor(t, iss, "--config", file).get(t, "/v1/forward-auth", token); got.status != 200 {
		t.Errorf("with max_token_bytes: status = %d, want 200", got.status)
	}
	if got := serveFor(t, iss).get(t, "/v1/forward-auth", token); got.status != 431 {
		t.Errorf("without: status = %d, want 431", got.status)
	}
}

// Tokens that may be as long as there are numbers leave room for a request, and for no
// header of more than a gibibyte: for the library, more is as good as that.
func TestServe_TokensOfAnyLength(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	for _, most := range []int{math.MaxInt, math.MaxInt - headerBytes, math.MaxInt32} {
		file := writeFile(t, "config.json", fmt.Sprintf(`{"max_token_bytes": %d}`, most))
		if got := serveFor(t, iss, "--config", file).get(t, "/healthz", ""); got.status != 200 {
			t.Errorf("max_token_bytes %d: status = %d, want 200", most, got.status)
		}
		s, err := newServer(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: "https://a.test", Audiences: []string{"a"}}}, MaxTokenBytes: most, Logger: slog.New(slog.DiscardHandler)}, &fileConfig{}, "")
		if err != nil {
			t.Fatal(err)
		}
		defer s.auth.Close()
		if want := headerBytes + 1<<30; s.headerBytes != want {
			t.Errorf("max_token_bytes %d: %d bytes of a header are read, want %d", most, s.headerBytes, want)
		}
	}
}

func TestServe_SettingsThatTheLibraryRefuses(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "config.json", `{"max_token_bytes": -1}`)
	if s, code := tryServe(t, "--config", file, "--issuer", "https://a.example", "--audience", "b"); s != nil || code != 2 {
		t.Errorf("exit code = %d, want 2", code)
	}
}
