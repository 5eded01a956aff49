package verifiers_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/interop/internal/programs"
)

// A driver is the Node.js process in which the verifiers run. It ends with the test.
type driver struct {
	stdin   io.WriteCloser
	answers chan string
	stderr  *bytes.Buffer
	done    chan struct{} // closed when there will be no more answers
}

func (w *world) drive(t *testing.T) *driver {
	t.Helper()
	node, err := programs.VerifiersNode()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "driver.mjs")
	cmd.Env = append(os.Environ(), "PORT="+w.port(), "NODE_EXTRA_CA_CERTS="+w.roots, "GITHUB_SERVER_URL=https://github.com")
	d := &driver{answers: make(chan string), stderr: new(bytes.Buffer), done: make(chan struct{})}
	cmd.Stderr = d.stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if d.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go d.read(stdout)
	t.Cleanup(func() {
		d.stdin.Close()
		cmd.Process.Kill()
		<-d.done
		cmd.Wait()
	})
	return d
}

func (d *driver) read(stdout io.Reader) {
	defer close(d.done)
	defer close(d.answers)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		d.answers <- lines.Text()
	}
}

// ask returns the refusal of a verifier, or "" where it accepts the token.
func (d *driver) ask(t *testing.T, v verifier, token string) string {
	t.Helper()
	question, err := json.Marshal(map[string]any{"verifier": v.name, "options": v.options, "token": token})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.stdin.Write(append(question, '\n')); err != nil {
		t.Fatalf("%s: %v", v.name, err)
	}
	select {
	case line, more := <-d.answers:
		if !more {
			<-d.done
			t.Fatalf("%s: the driver ended: %s", v.name, d.stderr)
		}
		var refusal string
		if err := json.Unmarshal([]byte(line), &refusal); err != nil {
			t.Fatalf("%s: answered %q: %v", v.name, line, err)
		}
		return refusal
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: no answer within 30 s", v.name)
		return ""
	}
}
