package oidctest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/oidcauth/oidcauth/oidctest"
)

// get fetches a URL and returns the whole answer.
func get(t *testing.T, c *http.Client, url string) (*http.Response, []byte) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatalf("Get(%q) error = %v", url, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading %q: error = %v", url, err)
	}
	return resp, body
}

// discover fetches the discovery document.
func discover(t *testing.T, c *http.Client, iss *oidctest.Issuer) map[string]any {
	t.Helper()
	_, body := get(t, c, iss.DiscoveryURL())
	var document map[string]any
	if err := json.Unmarshal(body, &document); err != nil {
		t.Fatalf("discovery document: %v", err)
	}
	return document
}

func TestIssuer_URL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, url, discovery string
	}{
		{"default", "", "https://issuer.test/.well-known/openid-configuration"},
		{"trailing slash", "https://a.test/", "https://a.test/.well-known/openid-configuration"},
		{"path", "https://a.test/realms/x", "https://a.test/realms/x/.well-known/openid-configuration"},
		{"path with trailing slash", "https://a.test/t/", "https://a.test/t/.well-known/openid-configuration"},
		{"port and plain http", "http://127.0.0.1:8080", "http://127.0.0.1:8080/.well-known/openid-configuration"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			iss := oidctest.NewIssuer(t, oidctest.Config{URL: tt.url})
			if got := iss.DiscoveryURL(); got != tt.discovery {
				t.Errorf("DiscoveryURL() = %q, want %q", got, tt.discovery)
			}
			document := discover(t, iss.Client(), iss)
			if document["issuer"] != iss.URL() || (tt.url != "" && iss.URL() != tt.url) {
				t.Errorf("issuer = %q, URL() = %q, want %q", document["issuer"], iss.URL(), tt.url)
			}
			if document["jwks_uri"] != iss.JWKSURL() {
				t.Errorf("jwks_uri = %q, want %q", document["jwks_uri"], iss.JWKSURL())
			}
			_, body := get(t, iss.Client(), iss.JWKSURL())
			if string(body) != string(iss.KeySet()) {
				t.Errorf("key set = %s, want %s", body, iss.KeySet())
			}
		})
	}
}

// TestIssuer_PathIsNoMatterOfTaste: a client that loses the path of the issuer's URL, as
// one does that resolves "/.well-known/…" against it, finds nothing, here as elsewhere.
func TestIssuer_PathIsNoMatterOfTaste(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{URL: "https://a.test/realms/x"})
	for _, path := range []string{
		"/.well-known/openid-configuration", "/jwks.json", "/introspect",
		"/realms/.well-known/openid-configuration", "/realms/xx/jwks.json", "/realms/x/realms/x/jwks.json",
	} {
		if resp, _ := get(t, iss.Client(), "https://a.test"+path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status = %d, want 404", path, resp.StatusCode)
		}
	}
	for _, path := range []string{"/realms/x/jwks.json", "/moved/jwks.json"} {
		if resp, _ := get(t, iss.Client(), "https://a.test"+path); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status = %d, want 200", path, resp.StatusCode)
		}
	}
	removed := oidctest.NewIssuer(t, oidctest.Config{URL: "https://b.test/moved-here"})
	if resp, _ := get(t, removed.Client(), removed.JWKSURL()); resp.StatusCode != http.StatusOK {
		t.Errorf("below %s: status = %d, want 200", removed.URL(), resp.StatusCode)
	}
	if got := iss.Fetches(); got.Other != 6 || got.JWKS != 2 || got.Discovery != 0 {
		t.Errorf("Fetches() = %+v, want 6 others and 2 of the key set", got)
	}
}

// TestNewIssuer_JWKSPath: a path that would make the key set's address another host's, or
// one that is never served, is a mistake of the test.
func TestNewIssuer_JWKSPath(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"keys", ".json", "/keys?p=1", "/keys#all"} {
		f := &fatal{TB: t}
		done := make(chan struct{})
		go func() { defer close(done); oidctest.NewIssuer(f, oidctest.Config{JWKSPath: path}) }()
		<-done
		if !strings.Contains(f.message, "JWKSPath") {
			t.Errorf("JWKSPath %q: Fatalf(%q), want one that says so", path, f.message)
		}
	}
	iss := oidctest.NewIssuer(t, oidctest.Config{JWKSPath: "/oauth/keys"})
	if _, body := get(t, iss.Client(), iss.URL()+"/oauth/keys"); string(body) != string(iss.KeySet()) {
		t.Errorf("key set = %s", body)
	}
}

func TestIssuer_SetURL(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	iss.SetURL("https://new.test")
	if got := discover(t, iss.Client(), iss)["issuer"]; got != "https://new.test" {
		t.Errorf("issuer = %q, want https://new.test", got)
	}
	if got := payload(t, iss.Token(nil))["iss"]; got != "https://new.test" {
		t.Errorf("iss = %q, want https://new.test", got)
	}
}

func TestIssuer_SetDiscovery(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	iss.SetDiscovery(map[string]any{"issuer": "https://evil.test", "jwks_uri": nil})
	document := discover(t, iss.Client(), iss)
	if document["issuer"] != "https://evil.test" {
		t.Errorf("issuer = %q, want https://evil.test", document["issuer"])
	}
	if uri, ok := document["jwks_uri"]; ok {
		t.Errorf("jwks_uri = %q, want none", uri)
	}
	iss.SetDiscovery(nil)
	if got := discover(t, iss.Client(), iss)["jwks_uri"]; got != iss.JWKSURL() {
		t.Errorf("jwks_uri after SetDiscovery(nil) = %q, want %q", got, iss.JWKSURL())
	}
}

func TestIssuer_OtherPaths(t *testing.T) {
	t.Parallel()
	plain := oidctest.NewIssuer(t, oidctest.Config{})
	if resp, _ := get(t, plain.Client(), plain.URL()+"/token"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("status = %d, want 404", resp.StatusCode)
	}
	iss := oidctest.NewIssuer(t, oidctest.Config{
		Other: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method, r.URL.Path) }),
	})
	// A fault that only delays must not get in the handler's way.
	iss.FailNext(1, oidctest.Other, oidctest.Fault{Delay: 1})
	resp, err := iss.Client().Post(iss.URL()+"/token", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "POST/token" {
		t.Errorf("body = %q, want POST/token", body)
	}
	resp, err = iss.Client().Post(iss.JWKSURL(), "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST to the key set: status = %d, want 405", resp.StatusCode)
	}
}

func TestIssuer_Close(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := oidctest.NewIssuer(nil, oidctest.Config{})
		iss.Fail(oidctest.JWKS, oidctest.Fault{Hang: true})
		done := make(chan error)
		go func() {
			resp, err := iss.Client().Get(iss.JWKSURL())
			if err == nil {
				resp.Body.Close()
			}
			done <- err
		}()
		if err := iss.AwaitFetches(t.Context(), oidctest.JWKS, 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		iss.Close()
		if err := <-done; err == nil {
			t.Error("Get() during Close: error = nil")
		}
		iss.Close()
		_, err := iss.Client().Get(iss.JWKSURL())
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Get() after Close: error = %v, want %v", err, syscall.ECONNREFUSED)
		}
		if got, want := iss.Fetches(), (oidctest.Fetches{JWKS: 2, Refused: 1}); got != want {
			t.Errorf("Fetches() = %+v, want %+v", got, want)
		}
		if iss.Token(nil) == "" {
			t.Error("Token() after Close is empty")
		}
	})
}

// fatal is a TB that records instead of ending the test.
type fatal struct {
	testing.TB
	message string
}

func (f *fatal) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestIssuer_MistakesAreFatal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(*oidctest.Issuer)
		want string
	}{
		{"URL without scheme", func(i *oidctest.Issuer) { i.SetURL("issuer.test") }, `not an issuer URL: "issuer.test"`},
		{"unknown algorithm", func(i *oidctest.Issuer) { i.AddKey("RS1") }, `unknown algorithm "RS1"`},
		{"RSA key too short", func(i *oidctest.Issuer) { i.NewKey(oidctest.KeyConfig{Algorithm: "RS256", Bits: 8}) }, "new key"},
		{"algorithm the key cannot do", func(i *oidctest.Issuer) { i.Key().As("RS256") }, `cannot sign with algorithm "RS256"`},
		{"claim that is not JSON", func(i *oidctest.Issuer) { i.Token(map[string]any{"x": func() {}}) }, "payload"},
		{"header that is not JSON", func(i *oidctest.Issuer) { i.Sign(map[string]any{"x": func() {}}, "{}") }, "header"},
		{"informational status", func(i *oidctest.Issuer) { i.Fail(oidctest.JWKS, oidctest.Fault{Status: 100}) }, "status 100"},
		{"fault of an endpoint that there is none of", func(i *oidctest.Issuer) { i.Fail("keys", oidctest.Fault{Hang: true}) }, `no endpoint "keys"`},
		{"fault of the next request to such a one", func(i *oidctest.Issuer) { i.FailNext(1, "", oidctest.Fault{}) }, `no endpoint ""`},
		{"end of the faults of such a one", func(i *oidctest.Issuer) { i.Clear(oidctest.JWKS, "keys") }, `no endpoint "keys"`},
		{"caching of such a one", func(i *oidctest.Issuer) { i.SetCaching("keys", oidctest.Caching{ETag: true}) }, `no endpoint "keys"`},
		{"fault of fewer requests than none", func(i *oidctest.Issuer) { i.FailNext(-1, oidctest.JWKS, oidctest.Fault{}) }, "FailNext of -1"},
		{"discovery member that is not JSON", func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"x": func() {}}) }, "SetDiscovery"},
		{"element that is not JSON", func(i *oidctest.Issuer) { i.AddJWK(func() {}) }, "AddJWK"},
		{"nothing wrong", func(i *oidctest.Issuer) { i.Token(nil) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fatal{TB: t}
			iss := oidctest.NewIssuer(f, oidctest.Config{})
			done := make(chan struct{})
			go func() { defer close(done); tt.do(iss) }()
			<-done
			if !strings.Contains(f.message, tt.want) || (tt.want == "") != (f.message == "") {
				t.Errorf("Fatalf(%q), want it to contain %q", f.message, tt.want)
			}
		})
	}
}

func TestIssuer_WithoutTestPanics(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(nil, oidctest.Config{})
	defer iss.Close()
	defer func() {
		if recover() == nil {
			t.Error("SetURL(\"\") did not panic")
		}
	}()
	iss.SetURL("")
}

// An issuer made outside of bubbles can be used inside, one after another.
func TestIssuer_AcrossBubbles(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			iss.Fail(oidctest.JWKS, oidctest.Fault{Hang: true})
			ctx, cancel := context.WithTimeout(t.Context(), 1)
			defer cancel()
			r, _ := http.NewRequestWithContext(ctx, http.MethodGet, iss.JWKSURL(), nil)
			if _, err := iss.Client().Do(r); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Do() error = %v, want %v", err, context.DeadlineExceeded)
			}
			if err := iss.AwaitFetches(ctx, oidctest.JWKS, 100); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("AwaitFetches() error = %v, want %v", err, context.DeadlineExceeded)
			}
			iss.Clear()
			get(t, iss.Client(), iss.JWKSURL())
		})
	}
}
