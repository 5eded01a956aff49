package envoyauth_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/envoyauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

// askedBy is Envoy's question about a request with a token, from an address.
func askedBy(address, token string) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: address},
		}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Path: "/", Headers: map[string]string{"authorization": "Bearer " + token},
		}},
	}}
}

// What tokens cause is on the account of the client that Envoy names, so that one who
// makes tokens up uses up nobody else's turns.
func TestCheck_Caller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { testCaller(t, askedBy) })
}

// So it is where one of Config.Proxies stands before Envoy, and names the client.
func TestCheck_CallerBehindAProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		testCaller(t, func(address, token string) *authv3.CheckRequest {
			question := askedBy("10.0.0.1", token)
			question.Attributes.Request.Http.Headers["x-forwarded-for"] = address + ", 10.0.0.1"
			return question
		})
	})
}

func testCaller(t *testing.T, askedBy func(address, token string) *authv3.CheckRequest) {
	const issuer = "https://issuer.test"
	auth, err := oidcauth.New(oidcauth.Config{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Issuers: []oidcauth.Issuer{{
		URL: issuer, Audiences: []string{"my-db"},
		Introspect: func(ctx context.Context, token string) (json.RawMessage, error) {
			if strings.HasPrefix(token, "made-up") {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return json.RawMessage(fmt.Sprintf(`{"active":true,"sub":"alice","aud":"my-db","exp":%d}`, time.Now().Add(time.Hour).Unix())), nil
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	answers, err := envoyauth.New(envoyauth.Config{Authenticator: auth})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	defer func() { cancel(); auth.Close(); flood.Wait() }()
	for n := range 100 {
		flood.Go(func() { answers.Check(ctx, askedBy("203.0.113.9", fmt.Sprint("made-up-", n))) })
	}
	synctest.Wait()
	began := time.Now()
	got, err := answers.Check(t.Context(), askedBy("198.51.100.7", "good"))
	if waited := time.Since(began); err != nil || got.GetOkResponse() == nil || waited > 0 {
		t.Errorf("another client: %v, %v after %v, want it to pass at once", got, err, waited)
	}
}

// The log, and the program that says who may, know the client by the address that Envoy
// names, and by no header.
func TestCheck_ClientAddress(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	var log authtest.Log
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}}, Client: iss.Client(),
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	var seen string
	answers, err := envoyauth.New(envoyauth.Config{Authenticator: auth, Authorize: func(r *http.Request) error {
		seen = r.RemoteAddr
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	check := func(question *authv3.CheckRequest) {
		question.Attributes.Source.Address.GetSocketAddress().PortSpecifier = &corev3.SocketAddress_PortValue{PortValue: 4711}
		question.Attributes.Request.Http.Headers["x-forwarded-for"] = "198.51.100.7"
		if _, err := answers.Check(t.Context(), question); err != nil {
			t.Fatal(err)
		}
	}
	check(askedBy("203.0.113.9", "x"))
	if line := log.String(); !strings.Contains(line, " client=203.0.113.9") {
		t.Errorf("the log has %q, want the client", line)
	}
	malformed := askedBy("203.0.113.9", "x")
	malformed.Attributes.Request.Http.Path = ""
	check(malformed)
	if lines := log.String(); strings.Count(lines, " client=203.0.113.9") != 2 {
		t.Errorf("of a question without a path, too, the log has %q, want the client", lines)
	}
	check(askedBy("203.0.113.9", iss.Token(map[string]any{"aud": "my-db"})))
	if seen != "203.0.113.9:4711" {
		t.Errorf("Authorize got the address %q, want the client's", seen)
	}
	check(askedBy("/run/socket", iss.Token(map[string]any{"aud": "my-db"})))
	if seen != "" {
		t.Errorf("Authorize got the address %q of a socket without one", seen)
	}
}

// The log, and the program that words the answer, know whom Authorize has refused, and where.
func TestCheck_WhoIsForbidden(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	var log authtest.Log
	worded := ""
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}}, Client: iss.Client(),
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		WriteRefusal: func(_ http.ResponseWriter, r *http.Request, _ error) {
			worded = ""
			if claims, ok := oidcauth.FromContext(r.Context()); ok {
				worded = claims.Subject()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	answers, err := envoyauth.New(envoyauth.Config{Authenticator: auth, Authorize: func(*http.Request) error { return oidcauth.ErrForbidden }})
	if err != nil {
		t.Fatal(err)
	}
	fails, err := envoyauth.New(envoyauth.Config{Authenticator: auth, Headers: []envoyauth.Header{{Name: "X-A", Values: func(*oidcauth.Claims) []string { panic("of Values") }}}})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	lines := func() string { // since the last time
		all := log.String()
		defer func() { seen = len(all) }()
		return all[seen:]
	}
	for _, tt := range []struct {
		name   string
		server *envoyauth.Server
		path   string
	}{{"by the program", answers, "/forbidden"}, {"by the path", answers, "/public//forbidden"}, {"by a header that fails", fails, "/failed"}} {
		lines()
		question := askedBy("203.0.113.9", iss.Token(map[string]any{"aud": "my-db", "sub": "alice"}))
		question.Attributes.Request.Http.Path = tt.path
		if got, err := tt.server.Check(t.Context(), question); err != nil || got.GetDeniedResponse() == nil {
			t.Fatalf("%s: %v, %v", tt.name, got, err)
		}
		line := strings.TrimSuffix(lines(), "\n")
		for _, want := range []string{" issuer=" + iss.URL(), " subject=alice", " path=" + tt.path + " "} {
			if !strings.Contains(line+" ", want) {
				t.Errorf("%s: the log has %q, and no%s", tt.name, line, want)
			}
		}
		if worded != "alice" {
			t.Errorf("%s: the answer is worded for %q", tt.name, worded)
		}
	}
	lines()
	forged := askedBy("203.0.113.9", iss.Token(map[string]any{"aud": "my-db", "sub": "alice"})+"AAAA")
	if _, err := answers.Check(t.Context(), forged); err != nil || worded != "" || strings.Contains(lines(), "alice") {
		t.Errorf("of a forged token the log names alice, or it is worded for %q: %v", worded, err)
	}
}

// A token that is bound to a certificate passes with that which the client has shown to
// Envoy, and with nothing that stands in a header.
func TestCheck_Certificate(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}}, Client: iss.Client(), Certificate: envoyauth.Certificate,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	answers, err := envoyauth.New(envoyauth.Config{Authenticator: auth})
	if err != nil {
		t.Fatal(err)
	}
	own, other := authtest.NewCertificate(t), authtest.NewCertificate(t)
	bound := iss.Token(map[string]any{"aud": "my-db", "cnf": map[string]any{"x5t#S256": possession.Thumbprint(own)}})
	for name, tt := range map[string]struct {
		shown  string
		status int
	}{
		"its own":       {escaped(own), 200},
		"another":       {escaped(other), 401},
		"none":          {"", 401},
		"no URL":        {"%zz", 400},
		"no PEM":        {"x", 400},
		"two":           {escaped(own) + escaped(own), 400},
		"a letter more": {escaped(own) + "x", 400},
		"a line more":   {escaped(own) + "%0A", 200},
		"a broken one":  {url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))), 400},
		"another thing": {url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: own.Raw}))), 400},
	} {
		question := askedBy("203.0.113.9", bound)
		question.Attributes.Source.Certificate = tt.shown
		question.Attributes.Request.Http.Headers["x-forwarded-client-cert"] = `Cert="` + escaped(own) + `"`
		got, err := answers.Check(t.Context(), question)
		if err != nil {
			t.Fatal(err)
		}
		status := 200
		if denied := got.GetDeniedResponse(); denied != nil {
			status = int(denied.GetStatus().GetCode())
		}
		if status != tt.status {
			t.Errorf("%s: status %d, want %d: %v", name, status, tt.status, got)
		}
	}
	if c, err := envoyauth.Certificate(new(http.Request)); c != nil || err != nil {
		t.Errorf("Certificate() = %v, %v of a request that Envoy has not asked about", c, err)
	}
}

// escaped is a certificate as Envoy writes it.
func escaped(c *x509.Certificate) string {
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	return strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace(text)
}
