package oidcauth

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unsafe"

	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/byvalue"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/revoked"
	"github.com/oidcauth/oidcauth/internal/roster"
	"github.com/oidcauth/oidcauth/internal/verify"
)

// Claims are what a verified token says. They never change and may be shared
// between goroutines and kept for as long as needed.
//
// A value comes from [Authenticator.Authenticate], or in replays and tests from
// [Authenticator.UnverifiedClaims] and [UnverifiedClaims]. Nil claims, those that
// [FromContext] gives where nobody is known, have no role, no scope and no audience,
// and hold nothing. Who nobody is cannot be asked: Identity, Issuer and Subject of nil
// claims panic, lest nobody be taken for somebody whose name is empty.
//
// In a text or a log they are the issuer, the subject and the identity. As JSON they are
// an empty object: [Claims.Decode] and [Claims.Payload] have what the token says.
type Claims struct {
	record claims.Record

	trust *trust      // whose rules apply at each use
	key   *keyset.Key // what signed the token; nil when nothing was verified

	supplied *supplied // beside the token, by [Issuer.Supplement]; nil if nobody was asked
	answered *answered // what stands for the signature of an opaque token; nil for a JWT

	seller *revoked.Seller // of the ticket that gave the claims, which cannot buy another

	unrevoked revoked.Mark // when the revocations were last searched in vain
}

// newRecord returns the record of new claims.
func newRecord() (*claims.Record, any) {
	c := new(Claims)
	return &c.record, c
}

// claimsOf returns the claims of a token whose signature is good.
func claimsOf(e *verify.Evaluation) *Claims {
	c := e.Whole.(*Claims)
	c.trust, c.key = e.Trust.Owner.(*trust), e.Key
	c.record.Algorithm, c.record.HasKeyID = e.Algorithm, e.Token.KeyID.Has
	if !e.Asked.IsZero() && c.answered == nil {
		c.answered = newAnswered(e.Raw, e.Asked, c.trust.answerAge)
	}
	return c
}

// having returns the claims with what was proved beside their token, nil for nothing.
func (c *Claims) having(p *claims.Proved) *Claims {
	bound := c.record.Confirmation.WithProof(p)
	if bound == c.record.Confirmation {
		return c
	}
	next := c.copy(c.record, c.supplied)
	next.record.Confirmation = bound
	return next
}

// proved returns what was proved with this use of the token, of what it is bound to. It
// is nil for a bearer token, and in the cache, which knows nobody who presents one.
func (c *Claims) proved() *claims.Proved {
	if c.record.Confirmation == nil {
		return nil
	}
	return c.record.Confirmation.Proved
}

// Identity returns who the caller is, across tokens and time.
func (c *Claims) Identity() Identity { return c.somebodys().Identity }

// somebodys returns what somebody's token says.
func (c *Claims) somebodys() *claims.Record {
	if c == nil {
		panic("oidcauth: Identity, Issuer or Subject of nil claims: nobody is known (see FromContext)")
	}
	return &c.record
}

// isNobodys reports whether c is nil or the zero value, which no token gives.
func (c *Claims) isNobodys() bool { return c == nil || c.trust == nil }

// nothing is what nil claims hold.
var nothing = new(Claims)

// orNothing returns c, or claims that hold nothing in the place of nil.
func (c *Claims) orNothing() *Claims {
	if c == nil {
		return nothing
	}
	return c
}

// Issuer returns the canonical name of the token's issuer: [Issuer.URL], also
// for a token that bears one of its aliases, and where that is a template the name of
// the tenant's issuer ("iss").
func (c *Claims) Issuer() string { return c.somebodys().Issuer }

// Description returns [Issuer.Name] of the description that the token was accepted
// by. It is empty where the issuer has one description without a name.
func (c *Claims) Description() string {
	if c.orNothing().trust == nil {
		return ""
	}
	return c.trust.Name
}

// Subject returns the subject that, with the issuer, makes the identity: "sub",
// or what [Issuer.Subject] names, behind [Issuer.SubjectPrefix].
func (c *Claims) Subject() string { return c.somebodys().Subject }

// Audience iterates over the values of "aud". To ask for one, use
// [Claims.HasAudience]; [slices.Collect] makes a slice of them, nil for none.
func (c *Claims) Audience() iter.Seq[string] {
	return slices.Values(c.orNothing().record.AudienceList())
}

// HasAudience reports whether "aud" contains audience.
func (c *Claims) HasAudience(audience string) bool {
	return c.orNothing().record.HasAudience(audience)
}

// Expiry returns the time in "exp". It is the zero time for a token that never
// expires, which is accepted only if [Keys.NoExpiry] says so.
func (c *Claims) Expiry() time.Time { return c.orNothing().record.Expiry.Time() }

// NotBefore returns the time in "nbf", or the zero time.
func (c *Claims) NotBefore() time.Time { return c.orNothing().record.NotBefore.Time() }

// IssuedAt returns the time in "iat", or the zero time.
func (c *Claims) IssuedAt() time.Time { return c.orNothing().record.IssuedAt.Time() }

// TokenID returns "jti", or the empty string.
func (c *Claims) TokenID() string { return c.orNothing().record.TokenID }

// SessionID returns "sid", the login session at the issuer, or the empty string.
func (c *Claims) SessionID() string { return c.orNothing().record.SessionID }

// KeyID returns the ID of the key that signed the token. It is empty if the key
// has none or nothing was verified.
func (c *Claims) KeyID() string {
	if c.orNothing().key == nil {
		return ""
	}
	return c.key.ID()
}

// Type returns the token's type, the "typ" of its header (RFC 7515, section 4.1.9),
// in small letters and without "application/": "at+jwt" for an access token of RFC
// 9068, "jwt" for "JWT". It is one of [Issuer.TokenTypes], or the empty string if the
// token has none or nothing was verified.
func (c *Claims) Type() string {
	if c.orNothing().trust == nil {
		return ""
	}
	return c.trust.TypeOf(&c.record)
}

// Roles iterates over the roles found where [Issuer.Roles] says. To ask for one,
// use [Claims.HasRole]; [slices.Collect] makes a slice of them, nil for none.
func (c *Claims) Roles() iter.Seq[string] { return slices.Values(c.orNothing().record.RoleList()) }

// HasRole reports whether role is among the roles.
func (c *Claims) HasRole(role string) bool {
	return slices.Contains(c.orNothing().record.RoleList(), role)
}

// Scopes iterates over the scopes in "scope" or, without it, "scp". To ask for
// one, use [Claims.HasScope]; [slices.Collect] makes a slice of them, nil for
// none.
func (c *Claims) Scopes() iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := c.orNothing().record.Scopes; rest != ""; {
			end := strings.IndexByte(rest, ' ')
			if end < 0 {
				yield(rest)
				return
			}
			if end > 0 && !yield(rest[:end]) {
				return
			}
			rest = rest[end+1:]
		}
	}
}

// HasScope reports whether scope is among the scopes.
func (c *Claims) HasScope(scope string) bool {
	for s := range c.Scopes() {
		if s == scope {
			return true
		}
	}
	return false
}

// currentKey returns the key that the token would be verified with now.
func (c *Claims) currentKey() *keyset.Key {
	if c.key == nil {
		return nil
	}
	if k := c.nextKey(c.key); k != nil {
		return k
	}
	return c.key
}

// nextKey returns the key that takes the place of one of the token's keys.
func (c *Claims) nextKey(from *keyset.Key) *keyset.Key {
	if from == nil {
		return nil // no key has signed an opaque token
	}
	algorithm := c.trust.Algorithms[c.record.Algorithm]
	if t := c.trust.Tenants; t != nil {
		return from.Current(algorithm, c.record.HasKeyID, t.Template(), c.record.Issuer)
	}
	return from.Current(algorithm, c.record.HasKeyID)
}

// Decode stores the claims in the struct or map that v points to, in the manner
// of [json.Unmarshal] but with names matched exactly: a claim "SUB" never ends
// up in a field tagged "sub". A value that does not fit its field is an error, and so
// are nil claims.
func (c *Claims) Decode(v any) error {
	if err := josejson.Unmarshal([]byte(c.orNothing().record.Payload), v); err != nil {
		return fmt.Errorf("oidcauth: claims do not fit %T: %w", v, err)
	}
	return nil
}

// Lookup returns the JSON text of the claim at path, whose names are matched
// exactly, and whether it is there. Without a path it is the whole payload. The text is a
// copy, with the quotes of a string.
func (c *Claims) Lookup(path ...string) (json.RawMessage, bool) {
	m, found := c.orNothing().record.Member(path)
	if !found {
		return nil, false
	}
	return json.RawMessage(m.Value), true
}

// LookupString returns the string at path, whose names are matched exactly, and
// whether the claim is there and is a string. It copies nothing unless the
// string is written with escapes, and so costs little at every call.
//
// Many claims are what callers say of themselves: an "email" proves nothing unless
// "email_verified" is true beside it (OpenID Connect Core 1.0, section 5.1) and
// the issuer is one whose word on addresses you accept.
func (c *Claims) LookupString(path ...string) (string, bool) {
	return c.orNothing().record.Text(path...)
}

// Payload returns a copy of the token's payload, byte for byte as it was signed,
// without the signature: it proves nothing and is fit for a commit log.
// [Authenticator.UnverifiedClaims] turns it into Claims again.
func (c *Claims) Payload() []byte { return []byte(c.orNothing().record.Payload) }

// Format writes whose claims they are, whatever the verb, and nothing else that the token
// says: no address and no name gets into a log by chance.
func (c *Claims) Format(f fmt.State, _ rune) {
	if c.isNobodys() {
		io.WriteString(f, nobodys)
		return
	}
	fmt.Fprintf(f, "issuer %s, subject %s, identity %v", refusal.Quote(c.Issuer()), refusal.Quote(c.Subject()), c.Identity())
}

// LogValue says the same to package slog: "issuer", "subject" and "identity".
func (c *Claims) LogValue() slog.Value {
	if c.isNobodys() {
		return slog.StringValue(nobodys)
	}
	return slog.GroupValue(slog.String("issuer", c.Issuer()), slog.String("subject", c.Subject()), slog.String("identity", c.Identity().String()))
}

// nobodys is what is written for claims of nobody.
const nobodys = "nobody"

// size estimates the memory that c holds, for the cache.
func (c *Claims) size() int {
	return int(unsafe.Sizeof(*c)) + c.record.Size() + c.supplied.size() + c.answered.size()
}

// owner says to the cache whose token it is, so that one caller's tokens cannot
// evict everybody else's.
func (c *Claims) owner() uint64 {
	return binary.BigEndian.Uint64(c.record.Identity[len(c.record.Identity)-8:])
}

// UnverifiedClaims rebuilds claims from a payload, as [Claims.Payload] gave it,
// for tests and for programs that have no Authenticator. Nothing is verified: no
// signature, no time, no audience. Only the issuer's name and the forms of the
// claims are checked, and the mappings of issuer applied: the caller vouches that
// it describes the issuer as the Authenticator did that accepted the token. An "exp"
// that has passed is no matter, and one that is missing is an error, unless [Keys.NoExpiry]
// permits that.
//
// For the replay of a log use [Authenticator.UnverifiedClaims], which finds the
// description itself. It is the only right way where [Config.AnyIssuer] is set:
// an [Issuer] written for a stranger's payload would grant the roles in
// "roles" and the scopes that the stranger put there.
func UnverifiedClaims(payload []byte, issuer Issuer) (*Claims, error) {
	if err := issuer.validate(); err != nil {
		return nil, err
	}
	find, err := describedAs(issuer)
	if err != nil {
		return nil, fmt.Errorf("oidcauth: issuer %q: %w", issuer.URL, err)
	}
	return unverified(payload, find)
}

// describedAs finds the trust for [UnverifiedClaims].
func describedAs(issuer Issuer) (find func(iss string) (*trust, error), err error) {
	var source *followedSource
	if issuer.Keys.Source != nil {
		if source, err = issuer.follow(func(_, _ *sourceKeys) error { return nil }, nil); err != nil {
			return nil, err
		}
		if err := source.close(); err != nil {
			return nil, fmt.Errorf("Keys.Source: %w", err)
		}
	}
	t := newTrust(byvalue.Clone(issuer), 0, nil, roster.Place{})
	if source != nil {
		t.Shape.NoExpiry = source.noExpiry
	}
	return func(iss string) (*trust, error) {
		if !slices.Contains(t.Names, iss) && !t.Tenants.Match(iss) {
			return nil, refusal.New(refusal.Issuer, ErrUnknownIssuer, refusal.Quote(iss), refusal.OneOf(t.Names))
		}
		return t, nil
	}, nil
}

// unverified reads claims by the description that find has for their issuer.
func unverified(payload []byte, find func(iss string) (*trust, error)) (*Claims, error) {
	var e verify.Evaluation
	e.Begin(&verify.Env{New: newRecord}, "", time.Time{})
	e.SetPayload(string(payload))
	var err error
	if e.Members, err = jws.ParseObject(nil, e.Record.Payload); err != nil {
		return nil, verify.Malformed(err)
	}
	iss, err := e.UntrustedIssuer()
	if err != nil {
		return nil, err
	}
	t, err := find(iss)
	if err != nil {
		return nil, err
	}
	e.SetTrust(&t.Trust)
	if err := t.NameIssuer(&e.Reader, iss); err != nil {
		return nil, err
	}
	if err := e.ReadAll(); err != nil {
		return nil, err
	}
	return claimsOf(&e), nil
}

// An Identity says who a caller is, in 32 bytes: the same issuer and subject
// have the same identity on every server and for ever. Package identity derives
// and parses it.
type Identity = identity.Identity
