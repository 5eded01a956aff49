package keyset_test

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// unreachable has the keys of an issuer, but not its discovery document, behind a
// network that fails.
type unreachable struct {
	*issuer
	err error
}

func (u unreachable) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.Contains(r.URL.Path, ".well-known") {
		return nil, u.err
	}
	return u.issuer.RoundTrip(r)
}

// Where a document names keys on a host that cannot be reached, the error says what to
// do, and only there.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	const hint = `; the discovery document names the host "keys.internal": if this server cannot reach that, set JWKSURL to where it reaches the keys`
	refusedConn := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	noName := &net.DNSError{Err: "no such host", Name: "keys.internal"}
	for _, tt := range []struct {
		name, keys, document, jwksURL string
		err                           error
		want                          bool
	}{
		{"another host, which refuses", "https://keys.internal/jwks", "", "", refusedConn, true},
		{"another host, whose name is not known", "https://keys.internal/jwks", "", "", noName, true},
		{"another host than the document's", "https://keys.internal/jwks", "https://elsewhere.example/.well-known/x", "", noName, true},
		{"the document's host, which is not the issuer's", "https://keys.internal/jwks", "https://KEYS.internal/.well-known/x", "", noName, false},
		{"the issuer's host", issuerURL + "/jwks", "", "", refusedConn, false},
		{"another host, and another failure", "https://keys.internal/jwks", "", "", errors.New("broken"), false},
		{"another host, which was configured", "", "", "https://keys.internal/jwks", refusedConn, false},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			i := newIssuer()
			i.jwksURL = tt.keys
			client, err := fetch.New(fetch.Config{HTTP: &http.Client{Transport: unreachable{i, tt.err}}})
			if err != nil {
				t.Fatal(err)
			}
			s := start(t, keyset.Config{Issuer: issuerURL, DiscoveryURL: tt.document, JWKSURL: tt.jwksURL, Fetch: client})
			got := s.Ready(t.Context())
			unavailable(t, got)
			if strings.HasSuffix(got.Error(), hint) != tt.want || strings.Contains(got.Error(), "names the host") != tt.want {
				t.Errorf("Ready() = %v, want it to end in %q: %t", got, hint, tt.want)
			}
		})
	}
}
