package proxies_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth/internal/ports"
	"github.com/oidcauth/oidcauth/oidctest"
)

// page is the origin of the application's pages.
const page = "https://app.example.com"

const patience = time.Minute

// A world is a service and oidcauth behind a proxy, which the test starts.
type world struct {
	issuer, broken           *oidctest.Issuer // the keys of one cannot be had
	front, oidcauth, service string           // ports
	second                   string           // that of a second oidcauth
	keys                     string           // the directory of the local issuer's
	stop                     func()           // ends oidcauth
	binary                   string
	log                      *output // of oidcauth
	from                     string  // the address that requests come from; empty for any
	certificates             string  // "client_certificates" of oidcauth
	pids                     []int   // of all programs that were started
}

// newWorld starts the service and the issuers.
func newWorld(t *testing.T, binary string) *world {
	t.Helper()
	w := &world{binary: binary, keys: filepath.Join(t.TempDir(), "keys"), stop: func() {}}
	for _, iss := range []**oidctest.Issuer{&w.issuer, &w.broken} {
		*iss = oidctest.NewIssuer(t, oidctest.Config{})
		(*iss).Start()
	}
	w.broken.Fail(oidctest.JWKS, oidctest.Fault{Status: http.StatusInternalServerError})
	for _, port := range []*string{&w.front, &w.oidcauth, &w.second, &w.service} {
		*port = ports.ReserveFor(t).String()
	}
	service := &http.Server{Addr: "127.0.0.1:" + w.service, Handler: http.HandlerFunc(echo)}
	ln, err := net.Listen("tcp", service.Addr)
	if err != nil {
		t.Fatal(err)
	}
	go service.Serve(ln)
	t.Cleanup(func() { service.Close() })
	return w
}

// seen is what the service got.
type seen struct {
	Method, URI, Host, Body string
	Header                  http.Header
}

// echo tells a caller what the service got, a WebSocket in the first message.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	got := seen{r.Method, r.RequestURI, r.Host, string(body), r.Header}
	if !strings.EqualFold(strings.Join(r.Header.Values("Upgrade"), ","), "websocket") {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(got)
		return
	}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}, InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer c.CloseNow()
	text, _ := json.Marshal(got)
	c.Write(r.Context(), websocket.MessageText, text)
	c.Close(websocket.StatusNormalClosure, "")
}

// serve starts oidcauth for a proxy, in place of one that runs.
func (w *world) serve(t *testing.T, dialect string, more map[string]any) {
	t.Helper()
	w.stop()
	file := filepath.Join(t.TempDir(), "oidcauth.json")
	if err := os.WriteFile(file, w.settings(t, dialect, more), 0o600); err != nil {
		t.Fatal(err)
	}
	w.stop, w.log = w.run(t, "oidcauth", exec.Command(w.binary, "serve", "--config", file, "--allow-insecure-http"))
	await(t, w.oidcauth, w.log)
}

// output is what a program has printed.
type output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// run starts a program, which ends with the test or when the function is called, and
// by itself with the test's process.
func (w *world) run(t *testing.T, name string, cmd *exec.Cmd) (stop func(), printed *output) {
	t.Helper()
	printed = new(output)
	cmd.Stdout, cmd.Stderr = printed, printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.pids = append(w.pids, cmd.Process.Pid)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = sync.OnceFunc(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			cmd.Process.Kill()
			t.Errorf("%s did not end: %s", name, printed)
		}
	})
	t.Cleanup(stop)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, tail(printed.String()))
		}
	})
	return stop, printed
}

func tail(text string) string {
	const longest = 4000
	return text[max(0, len(text)-longest):]
}

// await waits until somebody listens on a port.
func await(t *testing.T, port string, printed *output) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody listens on port %s: %v\n%s", port, err, printed)
		}
	}
}

// An answer is what a client of the proxy got.
type answer struct {
	status int
	header http.Header
	body   string
	seen   *seen // by the service, if it was asked
}

// send sends a request with headers in the spelling given, and no other.
func (w *world) send(t *testing.T, method, target, body string, headers ...string) answer {
	t.Helper()
	answered, err := w.trySend(method, target, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return answered
}

// trySend is send for requests that the proxy may cut off.
func (w *world) trySend(method, target, body string, headers ...string) (answer, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(w.from)}}
	c, err := dialer.Dial("tcp", "127.0.0.1:"+w.front)
	if err != nil {
		return answer{}, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n", method, target)
	for i := 0; i+1 < len(headers); i += 2 {
		fmt.Fprintf(&text, "%s: %s\r\n", headers[i], headers[i+1])
	}
	if body != "" {
		fmt.Fprintf(&text, "Content-Length: %d\r\n", len(body))
	}
	if _, err := io.WriteString(c, text.String()+"\r\n"+body); err != nil {
		return answer{}, err
	}
	return readAnswer(c, method)
}

// get is send with a token.
func (w *world) get(t *testing.T, method, target, token string, headers ...string) answer {
	t.Helper()
	return w.send(t, method, target, "", append(headers, "Authorization", "Bearer "+token)...)
}

// socket opens a WebSocket as a browser does, and returns what the service saw.
func (w *world) socket(t *testing.T, target string, subprotocols []string, headers ...string) (answer, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	h := make(http.Header)
	for i := 0; i+1 < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	c, resp, err := websocket.Dial(ctx, "ws://127.0.0.1:"+w.front+target, &websocket.DialOptions{Subprotocols: subprotocols, HTTPHeader: h})
	if err != nil {
		if resp == nil {
			t.Fatalf("WebSocket %s: %v", target, err)
		}
		return answer{status: resp.StatusCode, header: resp.Header}, ""
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	_, text, err := c.Read(ctx)
	if err != nil {
		t.Fatalf("WebSocket %s: %v", target, err)
	}
	var got seen
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, seen: &got}, c.Subprotocol()
}

// ticket buys a ticket from oidcauth itself.
func (w *world) ticket(t *testing.T, token string) string {
	t.Helper()
	req, err := http.NewRequest("POST", "http://127.0.0.1:"+w.oidcauth+"/v1/identity/websocket-token", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Origin", page)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct{ Token string }
	if err := errors.Join(json.NewDecoder(resp.Body).Decode(&got)); err != nil || got.Token == "" {
		t.Fatalf("no ticket: status %d, %v", resp.StatusCode, err)
	}
	return got.Token
}
