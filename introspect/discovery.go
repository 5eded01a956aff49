package introspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/quote"
)

const (
	// documentAge is for how long a discovery document counts.
	documentAge = time.Hour

	// failureAge is for how long it is not asked for again after a failure, and
	// knownFailureAge where an older one says where to ask.
	failureAge      = time.Second
	knownFailureAge = time.Minute

	// knownTimeout is how much of a question's time may go into another document than
	// the one that is known.
	knownTimeout = 2 * time.Second

	maxSecretBytes = 4 << 10
)

// A discovery knows the endpoint that an issuer's discovery document names (RFC 8414,
// section 2). It is safe for concurrent use.
type discovery struct {
	documents *fetch.Client
	issuer    string

	known atomic.Pointer[string] // the endpoint

	turn chan struct{} // held by whoever looks; guards what follows
	next time.Time     // when to look again
	err  error         // of the last look, where nothing is known
}

func newDiscovery(documents *fetch.Client, issuer string) *discovery {
	return &discovery{documents: documents, issuer: issuer, turn: make(chan struct{}, 1)}
}

// endpoint returns the endpoint, waiting for the document if need be. What was known
// before serves while the document cannot be had, and while somebody else looks.
func (d *discovery) endpoint(ctx context.Context) (string, error) {
	if d.known.Load() == nil {
		return d.first(ctx)
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
		d.lookAgain(ctx)
	default:
	}
	return *d.known.Load(), nil
}

// first returns the endpoint where none was known.
func (d *discovery) first(ctx context.Context) (string, error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if known := d.known.Load(); known != nil {
		return *known, nil
	}
	if now := time.Now(); !now.Before(d.next) {
		d.next = now.Add(failureAge)
		var found string
		if found, d.err = d.look(ctx); d.err == nil {
			d.next = now.Add(documentAge)
			d.known.Store(&found)
			return found, nil
		}
	}
	return "", d.err
}

// lookAgain looks whether the endpoint is another by now, if it is time. The turn must
// be held.
func (d *discovery) lookAgain(ctx context.Context) {
	now := time.Now()
	if now.Before(d.next) {
		return
	}
	d.next = now.Add(knownFailureAge)
	ctx, cancel := context.WithTimeout(ctx, knownTimeout)
	defer cancel()
	if found, err := d.look(ctx); err == nil {
		d.next = now.Add(documentAge)
		d.known.Store(&found)
	}
}

// look reads the document.
func (d *discovery) look(ctx context.Context) (string, error) {
	got, err := d.documents.Get(ctx, fetch.DiscoveryURL(d.issuer), fetch.Request{Member: "issuer"})
	if err != nil {
		return "", fmt.Errorf("discovery: %w", err)
	}
	members, err := jws.ParseObject(nil, string(got.Body))
	if err != nil {
		return "", fmt.Errorf("discovery: %s", jws.Rule(err))
	}
	if iss := text(members, "issuer"); iss != d.issuer {
		return "", fmt.Errorf("discovery: the document is of issuer %s, want %s", quote.Value(iss), quote.Value(d.issuer))
	}
	endpoint := text(members, "introspection_endpoint")
	switch {
	case endpoint == "":
		return "", errors.New("discovery: the document names no introspection_endpoint: set Endpoint")
	case strings.HasPrefix(d.issuer, "https:") && !strings.HasPrefix(endpoint, "https:"):
		return "", errors.New("discovery: introspection_endpoint is not https, as the issuer is")
	}
	if err := d.documents.CheckURL(endpoint); err != nil {
		return "", fmt.Errorf("discovery: introspection_endpoint: %w", err)
	}
	return endpoint, nil
}

// text returns a member that is a string, or nothing.
func text(members []jws.Member, name string) string {
	m, _ := jws.Find(members, name)
	s, _ := m.Text()
	return s
}

// secret returns the secret of now, or nothing where there is none.
func (c *Config) secret() (string, error) {
	if c.ClientSecretFile == "" {
		return c.ClientSecret, nil
	}
	info, err := os.Stat(c.ClientSecretFile)
	if err != nil {
		return "", fmt.Errorf("ClientSecretFile: %w", quote.SecretFile(c.ClientSecretFile, err))
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("ClientSecretFile: %s is not a regular file", c.ClientSecretFile)
	}
	f, err := os.Open(c.ClientSecretFile)
	if err != nil {
		return "", fmt.Errorf("ClientSecretFile: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	secret := strings.TrimRight(string(content), "\r\n")
	switch {
	case err != nil:
		return "", fmt.Errorf("ClientSecretFile: %w", err)
	case secret == "" || len(content) > maxSecretBytes:
		return "", fmt.Errorf("ClientSecretFile: %s has %d bytes, want a secret of 1 to %d", c.ClientSecretFile, len(content), maxSecretBytes)
	}
	return secret, nil
}
