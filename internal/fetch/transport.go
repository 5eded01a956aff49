package fetch

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	maxHeaderBytes = 64 << 10
	maxIdleConns   = 64
)

// newTransport returns what carries the requests, and whether it is the client's
// own rather than shared with the caller. A non-nil guard makes every connection.
func newTransport(cfg Config, timeout time.Duration, g *guard) (rt http.RoundTripper, own bool, err error) {
	if cfg.HTTP == nil || cfg.HTTP.Transport == nil {
		t := ownTransport(timeout)
		if g != nil {
			guardTransport(t, g, timeout)
		}
		return t, true, nil
	}
	if g == nil {
		return cfg.HTTP.Transport, false, nil
	}
	given, ok := cfg.HTTP.Transport.(*http.Transport)
	if !ok && cfg.Permit != nil {
		return cfg.HTTP.Transport, false, nil
	}
	if !ok {
		return nil, false, fmt.Errorf("public addresses only: transport is a %T, want an *http.Transport, whose connections can be guarded", cfg.HTTP.Transport)
	}
	if given.TLSClientConfig != nil && given.TLSClientConfig.InsecureSkipVerify {
		return nil, false, errors.New("public addresses only: transport does not verify certificates")
	}
	t := given.Clone()
	guardTransport(t, g, timeout)
	return t, true, nil
}

// ownTransport returns the transport of a client that was given none. Its dials
// have a time limit of their own, because net/http lets a dial go on when the
// request that began it is gone.
func ownTransport(timeout time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext:            dialer.DialContext,
		Proxy:                  http.ProxyFromEnvironment,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    timeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxIdleConns:           maxIdleConns,
		IdleConnTimeout:        90 * time.Second,
	}
	NoticeDead(t, timeout)
	return t
}

// freshProtocols sees to it that a clone has no connections of its original: what speaks
// HTTP/2 there, by golang.org/x/net perhaps, keeps them. Where TLS offers HTTP/2 there must
// be something that speaks it, or no answer can be read: net/http's own does then.
func freshProtocols(t *http.Transport) {
	switch {
	case t.TLSNextProto == nil:
		t.ForceAttemptHTTP2 = true
	case t.TLSNextProto["h2"] == nil:
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	default:
		t.TLSNextProto, t.ForceAttemptHTTP2 = nil, true
		if t.TLSClientConfig != nil {
			t.TLSClientConfig.NextProtos = nil // net/http offers what it speaks
		}
	}
}

// guardTransport leaves g as the only way by which t connects.
func guardTransport(t *http.Transport, g *guard, timeout time.Duration) {
	t.Proxy = nil
	t.DialContext = g.dial // goes before Dial
	t.DialTLSContext = nil
	//lint:ignore SA1019 deprecated, but obeyed when set
	t.DialTLS = nil
	if t.TLSHandshakeTimeout <= 0 || t.TLSHandshakeTimeout > timeout {
		t.TLSHandshakeTimeout = timeout
	}
	if c := t.TLSClientConfig; c != nil { // the clone's own
		c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
		c.Certificates, c.GetClientCertificate = nil, nil // who this server is, is for those whom it knows
	}
	freshProtocols(t)
	NoticeDead(t, timeout)
	boundIdle(t, timeout)
	if t.MaxResponseHeaderBytes <= 0 || t.MaxResponseHeaderBytes > maxHeaderBytes {
		t.MaxResponseHeaderBytes = maxHeaderBytes
	}
}

// boundIdle sees to it that no connection outlives the contact for which it was made by
// much, for there is no end of strangers. How many there are bounds none over HTTP/2,
// which net/http leaves to the time.
func boundIdle(t *http.Transport, limit time.Duration) {
	if t.IdleConnTimeout <= 0 || t.IdleConnTimeout > limit {
		t.IdleConnTimeout = limit
	}
	if t.MaxIdleConns <= 0 || t.MaxIdleConns > maxIdleConns {
		t.MaxIdleConns = maxIdleConns
	}
}
