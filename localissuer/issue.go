package localissuer

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/ticket"
)

// A Request says what a token is to say. The zero value asks for a new identity.
type Request struct {
	// Subject is who the token is for, 1 to 2048 bytes. Empty means somebody new:
	// a random UUID.
	Subject string

	// Audiences are for whom the token is, none of them empty. Empty means those of the
	// issuer.
	Audiences []string

	// Lifetime is how long the token is valid, a second at least. Zero means the issuer's
	// default; above its MaxLifetime is an error.
	Lifetime time.Duration

	// NoExpiry asks for a token that never expires, which the issuer's
	// configuration must permit. With Lifetime it is an error.
	NoExpiry bool

	// Claims are further claims. What the issuer says itself (iss, sub, aud, exp, iat, jti,
	// hex_identity), and what would say more than it does (nbf, sid, events, cnf,
	// original_token), is an error; scope and roles are not.
	Claims map[string]any
}

// reservedClaims are those that Issue alone writes, or that make a token one of
// another kind.
var reservedClaims = [...]string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "hex_identity", "events", "cnf", ticket.ClaimOriginal,
}

// Issue returns a token and the identity of its bearer. A [Request] that names a Subject
// makes whoever gets the token that caller: to whoever bears one already, [Issuer.Renew]
// gives the next. The error is [oidcauth.ErrKeysUnavailable] where no key signs just now:
// [Config.Signer] fails, or the keys in memory are trusted no more (see [Config.Dir]).
func (l *Issuer) Issue(ctx context.Context, r Request) (token string, id identity.Identity, err error) {
	if err := l.misused(ctx); err != nil {
		return "", identity.Identity{}, err
	}
	if err := ctx.Err(); err != nil {
		return "", identity.Identity{}, fmt.Errorf("localissuer: %w", err)
	}
	if slices.Contains(r.Audiences, "") {
		return "", identity.Identity{}, errors.New("localissuer: Request.Audiences: want none that is empty")
	}
	if r.NoExpiry && r.Lifetime != 0 {
		return "", identity.Identity{}, fmt.Errorf("localissuer: Request: got Lifetime %v and NoExpiry, want one of them", r.Lifetime)
	}
	if r.Subject == "" {
		r.Subject = newUUID()
	}
	id = identity.New(l.url, r.Subject)
	if token, err = l.issue(r, id, l.now()); err != nil {
		return "", identity.Identity{}, err
	}
	return token, id, nil
}

// issue signs the token that is asked for.
func (l *Issuer) issue(r Request, id identity.Identity, now time.Time) (string, error) {
	claims, err := l.claims(r, id, now)
	if err != nil {
		return "", fmt.Errorf("localissuer: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("localissuer: Request.Claims: %w", err)
	}
	s, err := l.signer()
	if err != nil {
		return "", err
	}
	return l.sign(s.token, payload)
}

// claims returns all claims of a token.
func (l *Issuer) claims(r Request, id identity.Identity, now time.Time) (map[string]any, error) {
	if len(r.Subject) > claims.MaxSubjectBytes || !utf8.ValidString(r.Subject) {
		return nil, fmt.Errorf("subject: got %s, want 1 to %d bytes of UTF-8", refusal.Quote(r.Subject), claims.MaxSubjectBytes)
	}
	claims := make(map[string]any)
	for name, value := range r.Claims {
		if slices.Contains(reservedClaims[:], name) {
			return nil, fmt.Errorf("claim %q is not for the request to set", name)
		}
		claims[name] = value
	}
	if !r.NoExpiry {
		lifetime := cmp.Or(r.Lifetime, l.lifetime)
		if r.Lifetime < 0 || lifetime > l.maxLifetime {
			return nil, fmt.Errorf("lifetime: got %v, want more than none and at most %v", lifetime, l.maxLifetime)
		}
		if err := checkLifetime(lifetime); err != nil {
			return nil, fmt.Errorf("lifetime: %w", err)
		}
		claims["exp"] = now.Add(lifetime).Unix()
	} else if !l.noExpiry {
		return nil, errors.New("got a request for a token that never expires, want Config.NoExpiry for that")
	}
	claims["iss"], claims["sub"], claims["iat"] = l.url, r.Subject, now.Unix()
	claims["jti"], claims["hex_identity"] = rand.Text(), id.String()
	claims["aud"] = r.Audiences
	if len(r.Audiences) == 0 {
		claims["aud"] = l.audiences
	}
	return claims, nil
}

// newUUID returns a random UUID (RFC 9562, section 5.4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
