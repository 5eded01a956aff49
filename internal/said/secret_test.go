package said_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/said"
)

var dir string // where this process keeps what is said

func TestMain(m *testing.M) {
	var err error
	if dir, err = os.MkdirTemp("", "said-"); err == nil {
		err = os.Setenv(said.Variable, dir)
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// noted returns what was noted so far, by text.
func noted(t *testing.T) map[string][]said.Noted {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+said.SecretsSuffix))
	if err != nil || len(paths) > 1 {
		t.Fatalf("%d files of secrets, want one; error %v", len(paths), err)
	}
	if len(paths) == 0 {
		return nil
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string][]said.Noted)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var n said.Noted
		if err := json.Unmarshal(lines.Bytes(), &n); err != nil {
			t.Fatal(err)
		}
		found[string(n.Value)] = append(found[string(n.Value)], n)
	}
	return found
}

// A secret stands in a file of its own, once, and not among what was said.
func TestSecret(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	before := len(noted(t))
	password := "correct horse\nbattery\x00staple" + rand.Text()
	said.Secret("password", password)
	said.Secret("password", password)
	made := said.NewSecret("client secret")
	said.PrivateKey(key)
	said.PrivateKey(key.Public())
	if _, err := (said.Writer{}).Write([]byte("a line\n")); err != nil {
		t.Fatal(err)
	}
	got := noted(t)
	forms := said.FormsOf(key)
	if len(forms) != 2 || len(got) != before+4 {
		t.Errorf("%d secrets more and %d forms, want 4 and 2", len(got)-before, len(forms))
	}
	for text, kind := range map[string]string{password: "password", made: "client secret", forms[0]: "private key", forms[1]: "private key"} {
		if n := got[text]; len(n) != 1 || n[0].Kind != kind {
			t.Errorf("noted %d times, want one %s", len(n), kind)
		}
	}
	if len(made) < 32 || made == said.NewSecret("client secret") {
		t.Errorf("NewSecret() makes %d bytes, want 32 that are new", len(made))
	}
	said.PrivateKey(nil)
	for _, text := range []string{"hunter2", strings.Repeat("\x00", 32), strings.Repeat("abcde", 9)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is noted, which any text may have in it", text)
				}
			}()
			said.Secret("password", text)
		}()
	}
}
