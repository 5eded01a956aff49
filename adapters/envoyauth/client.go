package envoyauth

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/netip"
	"net/url"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// addressOf returns the address of the client that Envoy names, in the form that requests
// have it in. It is empty of a socket without one.
func addressOf(client *authv3.AttributeContext_Peer) string {
	socket := client.GetAddress().GetSocketAddress()
	addr, err := netip.ParseAddr(socket.GetAddress())
	if err != nil {
		return ""
	}
	return netip.AddrPortFrom(addr, uint16(socket.GetPortValue())).String()
}

type certificateKey struct{}

// withCertificate keeps the certificate of the client for [Certificate].
func withCertificate(ctx context.Context, client *authv3.AttributeContext_Peer) context.Context {
	if text := client.GetCertificate(); text != "" {
		ctx = context.WithValue(ctx, certificateKey{}, text)
	}
	return ctx
}

// onAccount has the work that a token causes stand on the account of the client that Envoy
// names, or, where that is one of oidcauth.Config.Proxies, of whoever it names. For nothing
// else does a header count as a proxy's word: the address is not left in the request. Without
// one all clients are one.
func (s *Server) onAccount(r *http.Request, client string) *http.Request {
	if client == "" {
		return r
	}
	from := *r
	from.RemoteAddr = client
	return r.WithContext(s.cfg.Authenticator.CallerContext(&from))
}

// Certificate is for oidcauth.Config.Certificate, where tokens may be bound to one (RFC
// 8705): it returns that which the client has shown to Envoy, nil if there is none. Envoy
// tells of it where its filter has include_peer_certificate: true, and asks clients for one
// where its listener has a validation_context. A request that no [Server] asks about has
// none; what a header says of one does not count.
func Certificate(r *http.Request) (*x509.Certificate, error) {
	text, _ := r.Context().Value(certificateKey{}).(string)
	if text == "" {
		return nil, nil
	}
	plain, _ := url.PathUnescape(text) // nothing on an error
	block, rest := pem.Decode([]byte(plain))
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, badCertificate("want one certificate in PEM, URL-encoded")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, badCertificate("it cannot be read")
	}
	return c, nil
}

func badCertificate(what string) error {
	return refusal.Because(refusal.Request, oidcauth.ErrMalformedRequest, errors.New("the certificate that Envoy names: "+what))
}
