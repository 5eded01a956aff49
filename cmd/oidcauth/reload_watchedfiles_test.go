package main

import (
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// TestServe_ReloadFilesThatFollow: a configuration that came before a file which it names
// is in force once that is there, as where each is a volume of its own.
func TestServe_ReloadFilesThatFollow(t *testing.T) {
	t.Parallel()
	former, next := startIssuer(t), startIssuer(t)
	for name, more := range map[string]string{
		"certificates": `, "keys": {"ca_file": %q}`,
		"token":        `, "keys": {"token_file": %q}`,
		"secret":       `, "introspection": {"client_id": "db", "client_secret_file": %q}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := func(issuers string) string { return `{"watch": "5ms", "issuers": [` + issuers + `]}` }
			file := writeFile(t, "config.json", config(described(former, "")))
			late := filepath.Join(t.TempDir(), "late")
			s := serve(t, "--config", file)
			description := strings.Replace(described(next, fmt.Sprintf(more, late)), `"keys": {"insecure_http": true}, "keys": {`, `"keys": {"insecure_http": true, `, 1)
			replaceFile(t, file, config(description))
			s.awaitLines(t, notReloaded, 1)
			pem, _ := newCertificate(t, "an authority")
			if name == "token" {
				pem = []byte("secret-of-the-cluster")
			}
			replaceFile(t, late, string(pem))
			s.awaitLines(t, reloaded, 1)
			replaceFile(t, file, config(description)+" ")
			s.awaitLines(t, reloaded, 2)
			if n := strings.Count(s.err.String(), notReloaded); n != 1 {
				t.Errorf("refused %d times, want once:\n%s", n, s.err.String())
			}
		})
	}
}

// TestReloader_Noted: what was just taken over, or refused, is no further change, also of a
// file that it names for the first time, or no longer.
func TestReloader_Noted(t *testing.T) {
	t.Parallel()
	cert, _ := newCertificate(t, "an authority")
	ca, missing := writeFile(t, "ca.pem", string(cert)), filepath.Join(t.TempDir(), "none")
	config := func(ca, more string) string {
		return fmt.Sprintf(`{"issuers": [{"url": "https://a.example", "audiences": ["my-db"], "keys": {"ca_file": %q}%s}]}`, ca, more)
	}
	const asked = `, "introspection": {"client_id": "db"}`
	file := writeFile(t, "config.json", config(ca, ""))
	f := &serveFlags{settings: settings{config: file}}
	r := &reloader{flags: f}
	r.note()
	cfg, now, err := f.library()
	if err != nil {
		t.Fatal(err)
	}
	r.begin(now)
	cfg.Logger = slog.New(slog.DiscardHandler)
	if r.server, err = newServer(cfg, &now, ""); err != nil {
		t.Fatal(err)
	}
	defer r.server.auth.Close()
	for _, content := range []string{config(ca, asked), config(missing, asked), config(ca, ""), config(missing, ""), "{", config(ca, asked)} {
		replaceFile(t, file, content)
		r.reload(t.Context(), "a test")
		if seen := digestFiles(r.watched()); !maps.Equal(seen, r.last) {
			t.Errorf("after %s: the files hold %q, and noted is %q", content, seen, r.last)
		}
	}
}

// TestReloader_ChangedMeanwhile: what a file that the first configuration names holds by the
// time that all of it was read need not be what was read.
func TestReloader_ChangedMeanwhile(t *testing.T) {
	t.Parallel()
	former, _ := newCertificate(t, "former")
	next, _ := newCertificate(t, "next")
	ca := writeFile(t, "ca.pem", string(former))
	r := &reloader{flags: &serveFlags{settings: settings{config: writeFile(t, "config.json", fmt.Sprintf(
		`{"issuers": [{"url": "https://a.example", "audiences": ["my-db"], "keys": {"ca_file": %q}, "introspection": {"client_id": "db"}}]}`, ca))}}}
	r.note()
	_, file, err := r.flags.library()
	if err != nil {
		t.Fatal(err)
	}
	replaceFile(t, ca, string(next))
	r.begin(file)
	seen := digestFiles(r.watched())
	if seen[ca] == r.last[ca] || len(seen) != len(r.last) {
		t.Errorf("the files hold %q, and noted is %q: want that the one has changed, and no others", seen, r.last)
	}
}
