package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServe_CheckRefusesWhatAStartDoes: a file that passes --check, and that is rolled out
// for that reason, starts.
func TestServe_CheckRefusesWhatAStartDoes(t *testing.T) {
	t.Parallel()
	const issuers = `"issuers": [{"url": "https://a.example", "audiences": ["a"]}]`
	for _, test := range []struct{ name, file, says string }{
		{"tokens of its own that live too long", `"max_token_lifetime": "1h", "local_issuer": {"dir": "DIR/keys", "token_lifetime": "2h"}`, `"token_lifetime" is longer than "max_token_lifetime"`},
		{"keys of which the lock alone is left", `"local_issuer": {"dir": "DIR/lost"}`, "DIR/lost: key ring not usable: no keyring.json, but the lock of one"},
		{"keys among something else", `"local_issuer": {"dir": "DIR/foreign"}`, "DIR/foreign: key ring not usable: no keyring.json, but \"notes\""},
		{"names that are too short for its own", `"local_issuer": {"dir": "DIR/keys", "max_name_bytes": 5}`, `"max_name_bytes" of "local_issuer"`},
		{"a directory that others may write to", `"revocations": {"dir": "DIR/open"}`, "revocations.dir: DIR/open: the directory is writable by others"},
		{"a file for a directory", `"revocations": {"dir": "DIR/file"}`, "revocations.dir: DIR/file is no directory"},
		{"a directory of something else", `"revocations": {"dir": "DIR/other"}`, "revocations.dir: DIR/other: keyring.json: no file of a revocation"},
		{"a revocation that is damaged", `"revocations": {"dir": "DIR/damaged"}`, strings.Repeat("0", 64) + ".json: damaged: what it says is lost"},
		{"one directory under two names", `"key_cache_dir": "DIR/some", "revocations": {"dir": "DIR/same"}`, "key_cache_dir: want one of its own"},
		{"no certificates for NATS", `"revocations": {"nats": {"servers": ["tls://127.0.0.1:4222"], "ca_file": "DIR/file"}}`, "revocations.nats: DIR/file has no certificates"},
		{"no certificate of its own for NATS", `"revocations": {"nats": {"servers": ["tls://127.0.0.1:4222"], "cert_file": "DIR/file", "key_file": "DIR/file"}}`, "revocations.nats: tls: "},
		{"two mistakes for NATS", `"revocations": {"nats": {"servers": ["tls://127.0.0.1:4222"], "ca_file": "DIR/none", "token_file": "DIR/nowhere"}}`, "DIR/nowhere"},
		{"one address for both listeners", `"addr": "127.0.0.1:9080", "admin": {"open_metrics": true}`, `admin.addr: "127.0.0.1:9080"`},
		{"all addresses for one of them", `"addr": ":9080", "admin": {"open_metrics": true}`, `admin.addr: "127.0.0.1:9080" is the main listener's, ":9080"`},
		{"a file in the socket's place", `"admin": {"open_metrics": true, "addr": "unix:DIR/file"}`, "admin.addr: DIR/file is there and is no socket"},
		{"a name that no socket can have", `"admin": {"open_metrics": true, "addr": "unix:DIR/` + strings.Repeat("a", maxSocketName) + `"}`, "admin.addr: got a name of "},
		{"an address over a network without TLS", `"addr": "192.0.2.7:0"`, "clients would know this server as http://192.0.2.7:0"},
		{"two documents at one path", `"resource": "https://db.example.com/.well-known/jwks.json", "local_issuer": {"dir": "DIR/keys", "url": "https://db.example.com/.well-known/oauth-protected-resource"}`, "both have a document at /.well-known/oauth-protected-resource/.well-known/jwks.json"},
		{"a duration of nothing", `"max_token_lifetime": "0s"`, `max_token_lifetime: got "0s": want more than none`},
		{"answers that never count", `"dpop": {"public_url": "https://db.example.com", "max_age": "0s"}`, `dpop.max_age: got "0s"`},
		{"a duration without unit, nearly", `"watch": "1ns"`, `watch: got "1ns": want a millisecond at least`},
		{"certificates in a header that nobody is believed for", `"client_certificates": "client-cert", "tls": {"cert_file": "DIR/cert", "key_file": "DIR/key"}`, `"client_certificates": "client-cert" needs "proxies"`},
		{"proofs beside a header that is ignored", `"dpop": {"public_url": "https://db.example.com"}, "token_places": {"ignore_authorization": true, "headers": ["X-Token"]}`, `dpop: a token with a proof`},
		{"a grace of nanoseconds", `"revocations": {"nats": {"servers": ["nats://127.0.0.1:4222"], "grace": "10ns"}}`, `grace: got "10ns"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, err := range []error{
				os.Mkdir(filepath.Join(dir, "open"), 0o700), os.Chmod(filepath.Join(dir, "open"), 0o777),
				os.Mkdir(filepath.Join(dir, "other"), 0o700), os.WriteFile(filepath.Join(dir, "other", "keyring.json"), nil, 0o600),
				os.Mkdir(filepath.Join(dir, "damaged"), 0o700), os.WriteFile(filepath.Join(dir, "damaged", strings.Repeat("0", 64)+".json"), nil, 0o600),
				os.Mkdir(filepath.Join(dir, "lost"), 0o700), os.WriteFile(filepath.Join(dir, "lost", "keyring.lock"), nil, 0o600),
				os.Mkdir(filepath.Join(dir, "foreign"), 0o700), os.WriteFile(filepath.Join(dir, "foreign", "notes"), nil, 0o600),
				os.Mkdir(filepath.Join(dir, "some"), 0o700), os.Symlink("some", filepath.Join(dir, "same")),
				os.WriteFile(filepath.Join(dir, "file"), []byte("of something else"), 0o600),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			settings := issuers + "," + test.file
			if !strings.HasPrefix(test.file, `"addr"`) {
				settings += `, "addr": "127.0.0.1:0"`
			}
			file := writeFile(t, "serve.json", strings.ReplaceAll("{"+settings+"}", "DIR", dir))
			want := strings.ReplaceAll(test.says, "DIR", dir)
			if got := invoke(t, "", "serve", "--config", file, "--check"); got.code != 2 || !strings.Contains(got.err, want) {
				t.Errorf("--check: got %+v, want exit code 2 and %q", got, want)
			}
			if got := invoke(t, "", "serve", "--config", file); got.code != 2 || !strings.Contains(got.err, want) {
				t.Errorf("a start: got %+v, want exit code 2 and %q", got, want)
			}
		})
	}
}

// TestServe_CheckDirsOfFlags: a directory that a flag names is one of its own, too.
func TestServe_CheckDirsOfFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := writeFile(t, "serve.json", `{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], "revocations": {"dir": "`+dir+`"}}`)
	for _, flag := range []string{"--key-cache-dir", "--local-issuer"} {
		if got := invoke(t, "", "serve", "--config", file, "--check", flag, dir); got.code != 2 || !strings.Contains(got.err, "want one of its own") {
			t.Errorf("%s: got %+v, want exit code 2", flag, got)
		}
	}
}

// TestServe_CheckAcceptsWhatAStartDoes: what looks like a contradiction and is none.
func TestServe_CheckAcceptsWhatAStartDoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, file := range map[string]string{
		"tokens of its own as long as permitted":    `"max_token_lifetime": "1h", "local_issuer": {"dir": "` + dir + `/keys", "token_lifetime": "1h"}`,
		"tokens of its own that never expire":       `"max_token_lifetime": "1h", "local_issuer": {"dir": "` + dir + `/keys"}`,
		"any free port for both listeners":          `"addr": "127.0.0.1:0", "admin": {"open_metrics": true, "addr": "127.0.0.1:0"}`,
		"one port at two addresses":                 `"addr": "192.0.2.7:9080", "resource": "https://db.example.com", "admin": {"open_metrics": true}`,
		"a directory that the first start makes":    `"revocations": {"dir": "` + dir + `/revocations"}`,
		"a name for this machine":                   `"addr": "localhost:8080"`,
		"all addresses, of which clients know none": `"addr": ":8080"`,
		"a look at no file":                         `"watch": "0s"`,
	} {
		t.Run(name, func(t *testing.T) {
			file := writeFile(t, "serve.json", `{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], `+file+`}`)
			if got := invoke(t, "", "serve", "--config", file, "--check"); got.code != 0 {
				t.Errorf("got %+v, want exit code 0", got)
			}
			if files, _ := os.ReadDir(dir); len(files) != 0 {
				t.Errorf("it made files: %v", files)
			}
		})
	}
}

// TestServe_CheckOnBehalfOfAnother: a person checks the file of a server that has a user of
// its own, whose directory is that user's.
func TestServe_CheckOnBehalfOfAnother(t *testing.T) {
	t.Parallel()
	dir := "/usr" // is root's
	if os.Geteuid() == 0 {
		dir = filepath.Join(t.TempDir(), "revocations")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	file := writeFile(t, "serve.json", `{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], "revocations": {"dir": "`+dir+`"}}`)
	if got := invoke(t, "", "serve", "--config", file, "--check"); got.code != 0 {
		t.Errorf("got %+v, want exit code 0", got)
	}
	if os.Geteuid() != 0 {
		return // whose directory the other one's would be
	}
	keys := writeFile(t, "keys.json", `{"local_issuer": {"dir": "`+dir+`", "audiences": ["a"]}}`)
	if got := invoke(t, "", "serve", "--config", keys, "--check"); got.code != 0 || !strings.Contains(got.err, "another user's, and its keys were not looked at") {
		t.Errorf("keys of another: got %+v, want exit code 0 and a line about it", got)
	}
	if got := invoke(t, "", "serve", "--config", keys); got.code != 2 || !strings.Contains(got.err, "belongs to another user") {
		t.Errorf("a start on keys of another: got %+v, want exit code 2", got)
	}
	// The keys say what their issuer is called, and nobody can read that here.
	for names, code := range map[string]int{
		`"https://a.example", "https://db.example"`: 0, `"https://db.example", "https://b.example"`: 2, `"https://{tenant}.example"`: 2,
	} {
		named := writeFile(t, "named.json", `{"issuers": [{"url": "https://a.example", "audiences": ["a"]}],
			"local_issuer": {"dir": "`+dir+`"}, "forward_auth": {"rules": [{"issuers": [`+names+`]}]}}`)
		if got := invoke(t, "", "serve", "--config", named, "--check"); got.code != code || code != 0 && !strings.Contains(got.err, "not accepted at all") {
			t.Errorf("rules for %s: got %+v, want exit code %d", names, got, code)
		}
	}
}
