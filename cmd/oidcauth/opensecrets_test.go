//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// openDir returns a directory that everybody can enter, and so are those above it, as that of
// a test is not on every system. The one above it is this test's own, too.
func openDir(t *testing.T) string {
	t.Helper()
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	top, err := os.MkdirTemp("/tmp", "oidcauth-secrets-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	dir := filepath.Join(top, "etc")
	if err := errors.Join(os.Mkdir(dir, 0o711), os.Chmod(dir, 0o711), os.Chmod(top, 0o711)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// write writes a file of a mode.
func write(t *testing.T, path string, mode os.FileMode, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

const toldOpen = "every user of this machine can read"

// TestServe_OpenSecrets: whoever starts a server, or checks its file, learns of each secret
// that everybody on the machine can read, and of no other file; so does a reload.
func TestServe_OpenSecrets(t *testing.T) {
	dir := openDir(t)
	secret := strings.Repeat("s", leastSecret)
	files := map[string]string{
		"admin.secret_file":                           write(t, filepath.Join(dir, "admin"), 0o644, secret),
		"dpop.nonce_key_file":                         write(t, filepath.Join(dir, "nonces"), 0o604, secret),
		"issuers[0].introspection.client_secret_file": write(t, filepath.Join(dir, "client"), 0o444, secret),
	}
	token := write(t, filepath.Join(dir, "token"), 0o640, secret) // of a group, on purpose
	config := `{"watch": "0s", "issuers": [{"url": "https://a.example", "audiences": ["a"], "keys": {"token_file": "` + token + `"},
		"introspection": {"client_id": "db", "endpoint": "https://a.example/ask", "client_secret_file": "` + dir + `/client"}, "opaque_prefix": "a_"}],
		"dpop": {"public_url": "https://db.example.com", "nonces": true, "nonce_key_file": "` + dir + `/nonces"},
		"revocations": {"dir": "` + t.TempDir() + `"}, "admin": {"addr": "127.0.0.1:0", "secret_file": "` + dir + `/admin"}}`
	file := write(t, filepath.Join(dir, "serve.json"), 0o644, config)
	got := invoke(t, "", "serve", "--config", file, "--check")
	if got.code != 0 || strings.Count(got.err, toldOpen) != len(files) {
		t.Errorf("--check: %+v, want exit code 0 and %d lines", got, len(files))
	}
	p := startProcess(t, "--config", file)
	p.awaitLines(t, toldOpen, len(files))
	for member, path := range files {
		if !strings.Contains(got.err, member+": "+toldOpen+" "+path+" (mode 0") {
			t.Errorf("--check: %s, want a line about %s", got.err, member)
		}
		if log := p.err.String(); !strings.Contains(log, "member="+member+" file="+path) && !strings.Contains(log, "member=\""+member+"\" file="+path) {
			t.Errorf("log: %s, want a line about %s", log, member)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(t, files["admin.secret_file"], 0o604, secret)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.awaitLines(t, reloaded, 1)
	p.awaitLines(t, toldOpen, len(files)+1)
}

// TestServe_OpenSecretsOfNobody: what nobody else can come to, or what a container runtime has
// put there, is none of anybody's business.
func TestServe_OpenSecretsOfNobody(t *testing.T) {
	dir := openDir(t)
	path := write(t, filepath.Join(dir, "admin"), 0o644, strings.Repeat("s", leastSecret))
	file := &fileConfig{Admin: &adminConfig{SecretFile: fileName(path)}}
	expect := func(when string, want int) {
		t.Helper()
		if got := file.openSecrets(); len(got) != want {
			t.Errorf("%s: got %v, want %d files", when, got, want)
		}
	}
	expect("open", 1)
	link := filepath.Join(dir, "link")
	if err := os.Symlink("admin", link); err != nil {
		t.Fatal(err)
	}
	file.Admin.SecretFile = fileName(link)
	expect("by a link", 1)
	for _, name := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(name, 0o700); err != nil {
			t.Fatal(err)
		}
		expect("in a directory of ours alone", 0)
		if err := os.Chmod(name, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
	expect("in a pod", 0)
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	file.Admin.SecretFile = fileName(filepath.Join(dir, "missing"))
	expect("that is not there", 0)
}

// TestServe_SecretFilesAll: each member that names a file with a secret is one of those that
// are looked at, also one that is new.
func TestServe_SecretFilesAll(t *testing.T) {
	file := &fileConfig{
		TLS: new(tlsConfig), Admin: new(adminConfig), DPoP: new(dpopConfig), Revocations: &revocationsConfig{NATS: new(natsConfig)},
		Issuers: make([]oidcauth.Issuer, 1), Introspections: map[int]*introspectionConfig{0: new(introspectionConfig)},
	}
	var got []string
	for _, secret := range file.secretFiles() {
		got = append(got, secret.member)
	}
	want := fileMembers(reflect.TypeFor[fileConfig](), "")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(want) < 8 {
		t.Errorf("got %q, want %q", got, want)
	}
}

// fileMembers returns the members below one that name a file of any kind but certificates.
// Within are the types that it is in, as one may hold itself.
func fileMembers(of reflect.Type, path string, within ...reflect.Type) []string {
	switch {
	case of.Kind() == reflect.Pointer:
		return fileMembers(of.Elem(), path, within...)
	case of.Kind() == reflect.Slice:
		return fileMembers(of.Elem(), path+"[0]", within...)
	case of.Kind() != reflect.Struct || slices.Contains(within, of):
		return nil
	}
	within = append(slices.Clone(within), of)
	var all []string
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		below := strings.TrimPrefix(path+"."+name, ".")
		switch {
		case field.Anonymous:
			all = append(all, fileMembers(field.Type, path, within...)...)
		case name == "" || name == "-" || name == "cert_file" || name == "ca_file":
		case strings.HasSuffix(name, "_file"):
			all = append(all, below)
		default:
			all = append(all, fileMembers(field.Type, below, within...)...)
		}
	}
	return all
}
