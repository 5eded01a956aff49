package oidcauth

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// AnyDatabase, as the database of [LocalIssuer.Ticket], makes a ticket good for
// every database of this server.
const AnyDatabase = "*"

const (
	typeTicket    = "ticket+jwt"
	claimOriginal = "original_token"

	// maxTicketLifetime is how long a ticket is good at most.
	maxTicketLifetime = time.Minute

	// ticketExtra is by how much a ticket may exceed four thirds of the token that
	// it stands for: sealed, the token's claims are written in base64 twice.
	ticketExtra = 4 << 10

	maxOriginBytes   = 512
	maxDatabaseBytes = 256

	checkTicket = "ticket"
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
		return "", refuse(checkTicket, ErrNoToken, "", "")
	case claims.key == nil:
		return "", refuse(checkTicket, ErrSignature, "claims that were not verified", "those of an Authenticator")
	case claims.seller != nil:
		return "", refuse(checkTicket, ErrTokenType, "claims from a ticket", "those of a token")
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
	if !c.neverExpires && c.Expiry().Before(expiry) {
		expiry = c.Expiry()
	}
	if expiry.Unix() <= now.Unix() {
		return refuse(checkTicket, ErrExpired, timeText(c.Expiry()), "later than "+timeText(now))
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
		Algorithm: c.trust.algorithms[c.algorithm], Key: thumbprint,
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
	content := slices.Concat(head[:len(head)-1], []byte(`,"claims":`+c.payload+`}`))
	if _, err := jws.ParseObject(nil, string(content)); err != nil {
		return "", refuseCause(checkTicket, ErrMalformedToken, err)
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
		return "", refuse(checkTicket, ErrMalformedRequest, "no request", "the one that buys or uses the ticket")
	case database == "" || len(database) > maxDatabaseBytes || !utf8.ValidString(database):
		return "", refuse(checkTicket, ErrMalformedRequest, "database "+quote(database), fmt.Sprintf("1 to %d bytes of UTF-8", maxDatabaseBytes))
	}
	values := r.Header.Values("Origin")
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", refuse(checkTicket, ErrMalformedRequest, "several Origin headers", "one")
	case values[0] == "null":
		return "", refuse(checkTicket, ErrOrigin, `Origin "null"`, "a page with an origin of its own")
	case !isOrigin(values[0]):
		return "", refuse(checkTicket, ErrMalformedRequest, "Origin "+quote(values[0]), "scheme and host, as a browser sends them")
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
// cluster with [Config.Revocations], and else with the same LocalIssuer.
//
// Take the ticket out of the request with an [Extractor], such as [QueryToken],
// as one would a token.
func (a *Authenticator) AuthenticateTicket(r *http.Request, ticket, database string) (*Claims, error) {
	origin, err := ticketPlace(r, database)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
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
	if e.members, err = e.token.ParseInto(nil, e.raw, e.auth.maxTokenBytes/3*4+ticketExtra); err != nil {
		return t, malformedToken(err)
	}
	if mediaType(e.token.Type) != typeTicket {
		return t, refuse(checkType, ErrTokenType, quote(e.token.Type), quote(typeTicket))
	}
	e.claims = &Claims{payload: e.token.Payload}
	if err := e.issuer(ctx); err != nil {
		return t, err
	}
	if e.trust.local == nil {
		return t, refuse(checkIssuer, ErrUnknownIssuer, quote(e.trust.url), "the local issuer")
	}
	for _, check := range ticketChecks {
		if err := check(e, ctx); err != nil {
			return t, err
		}
	}
	// After the candidates, which may have learned of a new key.
	secret, signs := e.trust.local.ticketSecret(e.claims.key.ID())
	if !signs || !e.token.HasKeyID {
		return t, refuse(checkKey, ErrUnknownKey, "key ID "+quote(e.token.KeyID), "a key that signs tickets at present")
	}
	t.secret = secret
	if err := josejson.Unmarshal([]byte(e.token.Payload), &t.ticketBody); err != nil || t.ID == "" || t.Origin == nil || t.Database == "" {
		return t, refuse(checkTicket, ErrMalformedToken, "a ticket of another form", "one of ours")
	}
	return t, nil
}

// ticketFits checks time and place. The expiry has no leeway: issuer and server
// are the same.
func (e *evaluation) ticketFits(t ticketBody, origin, database string) error {
	expiry := time.Unix(t.Expiry, 0)
	switch {
	case t.Expiry <= 0 || !e.now.Before(expiry):
		return refuse(checkExpiry, ErrExpired, timeText(expiry), "later than "+timeText(e.now))
	case expiry.After(e.now.Add(maxTicketLifetime + e.auth.leeway)):
		return refuse(checkExpiry, ErrClaim, timeText(expiry), "within "+maxTicketLifetime.String())
	case *t.Origin != origin:
		return refuse(checkTicket, ErrOrigin, describeOrigin(origin), describeOrigin(*t.Origin))
	case t.Database != AnyDatabase && t.Database != database:
		return refuse(checkTicket, ErrAudience, "database "+quote(database), quote(t.Database))
	}
	return nil
}

func describeOrigin(origin string) string {
	if origin == "" {
		return "no Origin"
	}
	return "Origin " + quote(origin)
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
			return nil, refuse(checkExpiry, ErrExpired, "a ticket of "+age.Round(time.Second).String()+" ago", "within "+maxTicketLifetime.String())
		}
	}
	for _, c := range checks {
		switch c.name {
		case checkForm, checkType:
			continue
		case checkSignature:
			if err := signed.recognize(o.Key); err != nil {
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
	malformed := refuse(checkTicket, ErrMalformedToken, "a ticket of another form", "one of ours")
	claims, found, err := jws.Lookup(content, "claims")
	if err != nil || !found || claims.Kind != jws.Object || josejson.Unmarshal([]byte(content), &o) != nil {
		return nil, o, malformed
	}
	signed = &evaluation{auth: e.auth, now: e.now, claims: &Claims{
		payload: claims.Value,
		seller:  &seller{issuer: e.trust.url, keyID: e.claims.key.ID(), soldAt: e.claims.issuedAt},
	}}
	signed.token.Algorithm = o.Algorithm
	if o.KeyID != nil {
		signed.token.KeyID, signed.token.HasKeyID = *o.KeyID, true
	}
	if signed.members, err = jws.ParseObject(nil, claims.Value); err != nil {
		return nil, o, malformed
	}
	return signed, o, nil
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
