// Package fetch makes the outgoing requests of the library: discovery
// documents and key sets, with HTTP GET and nothing else.
//
// A request is bounded in every direction. One time limit covers the whole
// answer, from the name lookup to the last byte of the body. The body is capped
// by its decompressed size. Redirects stay on the scheme, host and port that was
// asked. No cookie is ever sent, a credential only to the origin that it is meant
// for, and no error repeats what a file said, nor of a body more than a name or an
// address: the issuer that a discovery document is of, where it says that the keys are,
// a member that it has twice.
//
// A client whose [Config.PublicOnly] is set may be given URLs by strangers: it
// connects to publicly routable addresses only, whatever a name resolves to, and
// all its errors read the same.
package fetch

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// The reasons for which a fetch ends without a result, for [errors.Is]. An
// answer with another status than 200 is a [*StatusError] instead.
var (
	// ErrURL means that the URL is of a form that is never requested.
	ErrURL = errors.New("url not allowed")
	// ErrForbiddenAddress means that the host is, or resolved to, an address or
	// port that a client with [Config.PublicOnly] does not connect to.
	ErrForbiddenAddress = errors.New("address not allowed")
	// ErrRedirect means that the answer was a redirect that is not followed.
	ErrRedirect = errors.New("redirect not followed")
	// ErrTimeout means that the whole answer was not there in time.
	ErrTimeout = errors.New("no complete answer in time")
	// ErrTooLarge means that the body exceeds the limit.
	ErrTooLarge = errors.New("answer too large")
	// ErrContentType means that the answer declares itself to be something
	// other than JSON, and is not what was asked for by itself either (see
	// [Request.Member]), or that it declares itself to be encoded in a way that was not asked for.
	ErrContentType = errors.New("content type not accepted")
	// ErrDiscovery means that a discovery document is malformed, speaks for
	// another issuer, or names a key set that must not be fetched.
	ErrDiscovery = errors.New("discovery document not accepted")
	// ErrOtherIssuer is the ErrDiscovery of a document that speaks for another
	// issuer.
	ErrOtherIssuer = fmt.Errorf("%w: it is another issuer's", ErrDiscovery)
)

const (
	defaultTimeout  = 10 * time.Second
	defaultMaxBytes = 1 << 20
	userAgent       = "oidcauth"
)

// Config says how a [Client] fetches. The zero value is a client for https URLs
// with all limits in place.
type Config struct {
	// HTTP is the client whose Transport carries the requests. Its Timeout
	// counts when it is shorter than the one below; its Jar and CheckRedirect
	// are not used. Nil, or a nil Transport, means a transport of the package's
	// own: TLS 1.2 or later, at most 64 KiB of header, and the proxy that the
	// environment names, if any.
	//
	// With PublicOnly the Transport must be an [*http.Transport]. It is cloned,
	// and the clone connects through the guarded dialer only: the proxy, the dial
	// functions and the client certificates of the original are dropped, and 64
	// connections at most stay open when they are idle, none longer than Timeout (over
	// HTTP/2 by that alone).
	HTTP *http.Client

	// Timeout limits the whole answer, redirects and body included. Zero means
	// 10 seconds.
	Timeout time.Duration

	// MaxBytes limits the body, as sent and as decompressed. Zero means 1 MiB.
	MaxBytes int64

	// CAFile is a file of certificates (PEM), read again for each request, to one of
	// which those of servers must lead: they alone are trusted. The Transport must be
	// nil or an [*http.Transport], which is cloned. Empty means what the transport
	// trusts.
	CAFile string

	// TokenFile is a file, read again for each request, whose text is sent as bearer
	// token (RFC 6750) to the scheme, host and port of TokenURL and nowhere else. That
	// must be https, or http on the loopback interface. Empty means no token.
	TokenFile, TokenURL string

	// InsecureHTTP permits http URLs whose host is localhost, an address in
	// 127.0.0.0/8, or ::1. It contradicts PublicOnly.
	InsecureHTTP bool

	// InsecureHTTPHosts are names and addresses of further hosts to which http URLs
	// are permitted. They contradict PublicOnly.
	InsecureHTTPHosts []string

	// PublicOnly is for URLs that strangers choose. Only https on port 443 is
	// spoken, hosts must be names, no proxy is used, and each address is checked
	// when it is dialled, after resolution: addresses that are not publicly
	// routable are never connected to, and of a name's eight at most of each kind for
	// one connection. All errors have one text; [errors.Is] and
	// [errors.As] see what is behind it, and [Cause] returns that, for the
	// operator's eyes only. The time that a failure takes is not hidden.
	PublicOnly bool

	// DenyPrefixes are addresses, and DenyHosts names with all names below them,
	// that a client with PublicOnly does not connect to either: of machines that
	// are inside although their addresses are publicly routable. Both are what
	// [CheckDenied] accepts.
	DenyPrefixes []netip.Prefix
	DenyHosts    []string

	// Resolver looks up names when PublicOnly is set. Nil means
	// [net.DefaultResolver].
	Resolver *net.Resolver

	// Permit exempts an address and port from the checks of PublicOnly, so that
	// tests can serve an issuer on loopback; a Transport of another type, which
	// makes no connections that could be checked, is then used as it is. Nil means
	// no exemption, and is the only right value outside tests.
	Permit func(netip.AddrPort) bool
}

// Client fetches documents over HTTP. It is safe for concurrent use.
type Client struct {
	http         *http.Client
	ownTransport bool
	timeout      time.Duration
	maxBytes     int64
	insecureHTTP bool
	plainHosts   []string    // others to which http is permitted, in canonical form
	credential   *credential // nil for none
	guard        *guard      // nil unless PublicOnly
}

// New checks cfg and returns a client. It does not use the network.
func New(cfg Config) (*Client, error) {
	if err := checkConfig(cfg); err != nil {
		return nil, err
	}
	c := &Client{
		timeout:      cfg.Timeout,
		maxBytes:     cfg.MaxBytes,
		insecureHTTP: cfg.InsecureHTTP,
		plainHosts:   plainHosts(cfg.InsecureHTTPHosts),
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if cfg.HTTP != nil && cfg.HTTP.Timeout > 0 {
		c.timeout = min(c.timeout, cfg.HTTP.Timeout)
	}
	if c.maxBytes == 0 {
		c.maxBytes = defaultMaxBytes
	}
	if cfg.PublicOnly {
		c.guard = newGuard(cfg, c.timeout)
	}
	transport, own, err := newTransport(cfg, c.timeout, c.guard)
	if err != nil {
		return nil, err
	}
	if cfg.CAFile != "" {
		if transport, err = newPinnedTransport(cfg.CAFile, transport, c.timeout); err != nil {
			return nil, err
		}
		own = true
	}
	if cfg.TokenFile != "" {
		if c.credential, err = c.newCredential(cfg.TokenFile, cfg.TokenURL); err != nil {
			return nil, err
		}
	}
	c.ownTransport = own
	c.http = &http.Client{Transport: transport, CheckRedirect: c.checkRedirect}
	return c, nil
}

func checkConfig(cfg Config) error {
	switch {
	case cfg.Timeout < 0:
		return fmt.Errorf("timeout is negative: %v", cfg.Timeout)
	case cfg.MaxBytes < 0:
		return fmt.Errorf("size limit is negative: %d", cfg.MaxBytes)
	case cfg.InsecureHTTP && cfg.PublicOnly:
		return errors.New("http on loopback and public addresses only contradict each other")
	case cfg.PublicOnly && (cfg.CAFile != "" || cfg.TokenFile != "" || len(cfg.InsecureHTTPHosts) > 0):
		return errors.New("public addresses only, and a file of certificates, a credential or hosts over http contradict each other")
	case len(cfg.DenyPrefixes)+len(cfg.DenyHosts) > 0 && !cfg.PublicOnly:
		return errors.New("denied addresses and hosts need public addresses only")
	}
	if err := checkPlainHosts(cfg.InsecureHTTPHosts); err != nil {
		return err
	}
	return CheckDenied(cfg.DenyPrefixes, cfg.DenyHosts)
}

// CloseIdle closes the connections that are kept open for later requests. It
// leaves a transport alone that the caller shares with the client.
func (c *Client) CloseIdle() {
	if c.ownTransport {
		c.http.CloseIdleConnections()
	}
}
