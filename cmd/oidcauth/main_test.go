package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// binary is the command, built once for the tests that need a process.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(m.Run()) // no target needs the command, and each process that fuzzes would build it
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "oidcauth")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "oidcauth")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	for kind, secret := range map[string]string{"admin's secret": adminSecret, "client's secret": testSecret, "token of NATS": tokenOfNATS} {
		said.Secret(kind, secret)
	}
	return m.Run()
}

// console collects what a run of the command prints, and fails the test if any
// part of a token is in it.
type console struct {
	out, err authtest.Log
	mu       sync.Mutex // guards tokens
	tokens   []string
}

func newConsole(t *testing.T, tokens ...string) *console {
	t.Helper()
	c := &console{tokens: tokens}
	t.Cleanup(func() { c.mustNotLeak(t) })
	return c
}

// used adds a token that was shown to the command.
func (c *console) used(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens = append(c.tokens, token)
}

func (c *console) mustNotLeak(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, token := range c.tokens {
		for _, printed := range []string{c.out.String(), c.err.String()} {
			if part := leaked(printed, token); part != "" {
				t.Errorf("the output contains %q of the token:\n%s", part, printed)
			}
		}
	}
}

// awaitLog waits until standard error contains text.
func (c *console) awaitLog(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(c.err.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %q in %s", text, c.err.String())
		}
	}
}

// leaked returns a piece of the token that text contains: any 12 characters of
// one of its parts in a row.
func leaked(text, token string) string {
	const piece = 12
	for part := range strings.SplitSeq(token, ".") {
		for i := 0; i+piece <= len(part); i++ {
			if strings.Contains(text, part[i:i+piece]) {
				return part[i : i+piece]
			}
		}
	}
	return ""
}

// result is what a finished run left behind.
type result struct {
	code     int
	out, err string
}

// invoke runs the command in this process. Whatever on the command line or on
// standard input has the form of a token must not come out again.
func invoke(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var tokens []string
	for _, text := range append(args, stdin) {
		if strings.Count(text, ".") == 2 && !strings.Contains(text, "/") {
			tokens = append(tokens, strings.TrimSpace(strings.TrimPrefix(text, "Bearer ")))
		}
	}
	c := newConsole(t, tokens...)
	c.out.Tokens = len(args) > 0 && args[0] == "token" // which prints the token that it got
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	code := run(ctx, args, strings.NewReader(stdin), &c.out, &c.err)
	return result{code, c.out.String(), c.err.String()}
}

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s\n(go test -update rewrites it)", path, got, want)
	}
}

// writeFile puts a file into a directory of the test and returns its name.
func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// startIssuer returns a fake issuer on a loopback socket.
func startIssuer(t *testing.T) *oidctest.Issuer {
	t.Helper()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	iss.Start()
	return iss
}

func TestLeaked(t *testing.T) {
	t.Parallel()
	token := "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLWJ5dGVz"
	for _, text := range []string{token, "x eyJhbGciOiJFU… y", "eyJzdWIiOiJhbGljZSJ9", "bmF0dXJlLWJ5"} {
		if leaked(text, token) == "" {
			t.Errorf("leaked(%q) found nothing", text)
		}
	}
	if part := leaked("alice ES256 eyJ signature", token); part != "" {
		t.Errorf("leaked() found %q in a harmless text", part)
	}
}
