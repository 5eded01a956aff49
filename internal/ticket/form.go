// Package ticket holds what those who make tickets and those who take them have
// in common: the form of a ticket, how it seals what it says of the token that it
// stands for, and the ledger of those that were used.
package ticket

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

const (
	// ClaimOriginal is the claim that makes a token a ticket.
	ClaimOriginal = "original_token"

	// AnyDatabase is what a ticket says that is good for every database.
	AnyDatabase = "*"

	// MaxLifetime is how long a ticket is good at most.
	MaxLifetime = time.Minute

	// extra is by how much a ticket may exceed what it says of the token that it
	// stands for.
	extra = 5 << 10

	maxOriginBytes   = 512
	maxDatabaseBytes = 256
)

// MaxBytes returns how long a ticket may be for a token of so many bytes. Sealed, the
// token's claims are written in base64 twice, as they are once in the token; what has
// it beside them is written so in the token already, and twice more where somebody is
// to be asked about it (SetToken).
func MaxBytes(token int) int { return token/9*16 + extra }

// A Body is what a ticket says to everybody. What it says of the token that it
// stands for is sealed, because tickets appear in addresses.
type Body struct {
	Issuer    string   `json:"iss"`
	Audiences []string `json:"aud"`
	IssuedAt  int64    `json:"iat"`
	Expiry    int64    `json:"exp"`
	ID        string   `json:"jti"`
	Origin    *string  `json:"origin"` // empty for a request that had none
	Database  string   `json:"database"`
	Original  string   `json:"original_token"` // see Seal
}

// Encode returns the payload of the ticket.
func (b *Body) Encode() ([]byte, error) { return encode(b) }

// encode is [json.Marshal] without the escapes that are for HTML alone.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Place returns the origin of a request that buys or uses a ticket, empty for
// none, and checks the name of the database. The error is a refusal.
func Place(r *http.Request, database string) (origin string, err error) {
	switch {
	case r == nil:
		return "", refusal.New(refusal.Ticket, refusal.ErrMalformedRequest, "no request", "the one that buys or uses the ticket")
	case database == "" || len(database) > maxDatabaseBytes || !utf8.ValidString(database):
		return "", refusal.New(refusal.Ticket, refusal.ErrMalformedRequest, "database "+refusal.Quote(database), fmt.Sprintf("1 to %d bytes of UTF-8", maxDatabaseBytes))
	}
	values := r.Header.Values("Origin")
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", refusal.New(refusal.Ticket, refusal.ErrMalformedRequest, "several Origin headers", "one")
	case values[0] == "null":
		return "", refusal.New(refusal.Ticket, refusal.ErrOrigin, `Origin "null"`, "a page with an origin of its own")
	case !isOrigin(values[0]):
		return "", refusal.New(refusal.Ticket, refusal.ErrMalformedRequest, "Origin "+refusal.Quote(values[0]), "scheme and host, as a browser sends them")
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
