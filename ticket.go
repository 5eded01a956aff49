package oidcauth

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// AnyDatabase, as the database of [LocalIssuer.Ticket], makes a ticket good for
// every database of this server.
const AnyDatabase = "*"

const (
	claimOriginal = "original_token"

	// maxTicketLifetime is how long a ticket is good at most.
	maxTicketLifetime = time.Minute

	// ticketExtra is by how much a ticket may exceed four thirds of the token that
	// it stands for: sealed, the token's claims are written in base64 twice.
	ticketExtra = 4 << 10

	maxOriginBytes   = 512
	maxDatabaseBytes = 256
)

// ticketBody is what a ticket says to everybody. What it says of the token that
// it stands for is sealed, because tickets appear in addresses.
type ticketBody struct {
	Issuer    string   `json:"iss"`
	Audiences []string `json:"aud"`
	IssuedAt  int64    `json:"iat"`
	Expiry    int64    `json:"exp"`
	ID        string   `json:"jti"`
	Origin    *string  `json:"origin"` // empty for a request that had none
	Database  string   `json:"database"`
	Original  string   `json:"original_token"` // see sealTicket
}

// original says how the token was signed that a ticket stands for, and when the
// ticket was made by the clock of a process that nobody sets.
type original struct {
	Algorithm string  `json:"alg"`
	KeyID     *string `json:"kid,omitempty"` // nil if the token named no key
	Key       string  `json:"key"`           // thumbprint of the key that verified it
	Process   string  `json:"process"`
	Uptime    int64   `json:"uptime"` // of the process, in milliseconds
}

// Ticket returns a ticket: a token that stands in for another for a minute, can
// be used once, and may appear where the other should not, in an address above
// all. The claims are those of a token that an [Authenticator] has verified,
// just now or at the beginning of a session. [Authenticator.AuthenticateTicket]
// gives them back, whole: identity, roles and expiry are those of the original
// token. In the ticket itself they are encrypted.
//
// The ticket is bound to where r comes from: to the page that its Origin header
// names, byte for byte, or to having no such header, as programs other than
// browsers do. A page of its own site gets its header with POST, and not with
// GET. Pages without an origin of their own, whose header is "null", get no
// ticket ([ErrOrigin]): nobody can tell one of them from another.
//
// The ticket is good for one database, by the name that AuthenticateTicket is
// going to be told, or for all with [AnyDatabase]. An empty name, one of more
// than 256 bytes and one that is not UTF-8 are errors ([ErrMalformedRequest]). A
// server that takes the name from the request should not take AnyDatabase from it.
//
// A ticket never outlives its original, and claims that came from a ticket buy
// no other ([ErrTokenType]). It has a type of its own, so that nothing but
// AuthenticateTicket accepts it. Every process that shares the key directory
// does, also after a restart; with an external signer see
// [LocalIssuerConfig.TicketSecret].
func (l *LocalIssuer) Ticket(r *http.Request, claims *Claims, database string) (string, error) {
	origin, err := ticketPlace(r, database)
	if err != nil {
		return "", err
	}
	if err := r.Context().Err(); err != nil {
		return "", fmt.Errorf("oidcauth: ticket: %w", err)
	}
	s := l.signing.Load()
	switch {
	case claims == nil:
		return "", refusal.New(refusal.Ticket, ErrNoToken, "", "")
	case claims.key == nil:
		return "", refusal.New(refusal.Ticket, ErrSignature, "claims that were not verified", "those of an Authenticator")
	case claims.seller != nil:
		return "", refusal.New(refusal.Ticket, ErrTokenType, "claims from a ticket", "those of a token")
	case s.err != nil:
		return "", s.err
	}
	body := ticketBody{Issuer: l.url, Audiences: l.audiences, ID: rand.Text(), Origin: &origin, Database: database}
	if err := l.dateTicket(&body, claims); err != nil {
		return "", err
	}
	if body.Original, err = l.sealOriginal(s.secret, body.ID, claims); err != nil {
		return "", err
	}
	payload, err := marshalPlain(body)
	if err != nil {
		return "", err
	}
	return l.sign(s.ticket, payload)
}

// dateTicket says from when until when the ticket is good.
func (l *LocalIssuer) dateTicket(body *ticketBody, c *Claims) error {
	now := l.now()
	expiry := now.Add(maxTicketLifetime)
	if !c.record.NeverExpires && c.Expiry().Before(expiry) {
		expiry = c.Expiry()
	}
	if expiry.Unix() <= now.Unix() {
		return refusal.New(refusal.Ticket, ErrExpired, refusal.Time(c.Expiry()), "later than "+refusal.Time(now))
	}
	body.IssuedAt, body.Expiry = now.Unix(), expiry.Unix()
	return nil
}

// sealOriginal seals the original payload byte for byte, which the JSON encoder
// would not keep.
func (l *LocalIssuer) sealOriginal(secret []byte, ticketID string, c *Claims) (string, error) {
	thumbprint, err := keyring.Thumbprint(c.key.Public())
	if err != nil {
		return "", err
	}
	o := original{
		Algorithm: c.trust.Algorithms[c.algorithm], Key: thumbprint,
		Process: l.process, Uptime: time.Since(l.started).Milliseconds(),
	}
	if c.hasKeyID {
		id := c.key.ID()
		o.KeyID = &id
	}
	head, err := marshalPlain(o)
	if err != nil {
		return "", err
	}
	content := slices.Concat(head[:len(head)-1], []byte(`,"claims":`+c.record.Payload+`}`))
	if _, err := jws.ParseObject(nil, string(content)); err != nil {
		return "", refusal.Because(refusal.Ticket, ErrMalformedToken, err)
	}
	return sealTicket(secret, ticketID, content)
}

// marshalPlain is [json.Marshal] without the escapes that are for HTML alone.
func marshalPlain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// ticketPlace returns the origin of a request that buys or uses a ticket, empty
// for none, and checks the name of the database.
func ticketPlace(r *http.Request, database string) (origin string, err error) {
	switch {
	case r == nil:
		return "", refusal.New(refusal.Ticket, ErrMalformedRequest, "no request", "the one that buys or uses the ticket")
	case database == "" || len(database) > maxDatabaseBytes || !utf8.ValidString(database):
		return "", refusal.New(refusal.Ticket, ErrMalformedRequest, "database "+refusal.Quote(database), fmt.Sprintf("1 to %d bytes of UTF-8", maxDatabaseBytes))
	}
	values := r.Header.Values("Origin")
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", refusal.New(refusal.Ticket, ErrMalformedRequest, "several Origin headers", "one")
	case values[0] == "null":
		return "", refusal.New(refusal.Ticket, ErrOrigin, `Origin "null"`, "a page with an origin of its own")
	case !isOrigin(values[0]):
		return "", refusal.New(refusal.Ticket, ErrMalformedRequest, "Origin "+refusal.Quote(values[0]), "scheme and host, as a browser sends them")
	}
	return values[0], nil
}

// isOrigin reports whether a header names one origin (RFC 6454, section 7), and
// not a list of them, as a proxy makes of several headers.
func isOrigin(text string) bool {
	scheme, _, found := strings.Cut(text, "://")
	return found && scheme != "" && len(text) <= maxOriginBytes &&
		!strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' || r == '"' })
}
