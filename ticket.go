package oidcauth

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

const (
	typeTicket    = "ticket+jwt"
	claimOriginal = "original_token"

	// maxTicketLifetime is how long a ticket is good at most.
	maxTicketLifetime = time.Minute

	// ticketRoom is by how much a ticket may exceed the token it stands for.
	ticketRoom = 2 << 10

	// maxTicketUses bounds the memory of what is remembered of used tickets.
	maxTicketUses = 1 << 18

	checkTicket = "ticket"
)

// TicketOptions bind a ticket to where it is used.
type TicketOptions struct {
	// Origin is the page that asks for the ticket, as the browser's Origin
	// header names it, and then the page that uses it. Empty for
	// [LocalIssuer.Ticket] means that any may use it, and then for
	// [Authenticator.AuthenticateTicket] that only such a ticket passes.
	Origin string

	// Database is the database that the ticket is for, and then the one it is
	// used for. Empty for [LocalIssuer.Ticket] means any, and then for
	// [Authenticator.AuthenticateTicket] that only such a ticket passes.
	Database string
}

// ticketBody is what a ticket says beside the original claims.
type ticketBody struct {
	Issuer    string   `json:"iss"`
	Audiences []string `json:"aud"`
	IssuedAt  int64    `json:"iat"`
	Expiry    int64    `json:"exp"`
	ID        string   `json:"jti"`
	Origin    string   `json:"origin,omitempty"`
	Database  string   `json:"database,omitempty"`
}

// original says how the token was signed that a ticket stands for.
type original struct {
	Algorithm string  `json:"alg"`
	KeyID     *string `json:"kid,omitempty"` // nil if the token named no key
	Key       string  `json:"key"`           // thumbprint of the key that verified it
}

// Ticket returns a ticket: a token that stands in for another for a minute, can
// be used once, and may appear where the other should not, in an address above
// all. The claims are those of a token that an [Authenticator] has verified,
// just now or at the beginning of a session. [Authenticator.AuthenticateTicket]
// gives them back, whole: identity, roles and expiry are those of the original
// token.
//
// A ticket never outlives its original, and claims that came from a ticket buy
// no other ([ErrTokenType]). It has a type of its own, so that nothing but
// AuthenticateTicket accepts it.
func (l *LocalIssuer) Ticket(ctx context.Context, claims *Claims, o TicketOptions) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("oidcauth: ticket: %w", err)
	}
	switch {
	case claims == nil:
		return "", refuse(checkTicket, ErrNoToken, "", "")
	case claims.key == nil:
		return "", refuse(checkTicket, ErrSignature, "claims that were not verified", "those of an Authenticator")
	case claims.fromTicket:
		return "", refuse(checkTicket, ErrTokenType, "claims from a ticket", "those of a token")
	}
	now := l.now()
	expiry := now.Add(maxTicketLifetime)
	if !claims.neverExpires && claims.Expiry().Before(expiry) {
		expiry = claims.Expiry()
	}
	if expiry.Unix() <= now.Unix() {
		return "", refuse(checkTicket, ErrExpired, timeText(claims.Expiry()), "later than "+timeText(now))
	}
	payload, err := ticketPayload(ticketBody{
		Issuer: l.url, Audiences: l.audiences, IssuedAt: now.Unix(), Expiry: expiry.Unix(),
		ID: rand.Text(), Origin: o.Origin, Database: o.Database,
	}, claims)
	if err != nil {
		return "", err
	}
	return l.sign(l.signing.Load().ticket, payload)
}

// ticketPayload puts the original payload into the ticket byte for byte, which
// the JSON encoder would not.
func ticketPayload(body ticketBody, c *Claims) ([]byte, error) {
	thumbprint, err := keyring.Thumbprint(c.key.Public())
	if err != nil {
		return nil, err
	}
	o := original{Algorithm: c.trust.algorithms[c.algorithm], Key: thumbprint}
	if c.hasKeyID {
		id := c.key.ID()
		o.KeyID = &id
	}
	head, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	tail, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	payload := slices.Concat(head[:len(head)-1], []byte(`,"`+claimOriginal+`":`),
		tail[:len(tail)-1], []byte(`,"claims":`+c.payload+`}}`))
	if _, err := jws.ParseObject(nil, string(payload)); err != nil {
		return nil, refuseCause(checkTicket, ErrMalformedToken, err)
	}
	return payload, nil
}

// AuthenticateTicket verifies a ticket of a [LocalIssuer] whose Issuer is among
// [Config.Issuers], uses it up, and returns the claims of the token that it
// stands for. That token is judged as [Authenticator.Authenticate] would judge
// it now, by the issuer, key, times, audience, rules and so on, all but its
// signature: that was checked when the ticket was bought.
//
// A ticket bound to an origin or a database is refused for another
// ([ErrOrigin], [ErrAudience]), a token that is no ticket always
// ([ErrTokenType]), and a ticket that was used before too ([ErrTicketUsed]): by
// any server of the cluster with [Config.Revocations], and else in this process.
//
// Take the ticket out of the request with an [Extractor], such as [QueryToken],
// as one would a token.
func (a *Authenticator) AuthenticateTicket(ctx context.Context, ticket string, o TicketOptions) (*Claims, error) {
	e := &evaluation{auth: a, raw: ticket, now: a.now()}
	body, err := e.ticket(ctx, o)
	if err != nil {
		return nil, err
	}
	c, err := e.originalClaims(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.useUp(ctx, body); err != nil {
		return nil, err
	}
	return c, nil
}

// useUp makes sure that nobody else uses the ticket, in this process or, with a
// log, in the cluster.
func (e *evaluation) useUp(ctx context.Context, body ticketBody) error {
	expiry := time.Unix(body.Expiry, 0)
	if err := e.trust.local.tickets.use(body.ID, expiry, e.now); err != nil {
		return err
	}
	if e.auth.follower == nil {
		return nil
	}
	first, err := e.auth.follower.log.FirstUse(ctx, useID(useTicket, e.trust.url, body.ID), expiry.Add(2*maxLeeway))
	switch {
	case err != nil:
		return refuseCause(checkTicket, ErrRevocationsUnavailable, err)
	case !first:
		return refuse(checkTicket, ErrTicketUsed, "a ticket for the second time", "a new one")
	}
	return nil
}

// ticket checks the ticket itself.
func (e *evaluation) ticket(ctx context.Context, o TicketOptions) (ticketBody, error) {
	var body ticketBody
	var err error
	if e.members, err = e.token.ParseInto(nil, e.raw, e.auth.maxTokenBytes+ticketRoom); err != nil {
		return body, refuseCause(checkForm, ErrMalformedToken, err)
	}
	if mediaType(e.token.Type) != typeTicket {
		return body, refuse(checkType, ErrTokenType, quote(e.token.Type), quote(typeTicket))
	}
	e.claims = &Claims{payload: e.token.Payload}
	if err := e.issuer(ctx); err != nil {
		return body, err
	}
	if e.trust.local == nil {
		return body, refuse(checkIssuer, ErrUnknownIssuer, quote(e.trust.url), "the local issuer")
	}
	for _, check := range [...]func(*evaluation, context.Context) error{
		(*evaluation).algorithm, (*evaluation).candidates, (*evaluation).signature,
		(*evaluation).issuedAt, (*evaluation).audience,
	} {
		if err := check(e, ctx); err != nil {
			return body, err
		}
	}
	if err := json.Unmarshal([]byte(e.token.Payload), &body); err != nil || body.ID == "" {
		return body, refuse(checkTicket, ErrMalformedToken, "a ticket of another form", "one of ours")
	}
	return body, e.ticketFits(body, o)
}

// ticketFits checks time and place. The expiry has no leeway: issuer and server
// are the same.
func (e *evaluation) ticketFits(body ticketBody, o TicketOptions) error {
	expiry := time.Unix(body.Expiry, 0)
	switch {
	case body.Expiry <= 0 || !e.now.Before(expiry):
		return refuse(checkExpiry, ErrExpired, timeText(expiry), "later than "+timeText(e.now))
	case expiry.After(e.now.Add(maxTicketLifetime + e.auth.leeway)):
		return refuse(checkExpiry, ErrClaim, timeText(expiry), "within "+maxTicketLifetime.String())
	case body.Origin != "" && body.Origin != o.Origin:
		return refuse(checkTicket, ErrOrigin, quote(o.Origin), quote(body.Origin))
	case body.Database != "" && body.Database != o.Database:
		return refuse(checkTicket, ErrAudience, "database "+quote(o.Database), quote(body.Database))
	}
	return nil
}

// originalClaims judges the token that the ticket stands for. The ticket's
// signature vouches for its form, its signature and its type, and for nothing
// else.
func (e *evaluation) originalClaims(ctx context.Context) (*Claims, error) {
	signed, key, err := e.readOriginal()
	if err != nil {
		return nil, err
	}
	for _, c := range checks {
		switch c.name {
		case checkForm, checkType:
			continue
		case checkSignature:
			if err := signed.recognize(key); err != nil {
				return nil, err
			}
			continue
		}
		if err := c.run(signed, ctx); err != nil {
			return nil, err
		}
	}
	signed.claims.fromTicket = true
	return signed.claims, nil
}

// readOriginal reads the original token out of the ticket, and the thumbprint
// of the key that verified it.
func (e *evaluation) readOriginal() (signed *evaluation, key string, err error) {
	malformed := refuse(checkTicket, ErrMalformedToken, "a ticket of another form", "one of ours")
	m, found := e.member(claimOriginal)
	if !found || m.Kind != jws.Object {
		return nil, "", malformed
	}
	var o original
	claims, found, err := jws.Lookup(m.Value, "claims")
	if err != nil || !found || claims.Kind != jws.Object || json.Unmarshal([]byte(m.Value), &o) != nil {
		return nil, "", malformed
	}
	signed = &evaluation{auth: e.auth, now: e.now, claims: &Claims{payload: claims.Value}}
	signed.token.Algorithm = o.Algorithm
	if o.KeyID != nil {
		signed.token.KeyID, signed.token.HasKeyID = *o.KeyID, true
	}
	if signed.members, err = jws.ParseObject(nil, claims.Value); err != nil {
		return nil, "", malformed
	}
	return signed, o.Key, nil
}

// recognize finds the key that verified the token among those that may have.
func (e *evaluation) recognize(thumbprint string) error {
	i := slices.IndexFunc(e.keys, func(k *keyset.Key) bool {
		got, err := keyring.Thumbprint(k.Public())
		return err == nil && got == thumbprint && e.fits(k)
	})
	if i < 0 {
		return refuse(checkKey, ErrUnknownKey, "a key that the issuer has withdrawn", "one of the issuer's keys "+describeKeys(e.keys))
	}
	e.claims.key, e.claims.hasKeyID = e.keys[i], e.token.HasKeyID
	return nil
}

// ticketUses remembers the tickets that were used, for as long as they are good.
type ticketUses struct {
	mu    sync.Mutex // guards what follows
	used  map[string]time.Time
	swept time.Time
}

// use reports a ticket that was used before. When there is no room to remember
// another one, it is refused.
func (u *ticketUses) use(id string, expiry, now time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if since := now.Sub(u.swept); since.Abs() > maxTicketLifetime || len(u.used) >= maxTicketUses && since.Abs() >= time.Second {
		u.swept = now
		for id, expiry := range u.used {
			if !now.Before(expiry) {
				delete(u.used, id)
			}
		}
	}
	if _, found := u.used[id]; found {
		return refuse(checkTicket, ErrTicketUsed, "a ticket for the second time", "a new one")
	}
	if len(u.used) >= maxTicketUses {
		return refuseCause(checkTicket, ErrRevocationsUnavailable, errors.New("too many tickets at a time"))
	}
	if u.used == nil {
		u.used = make(map[string]time.Time)
	}
	u.used[id] = expiry
	return nil
}
