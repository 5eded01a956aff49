package fetch

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/oidcauth/oidcauth/internal/quote"
)

const maxURLBytes = 2048

// CheckURL returns nil if raw is a URL that the client would request, and an
// error with [ErrURL] or [ErrForbiddenAddress] if not. It does not use the
// network: a host name that passes may still resolve to an address that does not.
func (c *Client) CheckURL(raw string) error {
	_, err := c.parseURL(raw)
	return err
}

func (c *Client) parseURL(raw string) (*url.URL, error) {
	if len(raw) > maxURLBytes {
		return nil, fmt.Errorf("%w: got %d bytes, want at most %d", ErrURL, len(raw), maxURLBytes)
	}
	for i := range len(raw) {
		if raw[i] <= ' ' || raw[i] == 0x7f {
			return nil, fmt.Errorf("%w: white space or control character in %s", ErrURL, quote.Address(raw))
		}
	}
	u, err := url.Parse(raw)
	if err != nil {
		// The text of the cause repeats the URL, which may hold a password.
		return nil, fmt.Errorf("%w: not a URL", ErrURL)
	}
	if err := checkParts(u, raw); err != nil {
		return nil, err
	}
	if err := c.checkScheme(u); err != nil {
		return nil, err
	}
	if c.guard != nil {
		return u, c.guard.checkHost(u)
	}
	return u, nil
}

// checkParts refuses what has no place in the URL of a public document.
func checkParts(u *url.URL, raw string) error {
	switch {
	case u.User != nil:
		return fmt.Errorf("%w: %s contains user information", ErrURL, show(u))
	case u.Opaque != "" || u.Hostname() == "":
		return fmt.Errorf("%w: no host in %s: want https:// and a host at its beginning", ErrURL, show(u))
	case strings.Contains(raw, "#"):
		return fmt.Errorf("%w: %s contains a fragment", ErrURL, show(u))
	case strings.HasSuffix(u.Host, ":"):
		return fmt.Errorf("%w: empty port in %s", ErrURL, show(u))
	}
	for i := range len(u.Host) {
		if u.Host[i] >= 0x80 {
			return fmt.Errorf("%w: host of %s is not in its ASCII form", ErrURL, show(u))
		}
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%w: port %s out of range", ErrURL, quote.Value(p))
		}
	}
	return nil
}

func (c *Client) checkScheme(u *url.URL) error {
	switch {
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return fmt.Errorf("%w: scheme of %s is %s, want \"https\"", ErrURL, show(u), quote.Value(u.Scheme))
	case slices.Contains(c.plainHosts, plainHost(u.Hostname())):
		return nil
	case !isLoopback(u.Hostname()):
		return fmt.Errorf("%w: plain http in %s: use https, or, where the network up to that host is yours, name it in InsecureHTTPHosts", ErrURL, show(u))
	case !c.insecureHTTP:
		return fmt.Errorf("%w: plain http in %s: use https, or, for an issuer on this machine, set InsecureHTTP", ErrURL, show(u))
	}
	return nil
}

// isLoopback says whether host can only mean this machine. Other names that
// resolve to it do not count: what they resolve to is not theirs to promise.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() && !addr.Is4In6()
}

// sameOrigin compares scheme, host and port, the default port written or not.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme &&
		strings.EqualFold(a.Hostname(), b.Hostname()) &&
		effectivePort(a) == effectivePort(b)
}

func effectivePort(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	port := "443"
	if u.Scheme == "http" {
		port = "80"
	}
	return port
}

func hostPort(u *url.URL) string {
	return net.JoinHostPort(u.Hostname(), effectivePort(u))
}
