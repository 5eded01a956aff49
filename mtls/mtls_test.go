package mtls_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/forwarded"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/mtls"
	"github.com/oidcauth/oidcauth/possession"
)

func pemOf(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// The example of RFC 8705, appendix A.
func TestThumbprint_RFC8705(t *testing.T) {
	t.Parallel()
	const text = `-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----`
	block, _ := pem.Decode([]byte(text))
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := possession.Thumbprint(c), "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"; got != want {
		t.Errorf("Thumbprint() = %q, want %q", got, want)
	}
	if got := possession.Thumbprint(nil); got != "" {
		t.Errorf("Thumbprint() = %q of none", got)
	}
}

func TestConnection(t *testing.T) {
	t.Parallel()
	c := authtest.NewCertificate(t)
	for _, tt := range []struct {
		name  string
		state *tls.ConnectionState
		want  *x509.Certificate
	}{
		{"no TLS", nil, nil}, {"no certificate", new(tls.ConnectionState), nil},
		{"a chain", &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c, authtest.NewCertificate(t)}}, c},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.TLS = tt.state
		if got, err := mtls.Connection(r); got != tt.want || err != nil {
			t.Errorf("%s: Connection() = %p, %v, want %p", tt.name, got, err, tt.want)
		}
	}
}

// A header counts that one proxy has written, in one form, and nothing else does.
func TestHeader(t *testing.T) {
	t.Parallel()
	c, other := authtest.NewCertificate(t), authtest.NewCertificate(t)
	padded64 := authtest.NewCertificate(t)
	for len(padded64.Raw)%3 == 0 {
		padded64 = authtest.NewCertificate(t)
	}
	structured := func(c *x509.Certificate) string {
		return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":"
	}
	escaped := func(c *x509.Certificate) string { return `Cert="` + url.PathEscape(pemOf(c)) + `"` }
	hash := func(c *x509.Certificate) string {
		digest, _ := base64.RawURLEncoding.DecodeString(possession.Thumbprint(c))
		return fmt.Sprintf("Hash=%x", digest)
	}
	padded := func(c *x509.Certificate, size int) string {
		const before, after = `Subject="`, `";`
		return before + strings.Repeat("x", size-len(before+after+escaped(c))) + after + escaped(c)
	}
	const client, forwardedClient = "Client-Cert", "X-Forwarded-Client-Cert"
	for _, tt := range []struct {
		name   string
		form   mtls.Form
		from   string
		header string
		values []string
		want   *x509.Certificate
		bad    bool
	}{
		{"RFC 9440", mtls.ClientCert, "10.0.0.1:1", client, []string{structured(c)}, c, false},
		{"RFC 9440, with spaces around", mtls.ClientCert, "10.0.0.1:1", client, []string{"  " + structured(c) + " "}, c, false},
		{"RFC 9440, without padding", mtls.ClientCert, "10.0.0.1:1", client, []string{strings.ReplaceAll(structured(padded64), "=", "")}, padded64, false},
		{"none", mtls.ClientCert, "10.0.0.1:1", client, nil, nil, false},
		{"an empty one", mtls.ClientCert, "10.0.0.1:1", client, []string{""}, nil, false},
		{"from somebody else", mtls.ClientCert, "192.0.2.1:1", client, []string{structured(c)}, nil, false},
		{"from nobody", mtls.ClientCert, "@", client, []string{structured(c)}, nil, false},
		{"of another form", mtls.ClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(c)}, nil, false},
		{"twice", mtls.ClientCert, "10.0.0.1:1", client, []string{structured(c), structured(c)}, nil, true},
		{"two in one", mtls.ClientCert, "10.0.0.1:1", client, []string{structured(c) + ", " + structured(other)}, nil, true},
		{"no colons", mtls.ClientCert, "10.0.0.1:1", client, []string{base64.StdEncoding.EncodeToString(c.Raw)}, nil, true},
		{"no base64", mtls.ClientCert, "10.0.0.1:1", client, []string{":-_:"}, nil, true},
		{"no certificate", mtls.ClientCert, "10.0.0.1:1", client, []string{":AAAA:"}, nil, true},
		{"data behind it", mtls.ClientCert, "10.0.0.1:1", client, []string{":" + base64.StdEncoding.EncodeToString(append(c.Raw[:len(c.Raw):len(c.Raw)], 0)) + ":"}, nil, true},
		{"PEM", mtls.ClientCert, "10.0.0.1:1", client, []string{url.PathEscape(pemOf(c))}, nil, true},
		{"very long", mtls.ClientCert, "10.0.0.1:1", client, []string{":" + strings.Repeat("A", 20_000) + ":"}, nil, true},
		{"a colon", mtls.ClientCert, "10.0.0.1:1", client, []string{":"}, nil, true},

		{"Envoy's", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{"By=spiffe://a/b;" + hash(c) + `;Subject="CN=a, \"b\"; c";URI=x;URI=y;` + escaped(c)}, c, false},
		{"Envoy's, whose own certificate has several names", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{"By=spiffe://a/b;By=spiffe://a/c;" + hash(c) + ";" + escaped(c) + ";URI=x"}, c, false},
		{"an element behind one of a proxy with several names", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{"By=spiffe://a/b;By=spiffe://a/c," + hash(c) + ";" + escaped(c)}, c, false},
		{"Envoy's, without Hash", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(c)}, c, false},
		{"the last of several", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(other) + "," + escaped(c)}, c, false},
		{"the last of several, with names", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{`By=spiffe://a/b;Subject="CN=x",` + escaped(c) + ";URI=x;DNS=y"}, c, false},
		{"a URI that goes on as an element", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{hash(other) + ";" + escaped(other) + ";URI=spiffe://x," + hash(c) + ";" + escaped(c)}, nil, true},
		{"a DNS name that goes on as an element", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(other) + ";DNS=x," + escaped(c)}, nil, true},
		{"the first of two URIs goes on as an element", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(other) + ";URI=x,uri=;" + escaped(c)}, nil, true},
		{"a name of another kind goes on as an element", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{hash(other) + ";" + escaped(other) + ";SAN=spiffe://x," + hash(c) + ";" + escaped(c)}, nil, true},
		{"names of another kind", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{hash(c) + ";" + escaped(c) + ";Email=a;Email=b"}, c, false},
		{"behind an element with a chain", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{hash(other) + `;Chain="x",` + escaped(c)}, c, false},
		{"an empty URI goes on as an element", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(other) + ";URI=," + escaped(c)}, nil, true},
		{"a comma in quotes", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(c) + `;Subject=",` + "Cert=x" + `"`}, c, false},
		{"none in the last", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(c) + ",By=x"}, nil, false},
		{"two headers", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(c), escaped(c)}, nil, true},
		{"as long as can be", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{padded(c, 16<<10)}, c, false},
		{"a byte longer", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{padded(c, 16<<10+1)}, nil, true},
		{"another's Hash", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{hash(other) + ";" + escaped(c)}, nil, true},
		{"Hash alone", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{hash(c)}, nil, true},
		{"Cert twice", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(c) + ";" + escaped(other)}, nil, true},
		{"Cert twice in other letters", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(c) + ";cert=x"}, nil, true},
		{"a quote that is not closed", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(other) + `,By="x,` + escaped(c)}, nil, true},
		{"a quote within", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{`By=x"y";` + escaped(c)}, nil, true},
		{"two certificates", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{`Cert="` + url.PathEscape(pemOf(c)+pemOf(other)) + `"`}, nil, true},
		{"a key", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{`Cert="` + url.PathEscape(strings.ReplaceAll(pemOf(c), "CERTIFICATE", "PRIVATE KEY")) + `"`}, nil, true},
		{"something behind the certificate", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{`Cert="` + url.PathEscape(pemOf(c)+"x") + `"`}, nil, true},
		{"a line end behind the certificate", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{`Cert="` + url.PathEscape(pemOf(c)+"\n") + `"`}, c, false},
		{"PEM of something else", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{`Cert="` + url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))) + `"`}, nil, true},
		{"Cert that is no PEM", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{"Cert=x"}, nil, true},
		{"Cert that is escaped badly", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{"Cert=%zz"}, nil, true},
		{"a quote that is not closed, behind it", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(c) + `;By="x`}, nil, true},
		{"a quote that is not closed, alone", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{`By="`}, nil, true},
		{"a backslash at the end", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{escaped(c) + `;By="x\`}, nil, true},
		{"a backslash that is not needed", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{strings.Replace(hash(c), "=", `="\`, 1) + `";` + escaped(c)}, c, false},
		{"a space and a tab behind a value in quotes", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{`Subject="CN=x"` + " \t; " + escaped(c)}, c, false},
		{"words", mtls.XForwardedClientCert, "10.0.0.1:1", forwardedClient, []string{"x"}, nil, true},
		{"from somebody else, Envoy's", mtls.XForwardedClientCert, "192.0.2.1:1", forwardedClient, []string{escaped(c)}, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.from
			for _, v := range tt.values {
				r.Header.Add(tt.header, v)
			}
			find := mtls.Header(tt.form)
			got, err := find(forwarded.WithTrust(r, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
			if tt.bad != errors.Is(err, refusal.ErrMalformedRequest) || (err != nil) != tt.bad {
				t.Fatalf("error = %v, want malformed: %v", err, tt.bad)
			}
			if (got == nil) != (tt.want == nil) || got != nil && !got.Equal(tt.want) {
				t.Errorf("got another certificate than wanted: %v", got != nil)
			}
			if got, err := find(r); got != nil || err != nil {
				t.Errorf("a request that nobody has looked at has a certificate: %v", err)
			}
		})
	}
}

// An error says what of a header is wrong.
func TestHeader_Says(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		form        mtls.Form
		value, want string
	}{
		{mtls.ClientCert, ":", "Client-Cert: want base64 between colons"},
		{mtls.ClientCert, "::", "Client-Cert: no certificate"},
		{mtls.ClientCert, ":AAAA:", "Client-Cert: no certificate"},
		{mtls.ClientCert, ":-:", "Client-Cert: want base64 between colons"},
		{mtls.XForwardedClientCert, "x", "X-Forwarded-Client-Cert: want elements of key=value"},
		{mtls.XForwardedClientCert, `By="x`, "X-Forwarded-Client-Cert: a quote that is not closed"},
		{mtls.XForwardedClientCert, `By="x"y`, "X-Forwarded-Client-Cert: want a comma or a semicolon behind a value"},
		{mtls.XForwardedClientCert, "Hash=x;hash=y", `X-Forwarded-Client-Cert: "hash" twice`},
		{mtls.XForwardedClientCert, "Cert=x", "X-Forwarded-Client-Cert: the field Cert: want one certificate in PEM, URL-encoded"},
		{mtls.XForwardedClientCert, "Hash=x", "X-Forwarded-Client-Cert: the field Hash without Cert: have the proxy set both"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header.Set("Client-Cert", tt.value)
		r.Header.Set("X-Forwarded-Client-Cert", tt.value)
		_, err := mtls.Header(tt.form)(forwarded.WithTrust(r, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
		if !errors.Is(err, refusal.ErrMalformedRequest) || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%q: error = %v, want one that ends in %q", tt.value, err, tt.want)
		}
	}
}

// FuzzHeader: whatever a header says, nothing panics, and a certificate is one to the
// standard library, and the one that the header has.
func FuzzHeader(f *testing.F) {
	c := authtest.NewCertificate(f)
	f.Add(":" + base64.StdEncoding.EncodeToString(c.Raw) + ":")
	f.Add(":" + strings.TrimRight(base64.StdEncoding.EncodeToString(c.Raw), "=") + ":")
	f.Add(`By=x;Cert="` + url.PathEscape(pemOf(c)) + `",By="a,\"b"`)
	f.Fuzz(func(t *testing.T, value string) {
		for form, name := range map[mtls.Form]string{mtls.ClientCert: "Client-Cert", mtls.XForwardedClientCert: "X-Forwarded-Client-Cert"} {
			r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{name: {value}}}
			got, err := mtls.Header(form)(forwarded.WithTrust(r, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
			if got != nil && (err != nil || len(got.Raw) == 0) {
				t.Errorf("%q: a certificate, and %v", value, err)
			}
			if got == nil {
				continue
			}
			again, err := x509.ParseCertificate(got.Raw)
			// The last bits of the text, which stand for nothing, need not be zero.
			text := strings.TrimLeft(strings.NewReplacer("\r", "", "\n", "").Replace(value), " ")
			has := strings.HasPrefix(text, ":"+base64.RawStdEncoding.EncodeToString(got.Raw[:len(got.Raw)/3*3]))
			if err != nil || !again.Equal(got) || form == mtls.ClientCert && !has {
				t.Errorf("%q: another certificate, %v", value, err)
			}
		}
	})
}

// A form that nobody knows is no header of anybody's choice.
func TestHeader_UnknownForm(t *testing.T) {
	t.Parallel()
	for form, want := range map[mtls.Form]bool{mtls.ClientCert: true, mtls.XForwardedClientCert: true, 2: false, -1: false} {
		c, err := mtls.Header(form)(httptest.NewRequest("GET", "/", nil))
		if (err == nil) != want || c != nil {
			t.Errorf("Header(%d) finds %v, %v", form, c, err)
		}
	}
}
