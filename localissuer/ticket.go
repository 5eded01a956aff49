package localissuer

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/ticket"
)

// AnyDatabase, as the database of [Issuer.Ticket], makes a ticket good for every
// database of this server.
const AnyDatabase = ticket.AnyDatabase

// Ticket returns a ticket: a token that stands in for another for a minute, can
// be used once, and may appear where the other should not, in an address above
// all. The claims are those of a token that an [oidcauth.Authenticator] has
// verified, just now or at the beginning of a session.
// [oidcauth.Authenticator.AuthenticateTicket] gives them back, whole: identity,
// roles and expiry are those of the original token. In the ticket itself they are
// encrypted.
//
// The ticket is bound to where r comes from: to the page that its Origin header
// names, byte for byte, or to having no such header, as programs other than
// browsers do. A page of its own site gets its header with POST, and not with
// GET. Pages without an origin of their own, whose header is "null", get no
// ticket ([oidcauth.ErrOrigin]): nobody can tell one of them from another.
//
// The ticket is good for one database, by the name that AuthenticateTicket is
// going to be told, or for all with [AnyDatabase]. An empty name, one of more
// than 256 bytes and one that is not UTF-8 are errors
// ([oidcauth.ErrMalformedRequest]). A server that takes the name from the request
// should not take AnyDatabase from it.
//
// A token that is bound to a key or a certificate buys a ticket only for a page, by the
// Origin of r ([oidcauth.ErrOrigin]): a program proves with each request what it has.
//
// While the key that signs is revoked, or all that the issuer issues, tickets would be refused,
// and none is sold ([oidcauth.ErrKeysUnavailable]).
//
// A ticket is good no longer than its original is accepted, and claims that came from a ticket buy
// no other ([oidcauth.ErrTokenType]). It has a type of its own, so that nothing
// but AuthenticateTicket accepts it. Every process that shares the key directory
// does, also after a restart; with an external signer see [Config.TicketSecret].
func (l *Issuer) Ticket(r *http.Request, claims *oidcauth.Claims, database string) (string, error) {
	return l.sell(r, "", claims, database)
}

func init() {
	ticket.Sell = func(issuer any, r *http.Request, token string, claims any, database string) (string, error) {
		return issuer.(*Issuer).sell(r, token, claims.(*oidcauth.Claims), database)
	}
}

// sell makes a ticket. One for a token of l's own gives the token back. Whoever can
// open it has the directory of keys, and could sign such a token, or TicketSecret. A
// token that was signed anew instead would outlive the removal of the first one's key.
func (l *Issuer) sell(r *http.Request, token string, claims *oidcauth.Claims, database string) (string, error) {
	if err := l.misused(context.Background()); err != nil {
		return "", err
	}
	origin, err := ticket.Place(r, database)
	if err != nil {
		return "", err
	}
	if err := r.Context().Err(); err != nil {
		return "", fmt.Errorf("localissuer: ticket: %w", err)
	}
	verified, err := ticket.Verify(claims)
	if err != nil {
		return "", err
	}
	if verified.Proved && origin == "" {
		return "", refusal.New(refusal.Ticket, oidcauth.ErrOrigin, "no Origin", "that of a page: a program that has what its token is bound to proves it itself")
	}
	s, err := l.signer()
	if err != nil {
		return "", err
	}
	body := ticket.Body{Issuer: l.url, Audiences: l.audiences, ID: rand.Text(), Origin: &origin, Database: database}
	if err := l.dateTicket(&body, &verified); err != nil {
		return "", err
	}
	if err := ticket.Counts(claims, l.url, s.keyID, time.Unix(body.IssuedAt, 0)); err != nil {
		return "", err
	}
	l.tickets.Stamp(&verified.Original)
	if claims.Issuer() == l.url {
		verified.KeepToken(token, verified.Payload)
	}
	if body.Original, err = ticket.Seal(s.secret, body.ID, verified.Original, verified.Payload); err != nil {
		return "", err
	}
	payload, err := body.Encode()
	if err != nil {
		return "", err
	}
	return l.sign(s.ticket, payload)
}

// dateTicket says from when until when the ticket is good.
func (l *Issuer) dateTicket(body *ticket.Body, v *ticket.Verified) error {
	now := l.now()
	expiry := now.Add(ticket.MaxLifetime)
	if !v.NeverExpires && v.Until.Before(expiry) {
		expiry = v.Until
	}
	if expiry.Unix() <= now.Unix() {
		return refusal.New(refusal.Ticket, oidcauth.ErrExpired, timeText(v.Until), "later than "+timeText(now))
	}
	body.IssuedAt, body.Expiry = now.Unix(), expiry.Unix()
	return nil
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }
