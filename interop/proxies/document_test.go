package proxies_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// document is the page whose files are run.
const document = "../../docs/deploy.md"

// files returns the blocks of the page that have a file's name above them.
func files(t testing.TB) map[string]string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, match := range regexp.MustCompile("(?ms)^<!-- file: (\\S+) -->\n```[a-z]+\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		found[match[1]] = match[2]
	}
	if len(found) != strings.Count(string(text), "<!-- file:") {
		t.Fatalf("%d files are found in %s, named are %d", len(found), document, strings.Count(string(text), "<!-- file:"))
	}
	return found
}

// write puts files of the page into dir, with the addresses of the test.
func (w *world) write(t testing.TB, dir string, names ...string) {
	t.Helper()
	all := files(t)
	for _, name := range names {
		text, found := all[name]
		if !found {
			t.Fatalf("%s: no file %s", document, name)
		}
		for port, own := range map[string]string{"8000": w.front, "8080": w.oidcauth, "8081": w.second, "9000": w.service} {
			text = regexp.MustCompile(`(:|port_value: )`+port+`\b`).ReplaceAllString(text, "${1}"+own)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// settings returns the page's configuration of oidcauth with the test's issuers, for a
// proxy, and with further settings of "forward_auth".
func (w *world) settings(t testing.TB, dialect string, more map[string]any) []byte {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal([]byte(files(t)["oidcauth.json"]), &file); err != nil {
		t.Fatal(err)
	}
	described := file["issuers"].([]any)[0].(map[string]any)
	var issuers []any
	for _, url := range []string{w.issuer.URL(), w.broken.URL()} {
		own := map[string]any{"url": url, "keys": map[string]any{"insecure_http": true}}
		for name, value := range described {
			if name != "url" {
				own[name] = value
			}
		}
		issuers = append(issuers, own)
	}
	file["issuers"], file["addr"] = issuers, "127.0.0.1:"+w.oidcauth
	file["proxies"] = []string{"127.0.0.1/32"}
	if w.certificates != "" {
		file["client_certificates"] = w.certificates
	}
	file["local_issuer"] = map[string]any{"dir": w.keys, "allow_origins": []string{page}}
	file["dpop"] = map[string]any{"nonces": true} // for "resource"
	forward := file["forward_auth"].(map[string]any)
	forward["proxy"] = dialect
	for name, value := range more {
		forward[name] = value
	}
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
