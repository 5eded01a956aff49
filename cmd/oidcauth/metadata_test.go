package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestMetadata(t *testing.T) {
	t.Parallel()
	a, b := startIssuer(t), startIssuer(t)
	s := serveFor(t, a, "--issuer", b.URL())
	got := decode[struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Methods  []string `json:"bearer_methods_supported"`
	}](t, s.get(t, metadataPath, ""))
	if got.Resource != s.url || strings.Join(got.Servers, " ") != a.URL()+" "+b.URL() || strings.Join(got.Methods, " ") != "header" {
		t.Errorf("got %+v", got)
	}
	challenge := s.get(t, "/v1/whoami", "").header.Get("WWW-Authenticate")
	if want := `resource_metadata="` + s.url + metadataPath + `"`; !strings.Contains(challenge, want) {
		t.Errorf("challenge = %q, want it to contain %q", challenge, want)
	}
}

// TestMetadata_Bound: clients find out how they have to prove possession, and whether.
func TestMetadata_Bound(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	const dpop = `, "dpop": {"algorithms": ["ES256", "EdDSA"]}`
	for name, test := range map[string]struct {
		issuer, more string
		want         string
	}{
		"bearers":                 {"", "", ""},
		"proofs":                  {"", dpop, `"dpop_signing_alg_values_supported":["ES256","EdDSA"]`},
		"proofs alone":            {`, "bound": "require"`, dpop, `"dpop_signing_alg_values_supported":["ES256","EdDSA"],"dpop_bound_access_tokens_required":true`},
		"proofs but of strangers": {`, "bound": "require"`, dpop + `, "any_issuer": {"audiences": ["my-db"]}`, `"dpop_signing_alg_values_supported":["ES256","EdDSA"]`},
		"proofs of either kind":   {`, "bound": "require"`, dpop + `, "client_certificates": "client-cert", "proxies": ["127.0.0.1/32"]`, `"dpop_signing_alg_values_supported":["ES256","EdDSA"],"tls_client_certificate_bound_access_tokens":true`},
	} {
		config := fmt.Sprintf(`{"resource": "https://db.example.com", "issuers": [%s]%s}`, described(iss, test.issuer), test.more)
		got := serve(t, "--config", writeFile(t, "config.json", config)).get(t, metadataPath, "")
		_, after, _ := strings.Cut(got.body, `"bearer_methods_supported":["header"]`)
		if after = strings.Trim(strings.TrimSpace(after), ",}"); after != test.want {
			t.Errorf("%s: %s, want %s at the end", name, got.body, test.want)
		}
		if allowed := got.header.Get("Access-Control-Allow-Origin"); allowed != "*" {
			t.Errorf("%s: pages of %q may read it, want all", name, allowed)
		}
	}
}

// TestMetadata_UnknownAddress: a server on all interfaces does not know by which
// of its names a client calls it, and must not publish a wrong one.
func TestMetadata_UnknownAddress(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serveFor(t, iss, "--addr", "0.0.0.0:0")
	s.url = strings.Replace(strings.Replace(s.url, "[::]", "127.0.0.1", 1), "0.0.0.0", "127.0.0.1", 1)
	if got := s.get(t, metadataPath, ""); got.status != 404 {
		t.Errorf("status = %d, want 404", got.status)
	}
	if got := s.get(t, "/v1/whoami", "").header.Get("WWW-Authenticate"); got != `Bearer realm="api"` {
		t.Errorf("challenge = %q, want one without metadata", got)
	}
}

func TestNewMetadata(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		resource string
		url      string // empty: refused
	}{
		{"https://db.example.com", "https://db.example.com" + metadataPath},
		{"https://db.example.com/", "https://db.example.com" + metadataPath},
		{"https://db.example.com:8443/chat", "https://db.example.com:8443" + metadataPath + "/chat"},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080" + metadataPath},
		{"http://[::1]:8080", "http://[::1]:8080" + metadataPath},
		{"http://localhost:8080", "http://localhost:8080" + metadataPath},
		{"http://db.example.com", ""},
		{"http://127.0.0.1.example.com", ""},
		{"https://user@db.example.com", ""},
		{"https://db.example.com/?a=b", ""},
		{"https://db.example.com/#a", ""},
		{"https://db.example.com/{a}", ""},
		{"https://db.example.com//a", ""},
		{"https://db.example.com/a/../b", ""},
		{"https://db.example.com/./", ""},
		{"https:///path", ""},
		{"db.example.com", ""},
		{"https://db.example.com/%zz", ""},
		{`https://db.example.com/a"b`, "https://db.example.com" + metadataPath + "/a%22b"},
	} {
		m, err := newMetadata(test.resource)
		switch {
		case test.url == "" && err == nil:
			t.Errorf("%q was not refused", test.resource)
		case test.url != "" && err != nil:
			t.Errorf("%q: error = %v", test.resource, err)
		case test.url != "" && m.url != test.url:
			t.Errorf("%q: metadata at %s, want %s", test.resource, m.url, test.url)
		}
	}
}

func TestMetadata_OfAResourceWithAPath(t *testing.T) {
	t.Parallel()
	s := serveFor(t, startIssuer(t), "--resource", "https://db.example.com/chat")
	if got := s.get(t, metadataPath+"/chat", ""); got.status != 200 {
		t.Errorf("status = %d, want 200", got.status)
	}
	if got := s.get(t, metadataPath, ""); got.status != 404 {
		t.Errorf("at the place of another resource: status = %d, want 404", got.status)
	}
}

func TestServe_WrongResource(t *testing.T) {
	t.Parallel()
	if s, code := tryServe(t, "--issuer", "https://a.example", "--audience", "b", "--resource", "http://db.example.com"); s != nil || code != 2 {
		t.Errorf("exit code = %d, want 2", code)
	}
}
