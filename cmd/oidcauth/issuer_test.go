package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ok runs the command, which must succeed, and returns what it prints.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	r := invoke(t, "", args...)
	if r.code != exitOK || r.err != "" {
		t.Fatalf("%q: exit code %d, standard error %q", args, r.code, r.err)
	}
	return r.out
}

func TestIssuer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	list := ok(t, "issuer", "list", dir, "--url", "localhost")
	if !strings.Contains(list, "issuer localhost\n") || strings.Count(list, "active") != 1 || strings.Count(list, "next") != 1 {
		t.Fatalf("list: %s", list)
	}
	_, rest, _ := strings.Cut(list, "active")
	_, rest, _ = strings.Cut(rest, "\n")
	next := strings.Fields(rest)[0]
	if out := ok(t, "issuer", "rotate", dir); out != "key "+next+" signs\n" {
		t.Errorf("rotate: %q, want that %s signs", out, next)
	}
	list = ok(t, "issuer", "list", dir)
	if strings.Count(list, "  retired  ") != 1 || strings.Contains(list, "imported") {
		t.Errorf("list after rotate: %s", list)
	}
	for state, until := range map[string]string{"retired": `\S+Z`, "active": "it is retired", "next": "it is retired"} {
		if !regexp.MustCompile(`(?m)^\S+ +` + state + ` +\S+Z +` + until + `$`).MatchString(list) {
			t.Errorf("the %s key is not kept until %s: %s", state, until, list)
		}
	}

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, "id_ecdsa", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	id := strings.Fields(ok(t, "issuer", "import", dir, file))[3]
	if list = ok(t, "issuer", "list", dir); !strings.Contains(list, id+"  imported") {
		t.Errorf("list after import: %s", list)
	}
	ok(t, "issuer", "remove", dir, "--", id)
	if list = ok(t, "issuer", "list", dir); strings.Contains(list, id) {
		t.Errorf("list after remove: %s", list)
	}
}

func TestIssuer_Mistakes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	ok(t, "issuer", "list", dir, "--url", "localhost")
	damaged := filepath.Join(t.TempDir(), "keys")
	ok(t, "issuer", "list", damaged, "--url", "localhost")
	if err := os.Truncate(filepath.Join(damaged, "keyring.json"), 100); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{}, exitUsage, "list, rotate, import or remove"},
		{[]string{"burn", dir}, exitUsage, `"burn"`},
		{[]string{"list"}, exitUsage, "want DIRECTORY"},
		{[]string{"import", dir}, exitUsage, "DIRECTORY and FILE"},
		{[]string{"list", filepath.Join(t.TempDir(), "none")}, exitFailed, "--url NAME makes new ones"},
		{[]string{"list", dir, "--url", "other"}, exitFailed, `"other"`},
		{[]string{"list", damaged}, exitFailed, "damaged"},
		{[]string{"import", dir, writeFile(t, "text", "hello")}, exitFailed, "no PEM block"},
		{[]string{"remove", dir, "x"}, exitFailed, "no key"},
	} {
		r := invoke(t, "", append([]string{"issuer"}, tt.args...)...)
		if r.code != tt.code || !strings.Contains(r.err, tt.want) || r.out != "" {
			t.Errorf("%q: exit code %d, %q, want %d and %q", tt.args, r.code, r.err, tt.code, tt.want)
		}
		// What is wrong with the question is not said of the keys.
		if about := strings.Contains(r.err, "not usable"); about != (tt.want == "damaged") {
			t.Errorf("%q: %q calls the keys not usable: %t", tt.args, r.err, about)
		}
	}
}

// A fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// TestIssuer_ListUnwritten: half of a list, or none of it, is no success.
func TestIssuer_ListUnwritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	ok(t, "issuer", "list", dir, "--url", "localhost")
	var said strings.Builder
	if code := run(t.Context(), []string{"issuer", "list", dir}, strings.NewReader(""), fullDisk{}, &said); code != exitFailed || !strings.Contains(said.String(), "no space left") {
		t.Errorf("exit code %d, %q, want %d and why", code, said.String(), exitFailed)
	}
}
