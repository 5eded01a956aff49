package fetch

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/quote"
)

const (
	maxCABytes    = 1 << 20
	maxTokenBytes = 16 << 10
)

// readFile returns what is in a file, of limit bytes at most. It does not wait for
// somebody to write: a pipe is no file.
func readFile(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s: more than %d bytes", name, limit)
	}
	return data, err
}

// A pinnedTransport carries requests to servers whose certificates lead to one in a
// file. It is safe for concurrent use.
type pinnedTransport struct {
	file string
	base *http.Transport // of which those in use are clones

	mu      sync.Mutex // guards what follows
	content []byte     // of the file, when it was last another
	inUse   *http.Transport
}

// newPinnedTransport returns a transport like rt that trusts the certificates in
// file alone, which must be there.
func newPinnedTransport(file string, rt http.RoundTripper, timeout time.Duration) (*pinnedTransport, error) {
	base, ok := rt.(*http.Transport)
	switch {
	case !ok:
		return nil, fmt.Errorf("file of certificates: transport is a %T, want an *http.Transport, whose trust can be set", rt)
	case base.TLSClientConfig != nil && base.TLSClientConfig.InsecureSkipVerify:
		return nil, errors.New("file of certificates: transport does not verify certificates")
	//lint:ignore SA1019 deprecated, but obeyed when set
	case base.DialTLSContext != nil || base.DialTLS != nil:
		return nil, errors.New("file of certificates: transport makes its own TLS connections")
	}
	t := &pinnedTransport{file: file, base: base.Clone()}
	NoticeDead(t.base, timeout)
	_, err := t.current()
	return t, err
}

// RoundTrip implements [http.RoundTripper].
func (t *pinnedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	rt, err := t.current()
	if err != nil {
		return nil, err
	}
	return rt.RoundTrip(r)
}

// current returns what trusts the certificates that are in the file now.
func (t *pinnedTransport) current() (*http.Transport, error) {
	content, err := readFile(t.file, maxCABytes)
	if err != nil {
		return nil, fmt.Errorf("file of certificates: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inUse != nil && bytes.Equal(content, t.content) {
		return t.inUse, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("file of certificates: %s has none (PEM)", t.file)
	}
	next := t.base.Clone()
	if next.TLSClientConfig == nil {
		next.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	next.TLSClientConfig.RootCAs = pool
	freshProtocols(next)
	if t.inUse != nil {
		t.inUse.CloseIdleConnections() // they were made on the word of others
	}
	t.content, t.inUse = content, next
	return next, nil
}

// CloseIdleConnections is called by [http.Client.CloseIdleConnections].
func (t *pinnedTransport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inUse != nil {
		t.inUse.CloseIdleConnections()
	}
}

// A credential is a bearer token in a file, for one origin.
type credential struct {
	file   string
	origin *url.URL
}

// newCredential returns the credential in file, which must be there, for the origin
// of rawURL.
func (c *Client) newCredential(file, rawURL string) (*credential, error) {
	u, err := c.parseURL(rawURL)
	if err != nil {
		return nil, fmt.Errorf("credential: %w", err)
	}
	if u.Scheme != "https" && !isLoopback(u.Hostname()) {
		return nil, fmt.Errorf("credential: %w: plain http in %s would show it to others", ErrURL, show(u))
	}
	k := &credential{file: file, origin: u}
	_, err = k.read()
	return k, err
}

// read returns the token. No error repeats it.
func (k *credential) read() (string, error) {
	data, err := SecretFile(k.file, maxTokenBytes)
	if err != nil {
		return "", fmt.Errorf("credential: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("credential: %s: want one token in visible ASCII", k.file)
	}
	return token, nil
}

// add puts the token into a request to its origin. It may be called on nil.
func (k *credential) add(r *http.Request) error {
	if k == nil || !sameOrigin(k.origin, r.URL) {
		return nil
	}
	token, err := k.read()
	if err == nil {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return err
}

// withheld returns the origin that the token is for, if it is not that of u. It may
// be called on nil.
func (k *credential) withheld(u *url.URL) string {
	if k == nil || sameOrigin(k.origin, u) {
		return ""
	}
	return k.origin.Scheme + "://" + k.origin.Host
}

// checkPlainHosts refuses what is no host's name or address: it would permit nothing,
// or more than it says.
func checkPlainHosts(hosts []string) error {
	for _, host := range hosts {
		name := plainHost(host)
		if _, err := netip.ParseAddr(name); err != nil && !isHostName(name) {
			return fmt.Errorf("http host: got %s, want a whole name or an address, without scheme and port, such as keycloak or 10.0.0.7", quote.Value(host))
		}
	}
	return nil
}

// plainHost is the form in which hosts to which http is permitted are compared.
func plainHost(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String()
	}
	return canonicalHost(host)
}

func plainHosts(hosts []string) []string {
	var names []string
	for _, host := range hosts {
		names = append(names, plainHost(host))
	}
	return names
}
