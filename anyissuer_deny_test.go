package oidcauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/dnstest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A host that is public by its address and denied by the configuration is
// connected to at no hop, and the caller cannot tell it from one that is not
// there.
func TestAnyIssuer_Deny(t *testing.T) {
	const everything = `{"audiences": ["my-db"], "deny_prefixes": ["127.0.0.2/32"], "deny_hosts": ["inside.example.com"]}`
	inside := listen(t, "127.0.0.2:0")
	_, port, _ := net.SplitHostPort(inside.addr().String())
	tests := []struct {
		name     string
		settings string
		way      func(*oidctest.Issuer)
		want     error
	}{
		{"keys inside", everything, keysAt("https://inside.example.com:" + port + "/jwks.json"), oidcauth.ErrUnknownIssuer},
		{"keys inside, by prefix", `{"audiences": ["my-db"], "deny_prefixes": ["127.0.0.2/32"]}`, keysAt("https://alias.example.com:" + port + "/jwks.json"), oidcauth.ErrUnknownIssuer},
		{"keys inside, by name", `{"audiences": ["my-db"], "deny_hosts": ["inside.example.com"]}`, keysAt("https://git.inside.example.com:" + port + "/jwks.json"), oidcauth.ErrUnknownIssuer},
		{"discovery redirects inside", everything, func(i *oidctest.Issuer) {
			i.Fail(oidctest.Discovery, oidctest.Fault{Redirect: "https://inside.example.com:" + port + "/"})
		}, oidcauth.ErrUnknownIssuer},
		{"nothing inside", everything, func(*oidctest.Issuer) {}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := inside.accepted.Load()
			p := listen(t, "127.0.0.1:0")
			a, log := denying(t, p, inside, tt.settings)
			tt.way(p.Issuer)
			wants(t, a, p.Token(nil), tt.want)
			if n := inside.accepted.Load() - before; n != 0 {
				t.Errorf("%d connections were made inside", n)
			}
			if tt.want != nil && !strings.Contains(log.String(), "denied by the configuration") && !strings.Contains(log.String(), "redirect") {
				t.Errorf("the log does not say why:\n%s", log)
			}
		})
	}
	t.Run("twin, nothing denied", func(t *testing.T) {
		p := listen(t, "127.0.0.1:0")
		a, _ := denying(t, p, inside, `{"audiences": ["my-db"]}`)
		keysAt("https://inside.example.com:" + port + "/jwks.json")(p.Issuer)
		before := inside.accepted.Load()
		wants(t, a, p.Token(nil), oidcauth.ErrSignature) // of a key inside that has the same ID
		if inside.accepted.Load() == before {
			t.Error("no connection was made")
		}
	})
	t.Run("the issuer itself", func(t *testing.T) {
		a, _ := denying(t, inside, inside, everything)
		inside.SetURL("https://inside.example.com:" + port)
		wants(t, a, inside.Token(nil), oidcauth.ErrUnknownIssuer)
		if _, err := a.UnverifiedClaims([]byte(`{"iss":"https://inside.example.com:`+port+`","sub":"alice"}`), nil); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
			t.Errorf("UnverifiedClaims() error = %v, want %v", err, oidcauth.ErrUnknownIssuer)
		}
	})
}

func keysAt(url string) func(*oidctest.Issuer) {
	return func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"jwks_uri": url}) }
}

// denying is an Authenticator with the settings, as a file would have them, for
// which both servers are public.
func denying(t *testing.T, p, inside *public, settings string) (*oidcauth.Authenticator, *logBuffer) {
	t.Helper()
	var any oidcauth.AnyIssuer
	if err := json.Unmarshal([]byte(settings), &any); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(p.server.Certificate())
	names := dnstest.New(func(name string, _ int) []netip.Addr {
		if strings.Contains(name, "inside.") || strings.HasPrefix(name, "alias.") {
			return []netip.Addr{inside.addr().Addr()}
		}
		return []netip.Addr{p.addr().Addr()}
	})
	log := new(logBuffer)
	return newAuthenticator(t, oidcauth.Config{
		AnyIssuer: oidcauth.WithNetwork(any, names.Resolver(t), func(to netip.AddrPort) bool { return to == p.addr() || to == inside.addr() }),
		Client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: roots, ServerName: "example.com",
		}}},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}), log
}
