package oidcauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/bound"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/revoked"
	"github.com/oidcauth/oidcauth/internal/ticket"
	"github.com/oidcauth/oidcauth/internal/verify"
	"github.com/oidcauth/oidcauth/possession"
)

// AuthenticateTicket verifies a ticket of a local issuer (package localissuer) that
// is among [Config.Issuers], uses it up, and returns the claims of the token that it
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
// cluster with [Config.Revocations], and else at this Authenticator or with the same
// local issuer. Where the cluster cannot be asked, or there is no place to remember the
// use, the ticket is refused ([ErrRevocationsUnavailable]) and stays good. Without a
// cluster, processes that share a key directory take a ticket once each, and one that was
// restarted within its minute once more.
//
// Take the ticket out of the request with an [Extractor], such as [QueryToken],
// as one would a token.
func (a *Authenticator) AuthenticateTicket(r *http.Request, ticket, database string) (*Claims, error) {
	if err := a.usable(context.Background()); err != nil {
		return nil, err
	}
	checked, err := a.checkTicket(r, ticket, database)
	if err != nil {
		return nil, err
	}
	if err := checked.Use(); err != nil {
		return nil, err
	}
	return a.goodNow(a.CallerContext(r), checked.Claims.(*Claims))
}

// checkTicket checks the ticket, then the token that it stands for. What it returns
// uses the ticket up. Where the issuers have changed meanwhile, it checks anew.
func (a *Authenticator) checkTicket(r *http.Request, text, database string) (ticket.Checked, error) {
	if a.watch.Tickets() {
		return a.checkTicketWatched(r, text, database)
	}
	return a.judgeTicket(r, text, database)
}

// checkTicketWatched is checkTicket, and tells the program's hook how it went, up to
// the use.
func (a *Authenticator) checkTicketWatched(r *http.Request, text, database string) (ticket.Checked, error) {
	start := time.Now()
	checked, err := a.judgeTicket(r, text, database)
	if err != nil {
		a.watch.Ticket(r.Context(), start, refusal.BearerOf(err).Configured, err)
		return checked, err
	}
	use, issuer := checked.Use, checked.Claims.(*Claims).trust.configuredAs()
	checked.Use = func() error {
		err := use()
		a.watch.Ticket(r.Context(), start, issuer, err)
		return err
	}
	return checked, nil
}

func (a *Authenticator) judgeTicket(r *http.Request, text, database string) (checked ticket.Checked, err error) {
	err = a.anew(func() (err error) {
		checked, err = a.checkTicketOnce(r, text, database)
		return err
	})
	return checked, err
}

func (a *Authenticator) checkTicketOnce(r *http.Request, text, database string) (ticket.Checked, error) {
	origin, err := ticket.Place(r, database)
	if err != nil {
		return ticket.Checked{}, err
	}
	e := &ticketToken{auth: a}
	e.Begin(a.env, text, a.now())
	ctx := a.CallerContext(r)
	t, err := e.check(ctx)
	if err == nil {
		err = e.checkPlace(t.Body, origin, database)
	}
	if err != nil {
		return ticket.Checked{}, err
	}
	c, original, err := e.originalClaims(ctx, &t)
	if err == nil {
		c, err = a.confirmTicket(r, c, original)
	}
	if err == nil {
		e.Now = a.now() // keys, or an answer, may have been waited for
		err = e.checkPlace(t.Body, origin, database)
	}
	if err == nil {
		err = a.stillGood(c)
	}
	if err != nil {
		return ticket.Checked{}, err
	}
	use := func() error { return e.useUp(ctx, t) }
	return ticket.Checked{Claims: c, Token: original.GivenBack(c.record.Payload), Use: use}, nil
}

// confirmTicket returns the claims of the token that a ticket stands for, once it is
// certain that what the token is bound to was proved. The key was, when the ticket was
// bought: a browser can send no proof with an upgrade. A certificate is shown by each
// connection.
func (a *Authenticator) confirmTicket(r *http.Request, c *Claims, o ticket.Original) (*Claims, error) {
	cnf := c.record.Confirmation
	if cnf == nil {
		return c, nil
	}
	if !o.Proved {
		return nil, refusal.New(refusal.Possession, ErrProof, "a ticket that was bought without proof", "one that was bought with the key or the certificate of its token")
	}
	p := a.presented(r, possession.Proof{}, "")
	if cnf.Certificate != "" {
		if _, err := bound.Check(r.Context(), nil, &claims.Confirmation{Certificate: cnf.Certificate}, p); err != nil {
			return nil, err
		}
	}
	return c.having(&claims.Proved{Method: p.Method, URL: p.URL}), nil
}

// A readTicket is a ticket whose signature is good.
type readTicket struct {
	ticket.Body
	authority *ticket.Authority // of those that sell such tickets
	secret    []byte            // of the key that signed it

	// own says that this process made it, so that its age is known whatever was
	// made of the clock since.
	own bool
}

// A ticketToken is a ticket on its way through the checks.
type ticketToken struct {
	verify.Evaluation
	auth *Authenticator
}

// check checks the ticket itself. Most of its checks are those of tokens.
func (e *ticketToken) check(ctx context.Context) (readTicket, error) {
	var t readTicket
	var err error
	if e.Members, err = e.Token.Parse(nil, e.Raw, ticket.MaxBytes(e.auth.maxTokenBytes)); err != nil {
		return t, verify.Malformed(err)
	}
	if policy.MediaType(e.Token.Type) != policy.TypeTicket {
		return t, refusal.New(refusal.Type, ErrTokenType, refusal.Quote(e.Token.Type), refusal.Quote(policy.TypeTicket))
	}
	e.SetPayload(e.Token.Payload)
	if err := e.CheckIssuer(ctx); err != nil {
		return t, err
	}
	if t.authority = e.Trust.Owner.(*trust).source.tickets(); t.authority == nil {
		return t, refusal.New(refusal.Issuer, ErrUnknownIssuer, refusal.Quote(e.Trust.URL), "the local issuer")
	}
	if err := e.Choose(ctx, e.CheckIssuedAt, e.CheckAudience); err != nil {
		return t, err
	}
	if err := e.CheckRevocation(ctx); err != nil {
		return t, err
	}
	t.authority = e.Trust.Owner.(*trust).source.tickets()
	// After the candidates, which may have learned of a new key.
	secret, signs := t.authority.Secret(e.Key.ID())
	if !signs || !e.Token.KeyID.Has {
		return t, refusal.New(refusal.Key, ErrUnknownKey, "key ID "+refusal.Quote(e.Token.KeyID.Text), "a key that signs tickets at present")
	}
	t.secret = secret
	if err := josejson.Unmarshal([]byte(e.Token.Payload), &t.Body); err != nil || t.ID == "" || t.Origin == nil || t.Database == "" {
		return t, ticket.Malformed()
	}
	return t, nil
}

// checkPlace checks time and place of use. The expiry has no leeway: issuer and server
// are the same.
func (e *ticketToken) checkPlace(t ticket.Body, origin, database string) error {
	expiry := time.Unix(t.Expiry, 0)
	switch {
	case t.Expiry <= 0 || !e.Now.Before(expiry):
		return refusal.New(refusal.Expiry, ErrExpired, refusal.Time(expiry), "later than "+refusal.Time(e.Now))
	case expiry.After(e.Now.Add(ticket.MaxLifetime + e.Trust.Leeway)):
		return refusal.New(refusal.Expiry, ErrClaim, refusal.Time(expiry), "within "+ticket.MaxLifetime.String())
	case *t.Origin != origin:
		return refusal.New(refusal.Ticket, ErrOrigin, describeOrigin(origin), describeOrigin(*t.Origin))
	case t.Database != ticket.AnyDatabase && t.Database != database:
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
// signature vouches for its form, its header and its signature, and for nothing
// else.
func (e *ticketToken) originalClaims(ctx context.Context, t *readTicket) (*Claims, ticket.Original, error) {
	signed, o, err := e.readOriginal(t)
	if err != nil {
		return nil, o, err
	}
	var age time.Duration
	if age, t.own = t.authority.Age(&o); t.own && age >= ticket.MaxLifetime {
		return nil, o, refusal.New(refusal.Expiry, ErrExpired, "a ticket of "+age.Round(time.Second).String()+" ago", "within "+ticket.MaxLifetime.String())
	}
	if o.Opaque != "" {
		c, err := e.auth.answeredFor(ctx, &o, signed.Whole.(*Claims).seller)
		return c, o, err
	}
	err = signed.Judge(ctx, func(ctx context.Context) error { return recognize(ctx, signed, o.Key) })
	if err != nil {
		return nil, o, err
	}
	if err := signed.RunFurther(ctx); err != nil {
		return nil, o, err
	}
	return claimsOf(signed), o, nil
}

// answeredFor returns the claims of an opaque token that a ticket stands for. Its
// issuer was asked when the ticket was bought, and is asked again, unless the answer is
// known here and young enough. Whoever bought it has proved what the token was bound to
// then, and nothing else.
func (a *Authenticator) answeredFor(ctx context.Context, o *ticket.Original, seller *revoked.Seller) (*Claims, error) {
	was := &Claims{seller: seller}
	var err error
	if was.record.Identity, err = identity.Parse(o.Identity); err != nil {
		return nil, ticket.Malformed()
	}
	if o.BoundKey != "" || o.BoundCert != "" {
		was.record.Confirmation = &claims.Confirmation{Key: o.BoundKey, Certificate: o.BoundCert}
	}
	c := a.remembered(o.Opaque, a.now())
	if c == nil || c.answered == nil {
		if c, err = a.askKnown(ctx, o.Opaque, was); err != nil {
			return nil, err
		}
		if a.goodBefore(o.Opaque) {
			a.remember(o.Opaque, c)
		}
	}
	return a.sameCallerAs(was, c)
}

// verifiedAnswer says what a ticket is made from for an opaque token.
func (c *Claims) verifiedAnswer() ticket.Verified {
	typ := c.Type()
	o := ticket.Original{Type: &typ, Opaque: c.answered.token.Get(), Identity: c.Identity().String(), Proved: c.proved() != nil}
	if cnf := c.record.Confirmation; cnf != nil {
		o.BoundKey, o.BoundCert = cnf.Key, cnf.Certificate
	}
	return ticket.Verified{Original: o, Payload: "{}", Until: c.Expiry().Add(c.trust.Leeway)}
}

// readOriginal opens what the ticket says of the original token.
func (e *ticketToken) readOriginal(t *readTicket) (signed *verify.Evaluation, o ticket.Original, err error) {
	o, payload, err := ticket.Open(t.secret, t.ID, t.Original)
	if err != nil {
		return nil, o, err
	}
	signed = new(verify.Evaluation)
	signed.Begin(e.auth.env, o.Token(payload), e.Now)
	signed.SetPayload(payload)
	signed.Whole.(*Claims).seller = &revoked.Seller{Issuer: e.Trust.URL, KeyID: e.Key.ID(), SoldAt: e.Record.IssuedAt.Time()}
	signed.Token.Algorithm, signed.Token.Type, signed.Token.HasType = o.Algorithm, *o.Type, *o.Type != ""
	if o.KeyID != nil {
		signed.Token.KeyID = jws.Named(*o.KeyID)
	}
	if signed.Members, err = jws.ParseObject(nil, payload); err != nil {
		return nil, o, ticket.Malformed()
	}
	return signed, o, nil
}

// recognize finds the key that verified the token among those that may have. It
// may be newer than the keys in hand: another node may have verified the token.
func recognize(ctx context.Context, e *verify.Evaluation, thumbprint string) error {
	verified := func() bool {
		i := slices.IndexFunc(e.Candidates, func(k *keyset.Key) bool {
			got, err := k.Thumbprint()
			return err == nil && got == thumbprint && e.Fits(k) && e.Trust.Allows(k, e.Token.KeyID.Has)
		})
		if i >= 0 {
			e.Key = e.Candidates[i]
		}
		return i >= 0
	}
	if verified() {
		return nil
	}
	found, err := e.LookAgain(ctx, verified)
	if err != nil || found {
		return err
	}
	return refusal.New(refusal.Key, ErrUnknownKey, "a key that the issuer has withdrawn", "one of the issuer's keys "+verify.DescribeKeys(e.Candidates))
}

// useUp makes sure that nobody else uses the ticket, in this process or, with a
// log, in the cluster. A log that fails leaves the ticket good: if it took the use all
// the same, it says so next time.
func (e *ticketToken) useUp(ctx context.Context, t readTicket) error {
	id := revoked.UseID(revoked.UseTicket, e.Trust.URL, t.ID)
	if err := e.useHere(t, string(id[:])); err != nil {
		return err
	}
	if e.auth.follower == nil {
		return nil
	}
	// A server whose clock is behind takes the ticket for so much longer, and the
	// clock by which the log drops entries may be as much ahead.
	first, err := e.auth.follower.FirstUse(ctx, id, time.Unix(t.Expiry, 0).Add(2*maxLeeway))
	switch {
	case err != nil:
		e.auth.tickets.Release(string(id[:])) // first, while nobody gets past the other
		t.authority.Release(t.ID)
		return refusal.Because(refusal.Ticket, ErrRevocationsUnavailable, err)
	case !first:
		return refusal.New(refusal.Ticket, ErrTicketUsed, "a ticket for the second time", "a new one")
	}
	return nil
}

// useHere makes sure that nobody else uses the ticket in this process: with the same local
// issuer, and at this Authenticator with another of its name, which knows of no use before.
// One that was used there stays used with this one, too; one that cannot be remembered
// stays good.
func (e *ticketToken) useHere(t readTicket, id string) error {
	expiry := time.Unix(t.Expiry, 0)
	if err := t.authority.Use(t.ID, expiry, e.Now, t.own); err != nil {
		return err
	}
	err := e.auth.tickets.Use(id, expiry, e.Now, t.own)
	if errors.Is(err, ErrRevocationsUnavailable) {
		t.authority.Release(t.ID)
	}
	return err
}

func init() {
	ticket.Verify = func(claims any) (ticket.Verified, error) { return claims.(*Claims).verified() }
	ticket.Good = func(ctx context.Context, claims any) error {
		c := claims.(*Claims)
		_, err := c.trust.of.good(ctx, c)
		return err
	}
	ticket.Counts = func(claims any, issuer, keyID string, at time.Time) error {
		return claims.(*Claims).trust.of.counts(issuer, keyID, time.Unix(at.Unix(), 0))
	}
	ticket.Check = func(auth any, r *http.Request, text, database string) (ticket.Checked, error) {
		return auth.(*Authenticator).checkTicket(r, text, database)
	}
}

// verified says what a ticket is made from, or why the claims buy none.
func (c *Claims) verified() (ticket.Verified, error) {
	switch {
	case c == nil:
		return ticket.Verified{}, refusal.New(refusal.Ticket, ErrNoToken, "", "")
	case c.key == nil && c.answered == nil:
		return ticket.Verified{}, refusal.New(refusal.Ticket, ErrSignature, "claims that were not verified", "those of an Authenticator")
	case c.seller != nil:
		return ticket.Verified{}, refusal.New(refusal.Ticket, ErrTokenType, "claims from a ticket", "those of a token")
	case c.record.Confirmation != nil && c.proved() == nil:
		return ticket.Verified{}, refusal.New(refusal.Possession, ErrProof, "claims of a bound token without proof", "those of an Authenticator")
	}
	c, err := c.trust.of.now(c)
	if err != nil {
		return ticket.Verified{}, err
	}
	if c.answered != nil {
		return c.verifiedAnswer(), nil
	}
	typ := c.Type()
	thumbprint, err := c.key.Thumbprint()
	if err != nil {
		return ticket.Verified{}, err
	}
	v := ticket.Verified{
		Original: ticket.Original{Algorithm: c.trust.Algorithms[c.record.Algorithm], Type: &typ, Key: thumbprint, Proved: c.proved() != nil},
		Payload:  c.record.Payload, Until: c.Expiry().Add(c.trust.Leeway), NeverExpires: c.record.NeverExpires,
	}
	if c.supplied != nil {
		v.SetToken(c.supplied.token.Get())
	}
	if c.record.HasKeyID {
		id := c.key.ID()
		v.KeyID = &id
	}
	return v, nil
}
