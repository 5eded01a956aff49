// Package possession carries what proves, beside a token, that whoever presents it
// has what the token is bound to: the key of a DPoP proof (RFC 9449), or the
// certificate of a connection (RFC 8705). Package oidcauth takes it out of HTTP
// requests by itself. A program that gets tokens otherwise says it with the context
// that it authenticates with:
//
//	ctx = possession.NewContext(ctx, possession.Proof{
//		DPoP: proof, Method: "POST", URL: "https://db.example.com/v1/call",
//	})
//	claims, err := auth.Authenticate(ctx, token)
package possession

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
)

// A Proof is what came beside one token. Its zero value proves nothing. Printed, or as
// JSON, it does not show the proof by a key.
type Proof struct {
	// Scheme is the scheme that the token was sent under, "DPoP" or "Bearer", in any
	// case of letters. A token that is bound to a key counts under DPoP alone, and one
	// that is not under Bearer alone. Empty means DPoP where the field DPoP is not
	// empty, and else Bearer.
	Scheme string

	// DPoP is the proof (RFC 9449, section 4). Empty means that there is none.
	DPoP string

	// Method and URL are what the proof has to be made for: the method and the
	// address of the request, https://db.example.com/v1/call. Query and fragment of
	// the address do not count. Of the address counts the path alone where
	// dpop.Config.PublicURL says what stands in front of it.
	Method, URL string

	// Certificate is the one that the other end of the connection has shown that it
	// has the key of, in its TLS handshake. Nil means that there is none.
	Certificate *x509.Certificate
}

// Format prints what came without the proof by a key, and of the certificate its
// thumbprint, whatever the verb.
func (p Proof) Format(f fmt.State, _ rune) {
	proof := "none"
	if p.DPoP != "" {
		proof = "some"
	}
	fmt.Fprintf(f, "{scheme: %q, DPoP: %s, method: %q, url: %q, certificate: %q}", p.Scheme, proof, p.Method, p.URL, Thumbprint(p.Certificate))
}

// MarshalText implements [encoding.TextMarshaler], for logs in JSON: it returns what
// Format prints.
func (p Proof) MarshalText() ([]byte, error) { return fmt.Append(nil, p), nil }

// IsDPoP reports whether the token was sent under the scheme DPoP.
func (p *Proof) IsDPoP() bool {
	if p.Scheme == "" {
		return p.DPoP != ""
	}
	return strings.EqualFold(p.Scheme, "DPoP")
}

type key struct{}

// NewContext returns a context with what came beside a token, in place of what ctx
// had of that. It counts for the one token that came with it: derive it from the
// context of one request or message. A nil ctx counts as [context.Background].
func NewContext(ctx context.Context, p Proof) context.Context {
	if ctx == nil {
		ctx = context.Background()
	}
	return context.WithValue(ctx, key{}, p)
}

// FromContext returns what NewContext put into the context, and whether there is any.
func FromContext(ctx context.Context) (Proof, bool) {
	if ctx == nil {
		return Proof{}, false
	}
	p, ok := ctx.Value(key{}).(Proof)
	return p, ok
}

// Thumbprint returns the SHA-256 thumbprint of a certificate, as a token has it in
// "x5t#S256" (RFC 8705, section 3.1). It is empty for nil.
func Thumbprint(c *x509.Certificate) string {
	if c == nil {
		return ""
	}
	digest := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// URL returns the address that a request was sent to, without its query: the host is
// that of its Host header, which whoever sends the request chooses, and the scheme
// tells whether its own connection is encrypted. No header that a proxy adds counts.
// A host that would be more than one is left out.
func URL(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if strings.ContainsAny(host, "/?#") { // HTTP/2 lets whatever pass for a host
		host = ""
	}
	return scheme + "://" + host + path(r)
}

// path returns the path that was asked for, which ends where the query begins and
// nowhere else. The one in r.URL may be a part of it, for a handler behind
// [http.StripPrefix].
func path(r *http.Request) string {
	if r.RequestURI == "" {
		return r.URL.EscapedPath()
	}
	asked, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(asked, "/") { // it names the server, too (RFC 9112, section 3.2.2)
		_, asked, _ = strings.Cut(asked, ":")
		if rest, is := strings.CutPrefix(asked, "//"); is {
			asked = strings.TrimLeftFunc(rest, func(r rune) bool { return r != '/' })
		}
	}
	if !strings.HasPrefix(asked, "/") {
		return ""
	}
	return strings.ReplaceAll(asked, "#", "%23") // no request has a fragment
}
