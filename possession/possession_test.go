package possession_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/possession"
)

// The path of an address is the one that was asked for, whatever else a request says.
func TestURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, target, host, want string }{
		{"a path", "/v1/call", "db.example.com", "http://db.example.com/v1/call"},
		{"a query", "/v1/call?a=b?c#d", "db.example.com", "http://db.example.com/v1/call"},
		{"an escaped slash", "/v1%2Fcall", "db.example.com", "http://db.example.com/v1%2Fcall"},
		{"two slashes in front", "//v1/call", "db.example.com", "http://db.example.com//v1/call"},
		{"what would be a fragment", "/v1/call#/admin", "db.example.com", "http://db.example.com/v1/call%23/admin"},
		{"an absolute form", "http://db.example.com/v1/call?x", "db.example.com", "http://db.example.com/v1/call"},
		{"an absolute form without path", "http://db.example.com?x", "db.example.com", "http://db.example.com"},
		{"an absolute form without host", "http:/v1/call", "db.example.com", "http://db.example.com/v1/call"},
		{"the server as a whole", "*", "db.example.com", "http://db.example.com"},
		{"a host with a path", "/v1/admin", "db.example.com/v1/call", "http:///v1/admin"},
		{"a host with a query", "/v1/admin", "db.example.com/v1/call?", "http:///v1/admin"},
		{"a host with a fragment", "/v1/admin", "db.example.com#", "http:///v1/admin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, tt.target)
			r.Host = tt.host
			if got := possession.URL(r); got != tt.want {
				t.Errorf("URL() = %q, want %q", got, tt.want)
			}
			// A handler further in sees a part of the path, and the same address.
			r.URL.Path, r.URL.RawPath = "/call", ""
			if got := possession.URL(r); got != tt.want {
				t.Errorf("URL() = %q behind http.StripPrefix, want %q", got, tt.want)
			}
			r.TLS = new(tls.ConnectionState)
			if got := possession.URL(r); got != "https"+strings.TrimPrefix(tt.want, "http") {
				t.Errorf("URL() = %q with TLS", got)
			}
		})
	}
	made := &http.Request{Host: "db.example.com", URL: &url.URL{Path: "/v1/call?#"}}
	if got, want := possession.URL(made), "http://db.example.com/v1/call%3F%23"; got != want {
		t.Errorf("URL() = %q of a request that no server has read, want %q", got, want)
	}
}

// request reads a request as a server does.
func request(t *testing.T, target string) *http.Request {
	t.Helper()
	method := "GET "
	if target == "*" {
		method = "OPTIONS "
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + target + " HTTP/1.1\r\nHost: db.example.com\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A token was sent under the scheme that is said, or else under the one that fits what
// came beside it.
func TestProof_IsDPoP(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		proof possession.Proof
		want  bool
	}{
		{possession.Proof{}, false},
		{possession.Proof{DPoP: "proof"}, true},
		{possession.Proof{Scheme: "DPoP"}, true},
		{possession.Proof{Scheme: "dpop", DPoP: "proof"}, true},
		{possession.Proof{Scheme: "Bearer"}, false},
		{possession.Proof{Scheme: "Bearer", DPoP: "proof"}, false},
	} {
		if got := tt.proof.IsDPoP(); got != tt.want {
			t.Errorf("IsDPoP() = %t of %v, want %t", got, tt.proof, tt.want)
		}
	}
}

// What is printed says what came, without the proof by a key.
func TestProof_Shows(t *testing.T) {
	t.Parallel()
	certificate := &x509.Certificate{Raw: []byte("certificate")}
	for want, p := range map[string]possession.Proof{
		`{scheme: "", DPoP: none, method: "", url: "", certificate: ""}`: {},
		`{scheme: "DPoP", DPoP: some, method: "GET", url: "https://db.example.com/", certificate: ""}`: {
			Scheme: "DPoP", DPoP: "eyJ.proof", Method: "GET", URL: "https://db.example.com/"},
		`{scheme: "Bearer", DPoP: none, method: "", url: "", certificate: "` + possession.Thumbprint(certificate) + `"}`: {
			Scheme: "Bearer", Certificate: certificate},
	} {
		text, err := p.MarshalText()
		if err != nil || string(text) != want {
			t.Errorf("MarshalText() = %s, %v, want %s", text, err, want)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			if got := fmt.Sprintf(verb, p); got != want {
				t.Errorf("%s: got %s, want %s", verb, got, want)
			}
		}
	}
}

// A nil context holds nothing, and may be given something.
func TestFromContext_Nil(t *testing.T) {
	t.Parallel()
	var none context.Context
	if p, ok := possession.FromContext(none); ok || p != (possession.Proof{}) {
		t.Errorf("FromContext(nil) = %+v, %t", p, ok)
	}
	if p, ok := possession.FromContext(possession.NewContext(none, possession.Proof{DPoP: "x"})); !ok || p.DPoP != "x" {
		t.Errorf("FromContext() = %+v, %t", p, ok)
	}
}
