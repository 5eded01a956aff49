//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

// process is the built command at work.
type process struct {
	*console
	url   string
	cmd   *exec.Cmd
	ended chan error
}

// startProcess starts "oidcauth serve" and waits until it listens.
func startProcess(t *testing.T, flags ...string) *process {
	t.Helper()
	p := &process{console: newConsole(t), ended: make(chan error, 1)}
	p.cmd = exec.Command(binary, append([]string{"serve", "--addr", "127.0.0.1:0"}, flags...)...)
	p.cmd.Stderr = &p.err
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	lines := bufio.NewReader(io.TeeReader(stdout, &p.out))
	first := make(chan string, 1)
	go func() {
		line, _ := lines.ReadString('\n')
		first <- line
		io.Copy(io.Discard, lines)
		p.ended <- p.cmd.Wait()
	}()
	select {
	case line := <-first:
		url, found := strings.CutPrefix(line, "oidcauth: listening on ")
		if !found {
			t.Fatalf("first line = %q; standard error: %s", line, p.err.String())
		}
		p.url = strings.TrimSuffix(url, "\n")
	case <-time.After(patience):
		t.Fatal("serve did not listen")
	}
	return p
}

// code waits until the process has ended and returns its exit code.
func (p *process) code(t *testing.T) int {
	t.Helper()
	select {
	case err := <-p.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatal("serve did not end")
		return -1
	}
}

// askInVain sends a request that waits, when askInVain returns, for the issuer
// to show a new key. The status of the answer arrives on the channel, 0 if the
// connection ends without one.
func (p *process) askInVain(t *testing.T, iss *oidctest.Issuer) <-chan int {
	t.Helper()
	p.awaitLog(t, "the keys of every issuer are in hand")
	iss.Fail(oidctest.JWKS, oidctest.Fault{Hang: true})
	iss.Rotate()
	iss.ResetFetches()
	token := iss.Token(map[string]any{"aud": "my-db"})
	p.used(token)
	req, err := http.NewRequest("GET", p.url+"/v1/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	status := make(chan int, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	if err := iss.AwaitFetches(t.Context(), oidctest.JWKS, 1); err != nil {
		t.Fatal(err)
	}
	return status
}

// TestProcess_GracefulShutdown: a request that waits for its issuer's keys when
// the signal comes gets its answer; new ones are not accepted.
func TestProcess_GracefulShutdown(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(signal.String(), func(t *testing.T) {
			iss := startIssuer(t)
			p := startProcess(t, "--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http")
			status := p.askInVain(t, iss)
			if err := p.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			p.awaitLog(t, "shutting down")
			awaitRefusal(t, p.url)
			iss.Clear()
			if got := <-status; got != 200 {
				t.Errorf("the request under way: status = %d, want 200", got)
			}
			if code := p.code(t); code != 0 {
				t.Errorf("exit code = %d, want 0; %s", code, p.err.String())
			}
			if want := "oidcauth: listening on " + p.url + "\n"; p.out.String() != want {
				t.Errorf("standard output = %q, want %q", p.out.String(), want)
			}
		})
	}
}

// awaitRefusal waits until the server accepts no more connections.
func awaitRefusal(t *testing.T, url string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		resp, err := client.Get(url + "/healthz")
		if err != nil {
			return
		}
		resp.Body.Close()
		if time.Now().After(deadline) {
			t.Fatal("the server still accepts connections")
		}
	}
}

func TestProcess_SecondSignal(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	p := startProcess(t, "--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http")
	status := p.askInVain(t, iss)
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.awaitLog(t, "shutting down")
	// The first signal's handler lets go of the second one a moment after that
	// line, so the second one is repeated as an impatient person would.
	impatient := time.NewTicker(10 * time.Millisecond)
	defer impatient.Stop()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for {
			select {
			case <-impatient.C:
				p.cmd.Process.Signal(syscall.SIGTERM)
			case <-ctx.Done():
				return
			}
		}
	}()
	if code := p.code(t); code != -1 || !p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
		t.Errorf("exit code = %d, want an end by the signal", code)
	}
	if got := <-status; got != 0 {
		t.Errorf("status = %d of a request that nobody answered", got)
	}
}

// TestProcess_SameSignalTwice: who sends a signal to the process and to its group, as
// timeout(1) does and many a supervisor, has it stop as well as who sends one.
func TestProcess_SameSignalTwice(t *testing.T) {
	t.Parallel()
	for range 10 {
		if signalTwice(t) {
			return
		}
	}
	t.Fatalf("ten times it took more than %v to send two signals", sameSignal/2)
}

// signalTwice sends one process the same signal twice, and reports whether it was quick
// enough for that: the second may be another one by then.
func signalTwice(t *testing.T) bool {
	iss := startIssuer(t)
	p := startProcess(t, "--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http")
	status := p.askInVain(t, iss)
	first := time.Now()
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.awaitLog(t, "shutting down")
	awaitRefusal(t, p.url)
	quick := time.Since(first) < sameSignal/2
	if quick {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	p.answers(t, iss, status)
	return quick
}

// answers expects that a process which is told to end answers the request under way first.
func (p *process) answers(t *testing.T, iss *oidctest.Issuer, status <-chan int) {
	t.Helper()
	iss.Clear()
	if got := <-status; got != 200 {
		t.Errorf("the request under way: status = %d, want 200", got)
	}
	if code := p.code(t); code != 0 {
		t.Errorf("exit code = %d, want 0; %s", code, p.err.String())
	}
}

func TestProcess_ExitCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want int
	}{
		{[]string{"identity", "a", "b"}, 0},
		{[]string{"keys", "https://127.0.0.1:1"}, 1},
		{[]string{"keys"}, 2},
	} {
		cmd := exec.Command(binary, test.args...)
		err := cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != test.want {
			t.Errorf("%q: exit code = %d, want %d (%v)", test.args, got, test.want, err)
		}
	}
}

// TestProcess_HangUp: SIGHUP reloads the file, and ends nothing.
func TestProcess_HangUp(t *testing.T) {
	t.Parallel()
	a, b := startIssuer(t), startIssuer(t)
	file := writeFile(t, "config.json", `{"watch": "0s", "issuers": [`+described(a, "")+`]}`)
	p := startProcess(t, "--config", file)
	token := b.Token(map[string]any{"aud": "my-db"})
	p.used(token)
	ask := func() int {
		t.Helper()
		req, _ := http.NewRequest("GET", p.url+"/v1/whoami", nil)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	p.awaitLog(t, "the keys of every issuer are in hand")
	replaceFile(t, file, `{"watch": "0s", "issuers": [`+described(b, "")+`]}`)
	if got := ask(); got != 401 {
		t.Errorf("before the signal: status %d, want 401", got)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.awaitLines(t, reloaded, 1)
	if got := ask(); got != 200 {
		t.Errorf("after the signal: status %d, want 200", got)
	}
}

// TestProcess_HangUpWhileStopping: SIGHUP cuts off nothing that is under way.
func TestProcess_HangUpWhileStopping(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	p := startProcess(t, "--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http")
	status := p.askInVain(t, iss)
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.awaitLog(t, "shutting down")
	awaitRefusal(t, p.url)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.answers(t, iss, status)
}
