//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// openEarly opens a connection that the server has accepted when openEarly
// returns, and on which nothing was asked.
func (p *process) openEarly(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// Connections are accepted in their order: once a later one has its answer,
	// this one has been accepted.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(p.url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("before the signal: status = %d, want 200", resp.StatusCode)
	}
	return conn
}

// TestProcess_EndsInTime: one signal ends the command, also while it reads a file whose
// content never comes.
func TestProcess_EndsInTime(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(binary, "serve", "--config", pipe)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer hung.Stop()
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // once the command reads it
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(stderr.String(), "not ended within 10s of the signal") {
		t.Errorf("%v, %q, want exit code 1 and a line that says why", cmd.ProcessState, stderr.String())
	}
}

// TestProcess_RefusesWhileStopping: whoever asks on an open connection after the
// signal is told to go elsewhere, while a request from before gets its answer.
func TestProcess_RefusesWhileStopping(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	p := startProcess(t, "--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http",
		"--local-issuer", filepath.Join(t.TempDir(), "keys"))
	status := p.askInVain(t, iss)
	deaf := p.subscribe(t) // which makes the stop last, too
	var early []net.Conn
	requests := []string{"GET /healthz", "GET /readyz", "GET /v1/whoami", "GET /v1/forward-auth", "POST /v1/identity", "GET /nowhere"}
	for range requests {
		early = append(early, p.openEarly(t))
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.awaitLog(t, "shutting down")
	for i, request := range requests {
		if _, err := early[i].Write([]byte(request + " HTTP/1.1\r\nHost: db.example.com\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(early[i]), nil)
		if err != nil {
			t.Fatalf("%s: %v", request, err)
		}
		resp.Body.Close()
		if resp.StatusCode != 503 || !resp.Close || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: status = %d, headers %v, want 503, Connection: close and Retry-After", request, resp.StatusCode, resp.Header)
		}
	}
	deaf.CloseNow()
	iss.Clear()
	if got := <-status; got != 200 {
		t.Errorf("the request under way: status = %d, want 200", got)
	}
	if code := p.code(t); code != 0 {
		t.Errorf("exit code = %d, want 0; %s", code, p.err.String())
	}
}

// TestProcess_StopsWithinItsLimit: everything that can make a stop last, all of it
// at once, ends within the limit.
func TestProcess_StopsWithinItsLimit(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	p := startProcess(t, "--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http",
		"--local-issuer", filepath.Join(t.TempDir(), "keys"))
	deaf, polite := p.subscribe(t), p.subscribe(t)
	p.openEarly(t)
	status := p.askInVain(t, iss)
	signalled := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, _, err := polite.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the WebSocket ended with %v, want status %d", err, websocket.StatusGoingAway)
	}
	code := p.code(t)
	if took := time.Since(signalled); took > stopLimit {
		t.Errorf("the server ended %v after the signal, want %v at most", took, stopLimit)
	}
	if got := <-status; got != 0 {
		t.Errorf("the request that hangs: status = %d, want none", got)
	}
	if code != 1 || !strings.Contains(p.err.String(), "requests still under way") {
		t.Errorf("exit code = %d, want 1 and what was cut off; %s", code, p.err.String())
	}
	// It never answered, and was told all the same.
	if _, _, err := deaf.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the WebSocket of a client that does not answer ended with %v, want status %d", err, websocket.StatusGoingAway)
	}
}

// subscribe opens a WebSocket as nobody and reads the first message.
func (p *process) subscribe(t *testing.T) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, p.url+"/v1/database/chat/subscribe", &websocket.DialOptions{Subprotocols: []string{"v2.bsatn.spacetimedb"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.CloseNow() })
	if _, _, err := socket.Read(ctx); err != nil {
		t.Fatal(err)
	}
	return socket
}

// TestServe_StoppingAdmin: what is under way at the admin listener gets its answer, too,
// and who asks there meanwhile is told that the server is not ready.
func TestServe_StoppingAdmin(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serve(t, "--config", writeFile(t, "config.json", fmt.Sprintf(
		`{"issuers": [%s], "admin": {"addr": "127.0.0.1:0", "secret_file": %q}, "revocations": {"nats": {"servers": ["nats://127.0.0.1:1"]}, "dir": %q}}`,
		described(iss, ""), writeFile(t, "secret", adminSecret), t.TempDir()+"/waiting")))
	at := adminOf(t, s)
	early, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	if got := sendAdmin(t, "GET", at+"/readyz", ""); got.status != 200 { // by which early was accepted
		t.Errorf("before: status %d, want 200", got.status)
	}
	answer := make(chan reply, 1)
	go func() { // tries to share it, in vain, for a while
		body := fmt.Sprintf(`{"revoke": "token", "issuer": %q, "token_id": "1"}`, iss.URL())
		req, _ := http.NewRequest("POST", at+"/v1/revocations", strings.NewReader(body))
		req.Header = http.Header{"Authorization": {"Bearer " + adminSecret}, "Content-Type": {"application/json"}}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			answer <- reply{body: err.Error()}
			return
		}
		resp.Body.Close()
		answer <- reply{status: resp.StatusCode}
	}()
	token := iss.Token(map[string]any{"aud": "my-db", "jti": "1"})
	for deadline := time.Now().Add(patience); s.get(t, "/v1/whoami", token).status != 401; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the revocation does not hold")
		}
	}
	s.stop()
	s.awaitLog(t, "shutting down")
	if _, err := early.Write([]byte("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.ReadResponse(bufio.NewReader(early), nil); err != nil || resp.StatusCode != 503 {
		t.Errorf("readyz while stopping: %+v, %v, want status 503", resp, err)
	}
	if got := <-answer; got.status != 202 {
		t.Errorf("the revocation under way: status %d, want 202: %s", got.status, got.body)
	}
}
