package proxies_test

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/envoyauth"
	"github.com/oidcauth/oidcauth/dpop"
)

// serveFor starts what a proxy asks: oidcauth, or a program with adapters/envoyauth.
func (w *world) serveFor(t *testing.T, p proxy, more map[string]any) {
	t.Helper()
	if !p.grpc {
		w.serve(t, p.dialect, more)
		return
	}
	w.stop()
	w.log = new(output)
	var trusted []oidcauth.Issuer
	for _, url := range []string{w.issuer.URL(), w.broken.URL()} {
		trusted = append(trusted, oidcauth.Issuer{
			URL: url, Audiences: []string{"https://api.example.com"}, Roles: []oidcauth.Path{{"roles"}},
			Keys: oidcauth.KeysFrom{InsecureHTTP: true},
		})
	}
	proofs, err := dpop.New(dpop.Config{PublicURL: "https://api.example.com", Nonces: true})
	if err != nil {
		t.Fatal(err)
	}
	auth, err := oidcauth.New(oidcauth.Config{
		DPoP: proofs, Certificate: envoyauth.Certificate, Issuers: trusted, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Logger: slog.New(slog.NewTextHandler(w.log, nil)),
		ResourceMetadataURL: "https://api.example.com/.well-known/oauth-protected-resource",
		Extract:             oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.SubprotocolToken, oidcauth.CookieToken("session", page)),
	})
	if err != nil {
		t.Fatal(err)
	}
	preflight, _ := more["preflight"].(bool)
	answers, err := envoyauth.New(envoyauth.Config{
		Authenticator: auth, Authorize: mayAsThePage, Preflight: preflight,
		Headers: []envoyauth.Header{
			{Name: "X-Auth-Identity", Values: func(c *oidcauth.Claims) []string { return []string{c.Identity().String()} }},
			{Name: "X-Auth-Issuer", Values: func(c *oidcauth.Claims) []string { return []string{c.Issuer()} }},
			{Name: "X-Auth-Subject", Values: func(c *oidcauth.Claims) []string { return []string{c.Subject()} }},
			{Name: "X-Auth-Roles", Values: func(c *oidcauth.Claims) []string { return slices.Collect(c.Roles()) }},
			{Name: "X-Auth-Scopes", Values: func(c *oidcauth.Claims) []string { return slices.Collect(c.Scopes()) }},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:"+w.oidcauth)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, answers)
	go server.Serve(ln)
	stop := func() { server.Stop(); auth.Close() }
	t.Cleanup(stop)
	w.stop = stop
}

// mayAsThePage are the rules of the page's configuration, in Go.
func mayAsThePage(r *http.Request) error {
	below := func(path string) bool { return r.URL.Path == path || strings.HasPrefix(r.URL.Path, path+"/") }
	switch {
	case below("/admin"), envoyauth.Extensions(r.Context())["for"] == "admins":
		return oidcauth.Require(r.Context(), oidcauth.HasRole("admin"))
	case below("/items") && (r.Method == http.MethodGet || r.Method == http.MethodHead), below("/socket"):
		return nil
	case below("/items"):
		return oidcauth.Require(r.Context(), oidcauth.HasScope("items:write"))
	}
	return oidcauth.ErrForbidden
}

// TestEnvoy_Route: the program knows the route that Envoy has chosen, whatever clients say.
func TestEnvoy_Route(t *testing.T) {
	t.Parallel()
	p := proxies[slices.IndexFunc(proxies, func(p proxy) bool { return p.grpc })]
	w := newWorld(t, binary)
	w.serveFor(t, p, nil)
	dir := t.TempDir()
	w.write(t, dir, append([]string{"route.grpc.yaml"}, p.files...)...)
	part{"route.grpc.yaml", "envoy.yaml", "                        - match: {prefix: /}\n", "before"}.put(t, dir)
	_, printed := w.run(t, p.name, p.command(t, dir))
	await(t, w.front, printed)
	w.ready(t)
	admin, user := token(w.issuer, []string{"admin"}, ""), token(w.issuer, nil, "")
	for _, tt := range []struct {
		target, token string
		status        int
	}{
		{"/reports", admin, 200}, {"/reports/1", admin, 200}, {"/reports", user, 403}, {"/reports/1", user, 403}, {"/others", admin, 403}, {"/items", user, 200},
	} {
		if got := w.get(t, "GET", tt.target, tt.token, "for", "admins"); got.status != tt.status {
			t.Errorf("%s: %+v, want %d", tt.target, got, tt.status)
		}
	}
}
