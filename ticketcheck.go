package oidcauth

import (
	"context"
	"net/http"
	"slices"
	"time"

	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// AuthenticateTicket verifies a ticket of a [LocalIssuer] whose Issuer is among
// [Config.Issuers], uses it up, and returns the claims of the token that it
// stands for. That token is judged as [Authenticator.Authenticate] would judge
// it now, by the issuer, key, times, audience, rules and so on, all but its
// signature: that was checked when the ticket was bought. The ticket itself must
// be signed by a key that signs, or did two minutes ago: imported and retired
// keys sign none. A revocation of that key, or of the local issuer, ends its
// tickets ([ErrRevoked]), and one that names the key the sessions too that began
// with them: whoever stole the key may have made them.
//
// The request is the one that uses the ticket: its Origin header must be that of
// the request that bought it, or both must have none ([ErrOrigin]). The database
// is the one that it is used for, and must not be empty; a ticket for another one
// is refused ([ErrAudience]). So are a token that is no ticket ([ErrTokenType])
// and a ticket that was used before ([ErrTicketUsed]): by any server of the
// cluster with [Config.Revocations], and else with the same LocalIssuer. Without
// them, processes that share a key directory take a ticket once each, and one that
// was restarted within its minute once more.
//
// Take the ticket out of the request with an [Extractor], such as [QueryToken],
// as one would a token.
func (a *Authenticator) AuthenticateTicket(r *http.Request, ticket, database string) (*Claims, error) {
	origin, err := ticketPlace(r, database)
	if err != nil {
		return nil, err
	}
	ctx := a.CallerContext(r)
	e := &evaluation{auth: a, raw: ticket, now: a.now()}
	t, err := e.ticket(ctx)
	if err == nil {
		err = e.ticketFits(t.ticketBody, origin, database)
	}
	if err != nil {
		return nil, err
	}
	c, err := e.originalClaims(ctx, &t)
	if err != nil {
		return nil, err
	}
	if err := e.useUp(ctx, t); err != nil {
		return nil, err
	}
	return c, nil
}

// A readTicket is a ticket whose signature is good.
type readTicket struct {
	ticketBody
	secret []byte // of the key that signed it

	// own says that this process made it, so that its age is known whatever was
	// made of the clock since.
	own bool
}

// ticketChecks are the checks of the ticket itself that it shares with tokens.
var ticketChecks = [...]func(*evaluation, context.Context) error{
	(*evaluation).algorithm, (*evaluation).candidates, (*evaluation).signature,
	(*evaluation).issuedAt, (*evaluation).audience, (*evaluation).revocation,
}

// ticket checks the ticket itself.
func (e *evaluation) ticket(ctx context.Context) (readTicket, error) {
	var t readTicket
	var err error
	if e.Members, err = e.token.ParseInto(nil, e.raw, e.auth.maxTokenBytes/3*4+ticketExtra); err != nil {
		return t, malformedToken(err)
	}
	if policy.MediaType(e.token.Type) != policy.TypeTicket {
		return t, refusal.New(refusal.Type, ErrTokenType, refusal.Quote(e.token.Type), refusal.Quote(policy.TypeTicket))
	}
	e.setClaims(e.token.Payload)
	if err := e.issuer(ctx); err != nil {
		return t, err
	}
	if e.trust.local == nil {
		return t, refusal.New(refusal.Issuer, ErrUnknownIssuer, refusal.Quote(e.trust.URL), "the local issuer")
	}
	for _, check := range ticketChecks {
		if err := check(e, ctx); err != nil {
			return t, err
		}
	}
	// After the candidates, which may have learned of a new key.
	secret, signs := e.trust.local.ticketSecret(e.claims.key.ID())
	if !signs || !e.token.HasKeyID {
		return t, refusal.New(refusal.Key, ErrUnknownKey, "key ID "+refusal.Quote(e.token.KeyID), "a key that signs tickets at present")
	}
	t.secret = secret
	if err := josejson.Unmarshal([]byte(e.token.Payload), &t.ticketBody); err != nil || t.ID == "" || t.Origin == nil || t.Database == "" {
		return t, refusal.New(refusal.Ticket, ErrMalformedToken, "a ticket of another form", "one of ours")
	}
	return t, nil
}

// ticketFits checks time and place. The expiry has no leeway: issuer and server
// are the same.
func (e *evaluation) ticketFits(t ticketBody, origin, database string) error {
	expiry := time.Unix(t.Expiry, 0)
	switch {
	case t.Expiry <= 0 || !e.now.Before(expiry):
		return refusal.New(refusal.Expiry, ErrExpired, timeText(expiry), "later than "+timeText(e.now))
	case expiry.After(e.now.Add(maxTicketLifetime + e.auth.leeway)):
		return refusal.New(refusal.Expiry, ErrClaim, timeText(expiry), "within "+maxTicketLifetime.String())
	case *t.Origin != origin:
		return refusal.New(refusal.Ticket, ErrOrigin, describeOrigin(origin), describeOrigin(*t.Origin))
	case t.Database != AnyDatabase && t.Database != database:
		return refusal.New(refusal.Ticket, ErrAudience, "database "+refusal.Quote(database), refusal.Quote(t.Database))
	}
	return nil
}

func describeOrigin(origin string) string {
	if origin == "" {
		return "no Origin"
	}
	return "Origin " + refusal.Quote(origin)
}

// originalClaims judges the token that the ticket stands for. The ticket's
// signature vouches for its form, its signature and its type, and for nothing
// else.
func (e *evaluation) originalClaims(ctx context.Context, t *readTicket) (*Claims, error) {
	signed, o, err := e.readOriginal(t)
	if err != nil {
		return nil, err
	}
	if local := e.trust.local; o.Process == local.process {
		t.own = true
		if age := time.Since(local.started) - time.Duration(o.Uptime)*time.Millisecond; age >= maxTicketLifetime {
			return nil, refusal.New(refusal.Expiry, ErrExpired, "a ticket of "+age.Round(time.Second).String()+" ago", "within "+maxTicketLifetime.String())
		}
	}
	for _, c := range checks {
		switch c.name {
		case refusal.Form, refusal.Type:
			continue
		case refusal.Signature:
			if err := signed.recognize(ctx, o.Key); err != nil {
				return nil, err
			}
			continue
		}
		if err := c.run(signed, ctx); err != nil {
			return nil, err
		}
	}
	return signed.claims, nil
}

// readOriginal opens what the ticket says of the original token.
func (e *evaluation) readOriginal(t *readTicket) (signed *evaluation, o original, err error) {
	content, err := openTicket(t.secret, t.ID, t.Original)
	if err != nil {
		return nil, o, err
	}
	malformed := refusal.New(refusal.Ticket, ErrMalformedToken, "a ticket of another form", "one of ours")
	claims, found, err := jws.Lookup(content, "claims")
	if err != nil || !found || claims.Kind != jws.Object || josejson.Unmarshal([]byte(content), &o) != nil {
		return nil, o, malformed
	}
	signed = &evaluation{auth: e.auth, now: e.now}
	signed.setClaims(claims.Value)
	signed.claims.seller = &seller{issuer: e.trust.URL, keyID: e.claims.key.ID(), soldAt: e.claims.record.IssuedAt}
	signed.token.Algorithm = o.Algorithm
	if o.KeyID != nil {
		signed.token.KeyID, signed.token.HasKeyID = *o.KeyID, true
	}
	if signed.Members, err = jws.ParseObject(nil, claims.Value); err != nil {
		return nil, o, malformed
	}
	return signed, o, nil
}

// recognize finds the key that verified the token among those that may have. It
// may be newer than the keys in hand: another node may have verified the token.
func (e *evaluation) recognize(ctx context.Context, thumbprint string) error {
	if e.verifiedBy(thumbprint) {
		return nil
	}
	found, err := e.lookAgain(ctx, func() bool { return e.verifiedBy(thumbprint) })
	if err != nil || found {
		return err
	}
	return refusal.New(refusal.Key, ErrUnknownKey, "a key that the issuer has withdrawn", "one of the issuer's keys "+describeKeys(e.keys))
}

// verifiedBy reports whether one of the candidates has the thumbprint.
func (e *evaluation) verifiedBy(thumbprint string) bool {
	i := slices.IndexFunc(e.keys, func(k *keyset.Key) bool {
		got, err := keyring.Thumbprint(k.Public())
		return err == nil && got == thumbprint && e.fits(k)
	})
	if i >= 0 {
		e.claims.key, e.claims.hasKeyID = e.keys[i], e.token.HasKeyID
	}
	return i >= 0
}
