//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServe_CheckTellsUnwritable: a check says in which directories whoever runs it could not
// make the files that a start makes, is good all the same, and makes none.
func TestServe_CheckTellsUnwritable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "open"), 0o700), os.Mkdir(filepath.Join(dir, "closed"), 0o500),
		os.WriteFile(filepath.Join(dir, "file"), nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "closed"), 0o700) })
	root := os.Geteuid() == 0 // who may write everywhere
	for _, tt := range []struct{ name, settings, says string }{
		{"there", `"key_cache_dir": "DIR/open"`, ""},
		{"to be made", `"revocations": {"dir": "DIR/open/a/b"}, "local_issuer": {"dir": "DIR/open/c/d"}`, ""},
		{"a socket", `"admin": {"open_metrics": true, "addr": "unix:DIR/open/s"}`, ""},
		{"a socket in no directory", `"admin": {"open_metrics": true, "addr": "unix:DIR/none/s"}`, "admin.addr: this user cannot make files in DIR/none"},
		{"a socket where this user may not", `"admin": {"open_metrics": true, "addr": "unix:DIR/closed/s"}`, "admin.addr: this user cannot make files in DIR/closed"},
		{"a file above", `"key_cache_dir": "DIR/file/a"`, "key_cache_dir: this user cannot make files in DIR/file/a"},
		{"closed", `"revocations": {"dir": "DIR/closed"}`, "revocations.dir: this user cannot make files in DIR/closed"},
		{"below what is closed", `"revocations": {"dir": "DIR/closed/a/b"}`, "revocations.dir: this user cannot make files in DIR/closed/a/b"},
		{"keys below what is closed", `"local_issuer": {"dir": "DIR/closed/keys"}`, "local_issuer.dir: this user cannot make files in DIR/closed/keys"},
	} {
		if root && strings.Contains(tt.settings, "closed") {
			continue
		}
		file := writeFile(t, "serve.json", strings.ReplaceAll(`{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], `+tt.settings+`}`, "DIR", dir))
		got := invoke(t, "", "serve", "--config", file, "--check")
		want := strings.ReplaceAll(tt.says, "DIR", dir)
		if got.code != 0 || tt.says == "" && got.err != "" || !strings.Contains(got.err, want) || strings.Count(got.err, "\n") > 1 {
			t.Errorf("%s: got %+v, want exit code 0 and %q", tt.name, got, want)
		}
		if files, _ := os.ReadDir(filepath.Join(dir, "open")); len(files) != 0 {
			t.Errorf("%s: it made files: %v", tt.name, files)
		}
	}
}
