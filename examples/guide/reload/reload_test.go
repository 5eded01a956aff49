package reload_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/reload"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/localissuer"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRead: whatever could leave a rule out is an error.
func TestRead(t *testing.T) {
	t.Parallel()
	const start = `[{"url": "https://a.example.com", "audiences": ["a"], "claim_rules": [{"claim": ["n"], "in": ["x"]}]`
	for _, tt := range []struct{ name, text, want string }{
		{"fine", start + `, "keys": {"jwks": {"keys": [ ]}}, "leeway": 1000000000}]`, ""},
		{"empty in another case", start + `, "Claim_Rules": []}]`, "another case"},
		{"in another case alone", `[{"url": "https://a.example.com", "Audiences": ["a"]}]`, "another case"},
		{"within a rule", `[{"url": "https://a.example.com", "claim_rules": [{"claim": ["n"], "IN": ["x"]}]}]`, "another case"},
		{"twice", start + `, "claim_rules": []}]`, "duplicate"},
		{"misspelt", start + `, "claim_rule": []}]`, "claim_rule"},
		{"none", `[]`, "no issuer"},
		{"null", `null`, "no issuer"},
		{"more behind it", start + `}] []`, "after top-level value"},
		{"an object", `{}`, "cannot unmarshal"},
	} {
		path := filepath.Join(t.TempDir(), "issuers.json")
		write(t, path, tt.text)
		issuers, err := reload.Read(path)
		switch {
		case tt.want == "" && (err != nil || len(issuers) != 1 || len(issuers[0].ClaimRules) != 1):
			t.Errorf("%s: Read() = %+v, %v", tt.name, issuers, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: Read() error = %v, want %q in it", tt.name, err, tt.want)
		}
	}
	if _, err := reload.Read(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("Read() error = nil of a file that is not there")
	}
}

// TestFollow changes the file, with and without a mistake, and says so.
func TestFollow(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals")
	}
	local, err := localissuer.New(localissuer.Config{URL: "localhost", Dir: filepath.Join(t.TempDir(), "keys"), Audiences: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{local.Issuer()}})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	path, lines := filepath.Join(t.TempDir(), "issuers.json"), new(authtest.Log)
	write(t, path, `[{"url": "https://a.example.com", "audiences": ["a"]}]`)
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { reload.Follow(ctx, auth, path, slog.New(slog.NewTextHandler(lines, nil)), local.Issuer()) })
	await := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: not after 30 seconds", what)
			}
		}
	}
	unready := func(want string) func() bool { return func() bool { return strings.Join(auth.Unready(), " ") == want } }
	hangUp := func() {
		process, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = process.Signal(syscall.SIGHUP)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	await("the first reading", unready("https://a.example.com"))
	write(t, path, `[]`)
	hangUp()
	await("a mistake", func() bool { return strings.Contains(lines.String(), "no issuer") })
	write(t, path, `[{"url": "https://b.example.com", "audiences": ["a"]}]`)
	hangUp()
	await("the next", unready("https://b.example.com"))
	token, _, err := local.Issue(t.Context(), localissuer.Request{})
	if err == nil {
		_, err = auth.Authenticate(t.Context(), token)
	}
	if err != nil {
		t.Errorf("the local issuer is gone: %v", err)
	}
	cancel()
	following.Wait()
}
