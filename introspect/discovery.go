package introspect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/quote"
)

const (
	// documentAge is for how long a discovery document counts.
	documentAge = time.Hour

	// failureAge is for how long it is not asked for again after a failure, and
	// knownFailureAge where an older one says where to ask, or whoever has it wants to be
	// left alone for as long or longer.
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

	mu      sync.Mutex    // guards what follows
	known   string        // the endpoint; empty if it is not known
	next    time.Time     // when to look again
	err     error         // of the last look, where nothing is known
	busy    bool          // err is of an issuer that said when to look again
	looking chan struct{} // closed when the look is over; nil if none is under way
}

func newDiscovery(documents *fetch.Client, issuer string) *discovery {
	return &discovery{documents: documents, issuer: issuer}
}

// endpoint returns the endpoint, waiting for the document if need be. What was known
// before serves while the document cannot be had, and while somebody else looks.
func (d *discovery) endpoint(ctx context.Context) (string, error) {
	known, looking, began := d.begin()
	var enough <-chan time.Time // nil where nothing is known
	if known != "" {
		if !began {
			return known, nil
		}
		enough = time.After(knownTimeout)
	}
	if looking != nil {
		select {
		case <-looking:
		case <-enough:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.known != "":
		return d.known, nil
	case d.busy:
		return "", fetch.BusyFor(d.err, time.Until(d.next))
	}
	return "", d.err
}

// begin looks at the document if it is time and nobody does, and reports whether it has
// begun to. The look is that of all who wait for it: it does not end with the question
// that it began with.
func (d *discovery) begin() (known string, looking chan struct{}, began bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if d.looking != nil || now.Before(d.next) {
		return d.known, d.looking, false
	}
	d.next = now.Add(failureAge)
	if d.known != "" {
		d.next = now.Add(knownFailureAge)
	}
	d.looking = make(chan struct{})
	go d.run(now.Add(documentAge)) // ends with the client's time limit
	return d.known, d.looking, true
}

// run looks at the document, which counts until a time. A panic of the program's
// transport must not end the process.
func (d *discovery) run(until time.Time) {
	var found string
	err := panics.Run(func() (err error) {
		found, err = d.look(context.Background())
		return err
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	status, refused := errors.AsType[*fetch.StatusError](err)
	d.busy = refused && status.RetryAfter > 0
	switch d.err = err; {
	case err == nil:
		d.known, d.next = found, until
	case d.busy && d.known == "":
		d.next = time.Now().Add(min(status.RetryAfter, knownFailureAge))
	}
	close(d.looking)
	d.looking = nil
}

// look reads the document.
func (d *discovery) look(ctx context.Context) (string, error) {
	defer d.documents.CloseIdle() // nobody does so later, and the next look is far away
	got, err := d.documents.Get(ctx, fetch.DiscoveryURL(d.issuer), fetch.Request{Member: "issuer"})
	if err != nil {
		return "", fmt.Errorf("discovery: %w", err)
	}
	members, err := jws.ParseObject(nil, string(got.Body))
	if err != nil {
		return "", fmt.Errorf("discovery: %s", jws.Rule(err))
	}
	if iss := text(members, "issuer"); iss != d.issuer {
		return "", fmt.Errorf("discovery: the document is of issuer %s, want %s", quote.Address(iss), quote.Address(d.issuer))
	}
	endpoint := text(members, "introspection_endpoint")
	switch {
	case endpoint == "":
		return "", errors.New("discovery: the document names no introspection_endpoint: set Endpoint")
	case fetch.IsHTTPS(d.issuer) && !fetch.IsHTTPS(endpoint):
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
	content, err := fetch.SecretFile(c.ClientSecretFile, maxSecretBytes)
	secret := strings.TrimRight(string(content), "\r\n")
	switch {
	case err != nil:
		return "", fmt.Errorf("ClientSecretFile: %w", err)
	case secret == "":
		return "", fmt.Errorf("ClientSecretFile: %s is empty, want a secret of 1 to %d bytes", c.ClientSecretFile, maxSecretBytes)
	}
	return secret, nil
}
