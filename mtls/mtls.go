// Package mtls finds the certificate of whoever sends a request, for tokens that are
// bound to one (RFC 8705): in the connection, or in the header of a proxy in front of
// the server. One of its functions goes into oidcauth.Config.Certificate.
//
// Nothing is said here of who signed the certificate. That its holder has its key was
// proved in the TLS handshake, and the token says which certificate it is bound to.
package mtls

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/forwarded"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/possession"
)

// maxHeader bounds what is read of a header, in bytes.
const maxHeader = 16 << 10

// Connection returns the certificate that the client has shown in the TLS handshake of
// the request's own connection, nil if there is none. The server asks for one if the
// ClientAuth of its [crypto/tls.Config] says so: RequestClientCert is enough, and lets
// clients without certificate in.
func Connection(r *http.Request) (*x509.Certificate, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil, nil
	}
	return r.TLS.PeerCertificates[0], nil
}

// A Form is how a proxy names the certificate of a connection that it has ended. The
// proxy must remove such a header from what clients send, or replace it.
type Form int

const (
	// ClientCert is the header Client-Cert (RFC 9440): the certificate in DER, as a
	// structured field.
	ClientCert Form = iota
	// XForwardedClientCert is that header as Envoy writes it: the last of its elements,
	// which is that of the proxy next to the server, and in that the field Cert. Hash,
	// if there, has to be that of the certificate. Envoy has to be told to set Cert:
	// set_current_client_cert_details. Names that a certificate gives to its holder
	// (URI, DNS) stand there without quotes, and may hold what looks like a further
	// element: several elements are refused where one but the last has another field than
	// By, Hash, Cert, Chain and Subject.
	XForwardedClientCert
)

// Header returns a function that finds the certificate in a header, in requests that
// come from one of oidcauth.Config.Proxies: other requests have no certificate,
// whatever they say. A header that is malformed, or there twice, is refused with
// oidcauth.ErrMalformedRequest; no header, or an empty one, is no certificate. With a
// form that is none of this package's the function knows of no certificate, and returns
// an error for each request.
func Header(form Form) func(*http.Request) (*x509.Certificate, error) {
	if form != ClientCert && form != XForwardedClientCert {
		return func(*http.Request) (*x509.Certificate, error) {
			return nil, fmt.Errorf("mtls: Header: form %d is not known: want ClientCert or XForwardedClientCert", form)
		}
	}
	name, read := "Client-Cert", readClientCert
	if form == XForwardedClientCert {
		name, read = "X-Forwarded-Client-Cert", readForwarded
	}
	return func(r *http.Request) (*x509.Certificate, error) {
		if !forwarded.IsTrusted(r.Context()) {
			return nil, nil
		}
		values := r.Header[name]
		if len(values) == 0 || len(values) == 1 && values[0] == "" {
			return nil, nil
		}
		if len(values) > 1 {
			return nil, malformed(fmt.Errorf("%d headers %s", len(values), name))
		}
		if len(values[0]) > maxHeader {
			return nil, malformed(fmt.Errorf("a header %s of %d bytes", name, len(values[0])))
		}
		c, err := read(values[0])
		if err != nil {
			return nil, malformed(fmt.Errorf("the header %s: %w", name, err))
		}
		return c, nil
	}
}

func malformed(err error) error {
	return refusal.Because(refusal.Request, refusal.ErrMalformedRequest, err)
}

// readClientCert reads a byte sequence (RFC 8941, section 3.3.5), with padding or without
// (section 4.2.7).
func readClientCert(value string) (*x509.Certificate, error) {
	value = strings.Trim(value, " ")
	if len(value) < 2 || value[0] != ':' || value[len(value)-1] != ':' {
		return nil, errors.New("want base64 between colons")
	}
	der, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value[1:len(value)-1], "="))
	if err != nil {
		return nil, errors.New("want base64 between colons")
	}
	return parse(der)
}

// parse reads a certificate and nothing behind it.
func parse(der []byte) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("no certificate")
	}
	return c, nil
}

// readForwarded reads the last element of a list, and of that the certificate.
func readForwarded(value string) (*x509.Certificate, error) {
	element, err := lastElement(value)
	if err != nil {
		return nil, err
	}
	var c *x509.Certificate
	hash := element["hash"]
	if text := element["cert"]; text != "" {
		plain, _ := url.PathUnescape(text) // nothing on an error
		block, rest := pem.Decode([]byte(plain))
		if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
			return nil, errors.New("the field Cert: want one certificate in PEM, URL-encoded")
		}
		if c, err = parse(block.Bytes); err != nil {
			return nil, err
		}
	}
	if c == nil {
		if hash != "" {
			return nil, errors.New("the field Hash without Cert: have the proxy set both")
		}
		return nil, nil
	}
	if hash != "" && !strings.EqualFold(hash, hexThumbprint(c)) {
		return nil, errors.New("the field Hash is not that of Cert")
	}
	return c, nil
}

func hexThumbprint(c *x509.Certificate) string {
	digest, _ := base64.RawURLEncoding.DecodeString(possession.Thumbprint(c))
	return fmt.Sprintf("%x", digest)
}

// own are the fields whose values the client cannot choose, or that stand in quotes in any
// case.
var own = []string{"by", "hash", "cert", "chain", "subject"}

// lastElement returns the fields of the last element, by their names in small letters.
// Commas, semicolons and equals signs within quotes belong to values. What follows a
// name of the client's own choice without quotes may be a part of that, and is no
// element. Those names may come several times, and so may those of the proxy's own
// certificate.
func lastElement(list string) (map[string]string, error) {
	fields := make(map[string]string)
	chosen := "" // the last field that the client may have chosen
	for rest := list; ; {
		key, value, next, err := field(rest)
		if err != nil {
			return nil, err
		}
		key = strings.ToLower(key)
		switch _, twice := fields[key]; {
		case !slices.Contains(own, key):
			chosen = key
		case twice && key != "by":
			return nil, fmt.Errorf("%s twice", refusal.Quote(key))
		}
		fields[key] = value
		if next == "" {
			return fields, nil
		}
		if next[0] == ',' {
			if chosen != "" {
				return nil, fmt.Errorf("an element behind one with %s, whose value the client may have chosen: have the proxy replace the header (SANITIZE_SET)", refusal.Quote(chosen))
			}
			clear(fields)
		}
		rest = next[1:]
	}
}

// field takes one key=value off an element. Next begins with the separator behind it,
// or is empty.
func field(text string) (key, value, next string, err error) {
	key, rest, found := strings.Cut(strings.TrimLeft(text, " \t"), "=")
	if !found || key == "" || strings.ContainsAny(key, "\" \t,;") {
		return "", "", "", errors.New("want elements of key=value")
	}
	if quoted, is := strings.CutPrefix(rest, `"`); is {
		if value, rest, err = unquote(quoted); err != nil {
			return "", "", "", err
		}
	} else {
		end := strings.IndexAny(rest, ",;\"")
		if end < 0 {
			end = len(rest)
		}
		value, rest = strings.TrimRight(rest[:end], " \t"), rest[end:]
	}
	rest = strings.TrimLeft(rest, " \t")
	if rest != "" && rest[0] != ',' && rest[0] != ';' {
		return "", "", "", errors.New("want a comma or a semicolon behind a value")
	}
	return key, value, rest, nil
}

// unquote returns what stands before the closing quote, and what follows that.
func unquote(text string) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return b.String(), text[i+1:], nil
		case '\\':
			i++
			if i < len(text) {
				b.WriteByte(text[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errors.New("a quote that is not closed")
}
