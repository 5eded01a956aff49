package oidcauth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/mtls"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

// over returns a request over a connection with this certificate, nil for none.
func over(c *x509.Certificate, token string) *http.Request {
	r := httptest.NewRequest("POST", "/v1/call", nil)
	r.TLS = new(tls.ConnectionState)
	if c != nil {
		r.TLS.PeerCertificates = []*x509.Certificate{c}
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// boundTo returns claims of a token that is bound to a certificate.
func boundTo(c *x509.Certificate) map[string]any {
	return map[string]any{"cnf": map[string]any{"x5t#S256": possession.Thumbprint(c)}}
}

// A token that is bound to a certificate is good over connections with that alone, and
// any other over each.
func TestMiddleware_Certificate(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	mine, theirs := authtest.NewCertificate(t), authtest.NewCertificate(t)
	failed := errors.New("the program's own")
	var fail error
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(),
		Certificate: func(r *http.Request) (*x509.Certificate, error) {
			if fail != nil {
				return nil, fail
			}
			return mtls.Connection(r)
		}})
	token, bearer := issuer.Token(boundTo(mine)), issuer.Token(nil)
	for _, tt := range []struct {
		name string
		r    *http.Request
		fail error
		want error
	}{
		{"its certificate", over(mine, token), nil, nil},
		{"its certificate again", over(mine, token), nil, nil},
		{"another", over(theirs, token), nil, oidcauth.ErrProof},
		{"none", over(nil, token), nil, oidcauth.ErrProof},
		{"a bearer token, none", over(nil, bearer), nil, nil},
		{"a bearer token, any", over(theirs, bearer), nil, nil},
		{"nobody can say", over(mine, token), failed, oidcauth.ErrAnswerUnavailable},
		{"nobody needs to say", over(mine, bearer), failed, nil},
	} {
		fail = tt.fail
		if _, err := a.AuthenticateRequest(tt.r); !errors.Is(err, tt.want) {
			t.Errorf("%s: AuthenticateRequest() error = %v, want %v", tt.name, err, tt.want)
		}
	}
	fail = nil
	answer := httptest.NewRecorder()
	a.Middleware(http.NotFoundHandler()).ServeHTTP(answer, over(theirs, token))
	if got := answer.Header().Get("WWW-Authenticate"); answer.Code != 401 || got != `Bearer error="invalid_token", error_description="possession of what the token is bound to was not proved"` {
		t.Errorf("status %d, challenge %s", answer.Code, got)
	}
	ctx := possession.NewContext(t.Context(), possession.Proof{Certificate: mine})
	if _, err := a.Authenticate(ctx, token); err != nil {
		t.Errorf("Authenticate() error = %v", err)
	}
	wants(t, a, token, oidcauth.ErrProof)
}

// A header counts that one of Config.Proxies has set.
func TestMiddleware_CertificateOfProxy(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	c := authtest.NewCertificate(t)
	token := issuer.Token(boundTo(c))
	for _, tt := range []struct {
		name    string
		proxies []netip.Prefix
		want    error
	}{
		{"a proxy that is named", []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, nil},
		{"another", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, oidcauth.ErrProof},
		{"none", nil, oidcauth.ErrProof},
	} {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Proxies: tt.proxies, Certificate: mtls.Header(mtls.ClientCert)})
		header := ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":"
		r := over(nil, token)
		r.Header.Set("Client-Cert", header)
		if _, err := a.AuthenticateRequest(r); !errors.Is(err, tt.want) {
			t.Errorf("%s: AuthenticateRequest() error = %v, want %v", tt.name, err, tt.want)
		}
		r = over(nil, token)
		r.Header["Client-Cert"] = []string{header, header}
		want := oidcauth.ErrMalformedRequest
		if tt.want != nil {
			want = tt.want
		}
		if _, err := a.AuthenticateRequest(r); !errors.Is(err, want) {
			t.Errorf("%s: AuthenticateRequest() error = %v for two headers, want %v", tt.name, err, want)
		}
	}
}

// A session over a connection goes on under tokens for the same certificate alone, and
// so does one that a ticket opens.
func TestSession_RenewCertificate(t *testing.T) {
	t.Parallel()
	const page = "https://app.example.com"
	issuer, trusted := newIssuer(t, oidctest.Config{})
	local := newLocal(t, localissuer.Config{})
	mine, theirs := authtest.NewCertificate(t), authtest.NewCertificate(t)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client(), Certificate: mtls.Connection})
	claims, err := a.AuthenticateRequest(over(mine, issuer.Token(boundTo(mine))))
	if err != nil {
		t.Fatal(err)
	}
	buyer := over(mine, "")
	buyer.Header.Set("Origin", page)
	ticket, err := local.Ticket(buyer, claims, "chat")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*x509.Certificate{"another certificate": theirs, "none": nil} {
		r := over(c, "")
		r.Header.Set("Origin", page)
		if _, err := a.AuthenticateTicket(r, ticket, "chat"); !errors.Is(err, oidcauth.ErrProof) {
			t.Errorf("AuthenticateTicket() error = %v with %s, want %v", err, name, oidcauth.ErrProof)
		}
	}
	fromTicket, err := a.AuthenticateTicket(buyer, ticket, "chat")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*oidcauth.Claims{"a request": claims, "a ticket": fromTicket} {
		s := a.NewSession(t.Context(), c)
		for _, tt := range []struct {
			name   string
			claims map[string]any
			want   error
		}{
			{"the same certificate", boundTo(mine), nil}, {"another", boundTo(theirs), oidcauth.ErrProof}, {"none", nil, oidcauth.ErrProof}, {"the same again", boundTo(mine), nil},
		} {
			if _, err := s.Renew(context.Background(), issuer.Token(tt.claims)); !errors.Is(err, tt.want) {
				t.Errorf("begun with %s: Renew() error = %v for %s, want %v", name, err, tt.name, tt.want)
			}
		}
		s.Close()
	}
}

// Who is bound to a key and to a certificate needs both.
func TestMiddleware_KeyAndCertificate(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{}, func(cfg *oidcauth.Config) { cfg.Certificate = mtls.Connection })
	mine, theirs := authtest.NewCertificate(t), authtest.NewCertificate(t)
	token := w.issuer.Token(map[string]any{"cnf": map[string]any{"jkt": w.client.Thumbprint(), "x5t#S256": possession.Thumbprint(mine)}})
	for _, tt := range []struct {
		name   string
		c      *x509.Certificate
		scheme string
		want   error
	}{
		{"both", mine, "DPoP ", nil}, {"the key alone", nil, "DPoP ", oidcauth.ErrProof},
		{"the key and another certificate", theirs, "DPoP ", oidcauth.ErrProof}, {"the certificate alone", mine, "Bearer ", oidcauth.ErrProof},
	} {
		r := over(tt.c, "")
		r.Header.Set("Authorization", tt.scheme+token)
		r.Header.Set("DPoP", w.proof(token))
		if _, err := w.auth.AuthenticateRequest(r); !errors.Is(err, tt.want) {
			t.Errorf("%s: AuthenticateRequest() error = %v, want %v", tt.name, err, tt.want)
		}
	}
	alone := w.issuer.Token(boundTo(mine))
	r := over(mine, "")
	r.Header.Set("Authorization", "DPoP "+alone)
	r.Header.Set("DPoP", w.proof(alone))
	if _, err := w.auth.AuthenticateRequest(r); !errors.Is(err, oidcauth.ErrProof) {
		t.Errorf("AuthenticateRequest() error = %v for a token of a certificate under DPoP, want %v", err, oidcauth.ErrProof)
	}
}
