//go:build unix

package main

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestProcess_WithoutReaders: a server whose log nobody reads any more goes on serving, and
// ends well.
func TestProcess_WithoutReaders(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	cmd := exec.Command(binary, "serve", "--addr", "127.0.0.1:0", "--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http")
	var pipes [2]*os.File // standard output and standard error
	for i := range pipes {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer writer.Close()
		pipes[i] = reader
		if i == 0 {
			cmd.Stdout = writer
		} else {
			cmd.Stderr = writer
		}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	line, err := bufio.NewReader(pipes[0]).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	for _, reader := range pipes {
		reader.Close()
	}
	cmd.Stdout.(*os.File).Close() // the child alone has the other ends
	cmd.Stderr.(*os.File).Close()
	address := strings.TrimSpace(strings.TrimPrefix(line, "oidcauth: listening on "))
	for range 3 { // each of which is a line of the log
		req, err := http.NewRequest("GET", address+"/v1/whoami", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer x.y.z")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("a refusal with nobody to read of it: %v", err)
		}
		resp.Body.Close()
		if resp.StatusCode != 401 {
			t.Errorf("status %d, want 401", resp.StatusCode)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v, want exit code 0", err)
	}
}

// TestProcess_FailsWithoutReaders: a server that fails ends with its exit code, also when
// nobody reads why.
func TestProcess_FailsWithoutReaders(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	defer writer.Close()
	cmd := exec.Command(binary, "serve", "--addr", taken.Addr().String(), "--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http")
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != exitFailed {
		t.Errorf("the server ended with %v, want exit code %d", err, exitFailed)
	}
}
