package oidcauth

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// Claims are what a verified token says. They never change and may be shared
// between goroutines and kept for as long as needed.
//
// A value comes from [Authenticator.Authenticate], or in replays and tests from
// [Authenticator.UnverifiedClaims] and [UnverifiedClaims].
type Claims struct {
	identity  Identity
	issuer    string
	subject   string
	expiry    claimTime
	notBefore claimTime
	issuedAt  claimTime
	tokenID   string
	sessionID string
	scopes    string // separated by spaces
	payload   string
	index     claimIndex // of the payload

	// lists holds the values of "aud" and then the roles: one piece of memory,
	// since claims are kept by the hundred thousand.
	lists []string

	trust *trust      // whose rules apply at each use
	key   *keyset.Key // what signed the token; nil when nothing was verified

	audiences uint16 // how many of lists are values of "aud"
	algorithm uint8  // of the signature, among those of trust
	hasKeyID  bool   // the token names its key
	mapped    bool   // the subject is not "sub"

	neverExpires bool // a token of a [LocalIssuer] that permits it

	seller *seller // of the ticket that gave the claims, which cannot buy another

	// unrevoked is the generation of the revocations that were last searched in
	// vain for these claims.
	unrevoked atomic.Uint64
}

// Identity returns who the caller is, across tokens and time.
func (c *Claims) Identity() Identity { return c.identity }

// Issuer returns the canonical name of the token's issuer: [Issuer.URL], also
// for a token that bears one of its aliases.
func (c *Claims) Issuer() string { return c.issuer }

// Subject returns the subject that, with the issuer, makes the identity: "sub",
// or what [Issuer.Subject] names.
func (c *Claims) Subject() string { return c.subject }

// subjectClaim returns "sub" where that is not the subject: a logout names it.
func (c *Claims) subjectClaim() string {
	if !c.mapped {
		return ""
	}
	sub, _ := c.LookupString("sub")
	return sub
}

// Audience iterates over the values of "aud". To ask for one, use
// [Claims.HasAudience]; [slices.Collect] makes a slice of them, nil for none.
func (c *Claims) Audience() iter.Seq[string] { return slices.Values(c.audienceList()) }

// HasAudience reports whether "aud" contains audience.
func (c *Claims) HasAudience(audience string) bool {
	return slices.Contains(c.audienceList(), audience)
}

func (c *Claims) audienceList() []string { return c.lists[:c.audiences] }

// Expiry returns the time in "exp". It is the zero time for a token that never
// expires, which only a [LocalIssuer] can issue and only if it is told to.
func (c *Claims) Expiry() time.Time { return c.expiry.time() }

// NotBefore returns the time in "nbf", or the zero time.
func (c *Claims) NotBefore() time.Time { return c.notBefore.time() }

// IssuedAt returns the time in "iat", or the zero time.
func (c *Claims) IssuedAt() time.Time { return c.issuedAt.time() }

// TokenID returns "jti", or the empty string.
func (c *Claims) TokenID() string { return c.tokenID }

// SessionID returns "sid", the login session at the issuer, or the empty string.
func (c *Claims) SessionID() string { return c.sessionID }

// KeyID returns the ID of the key that signed the token. It is empty if the key
// has none or nothing was verified.
func (c *Claims) KeyID() string {
	if c.key == nil {
		return ""
	}
	return c.key.ID()
}

// Roles iterates over the roles found where [Issuer.Roles] says. To ask for one,
// use [Claims.HasRole]; [slices.Collect] makes a slice of them, nil for none.
func (c *Claims) Roles() iter.Seq[string] { return slices.Values(c.roleList()) }

// HasRole reports whether role is among the roles.
func (c *Claims) HasRole(role string) bool { return slices.Contains(c.roleList(), role) }

func (c *Claims) roleList() []string { return c.lists[c.audiences:] }

// Scopes iterates over the scopes in "scope" or, without it, "scp". To ask for
// one, use [Claims.HasScope]; [slices.Collect] makes a slice of them, nil for
// none.
func (c *Claims) Scopes() iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := c.scopes; rest != ""; {
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
	if k := c.nextKey(c.key); k != nil {
		return k
	}
	return c.key
}

// nextKey returns the key that takes the place of one of the token's keys.
func (c *Claims) nextKey(from *keyset.Key) *keyset.Key {
	algorithm := c.trust.algorithms[c.algorithm]
	if t := c.trust.tenants; t != nil {
		return from.Current(algorithm, c.hasKeyID, t.template, c.issuer)
	}
	return from.Current(algorithm, c.hasKeyID)
}

// Decode stores the claims in the struct or map that v points to, in the manner
// of [json.Unmarshal] but with names matched exactly: a claim "SUB" never ends
// up in a field tagged "sub".
func (c *Claims) Decode(v any) error {
	if err := josejson.Unmarshal([]byte(c.payload), v); err != nil {
		return fmt.Errorf("oidcauth: claims do not fit %T: %w", v, err)
	}
	return nil
}

// Lookup returns the JSON text of the claim at path, whose names are matched
// exactly, and whether it is there. Without a path it is the whole payload.
func (c *Claims) Lookup(path ...string) (json.RawMessage, bool) {
	m, found := c.member(path)
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
	if len(path) == 1 && c.index != "" {
		offset, found := c.index.find(c.payload, path[0])
		if !found {
			return "", false
		}
		text, err := jws.TextAt(c.payload, offset)
		return text, err == nil
	}
	m, found := c.member(path)
	if !found {
		return "", false
	}
	text, err := m.Text()
	return text, err == nil
}

// member returns the claim at path; one that leads through something other than
// objects leads to none.
func (c *Claims) member(path []string) (jws.Member, bool) {
	if len(path) == 0 || c.index == "" {
		m, found, err := jws.Lookup(c.payload, path...)
		return m, found && err == nil
	}
	offset, found := c.index.find(c.payload, path[0])
	if !found {
		return jws.Member{}, false
	}
	m, err := jws.ValueAt(c.payload, offset)
	if err != nil || len(path) == 1 {
		return m, err == nil
	}
	m, found, err = m.At(path[1:]...)
	return m, found && err == nil
}

// Payload returns a copy of the token's payload, byte for byte as it was signed,
// without the signature: it proves nothing and is fit for a commit log.
// [Authenticator.UnverifiedClaims] turns it into Claims again.
func (c *Claims) Payload() []byte { return []byte(c.payload) }

// size estimates the memory that c holds, for the cache.
func (c *Claims) size() int {
	const stringHeader = int(unsafe.Sizeof(""))
	return int(unsafe.Sizeof(*c)) + len(c.payload) + len(c.index) + len(c.lists)*stringHeader
}

// owner tells the cache whose token it is, so that one caller's tokens cannot
// take the room of everybody else's.
func (c *Claims) owner() uint64 { return binary.BigEndian.Uint64(c.identity[len(c.identity)-8:]) }

// UnverifiedClaims rebuilds claims from a payload, as [Claims.Payload] gave it,
// for tests and for programs that have no Authenticator. Nothing is verified: no
// signature, no time, no audience. Only the issuer's name and the forms of the
// claims are checked, and the mappings of issuer applied: the caller vouches that
// it describes the issuer as the Authenticator did that accepted the token.
//
// For the replay of a log use [Authenticator.UnverifiedClaims], which finds the
// description itself. It is the only right way where [Config.AnyIssuer] is set:
// an [Issuer] written for a stranger's payload would give him the roles in
// "roles" and the scopes that his own issuer put there.
func UnverifiedClaims(payload []byte, issuer Issuer) (*Claims, error) {
	if err := issuer.validate(); err != nil {
		return nil, err
	}
	return unverified(payload, describedAs(issuer))
}
