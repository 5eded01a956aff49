package oidcauth

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/policy"
)

// strangersAlgorithms are the default of [AnyIssuer.Algorithms]: all but the one
// whose checks take twenty times as long as those of ES256.
var strangersAlgorithms = slices.DeleteFunc(slices.Clone(policy.AllAlgorithms), func(alg string) bool { return alg == "ES512" })

// AnyIssuer accepts the tokens of issuers that nobody has configured: whatever
// issuer a token names is asked for its keys, if it has a public https URL.
//
// With it, every handler must check the issuer and the audience itself, with
// [HasIssuer] and [HasAudience] for instance. Anybody on the internet can run
// an issuer and let it say anything: an accepted token proves no more than that
// its issuer stands by it. It is an identity, which nobody else can have, and
// not a permission. That is why tokens have no roles and no scopes here, unless
// Roles and KeepScopes say so.
//
// A stranger chooses what addresses the server connects to. It connects to
// public ones only, on port 443, checked at each connection after the name is
// resolved, and through no proxy; it never follows a redirect to another host;
// and how many issuers it contacts and remembers is bounded. DenyPrefixes and
// DenyHosts name what is public by its address and yet not for strangers. A
// contact that fails tells the caller nothing but [ErrUnknownIssuer], whatever the
// reason; the reason goes to [Config.Logger]. So does a token of an issuer that
// failed a short while ago. [ErrKeysUnavailable] is left for issuers that have
// worked before, and, with a time to retry after, for new ones that wait in vain
// for their turn.
//
// One budget, MaxFirstContacts and FirstContactsPerSecond, covers all requests to
// strangers' issuers: first contacts, lookups of unknown key IDs, and refreshes.
// Whoever stands beyond it waits up to two seconds, some dozens at a time, and the
// caller has the next turn who had none for the longest time. So it takes many
// addresses to keep others waiting. A caller is an address, of IPv6 a /64 network:
// that of the request in net/http, where [Config.Proxies] must name the proxies
// in front of the server, and elsewhere what [WithCallerAddr] says. Callers
// without an address count as one. An issuer is asked for unknown key IDs once in
// ten seconds. A host that issuers elsewhere say has their keys, and that need not
// know of them, is asked once a second, after a pause eight times at once, however
// many they are; issuers on the host itself are not counted.
//
// An issuer of a test is at no public address: test a server with the issuer in
// [Config.Issuers] instead.
//
// A stranger also chooses how much work it is to check their signatures. Two keys
// at most are tried for one token, so that an issuer whose tokens have no key ID
// should publish no more than two of a kind. Their RSA
// keys have at most 4096 bits, as everybody's, and a public exponent of at most
// 17 bits, which nearly all keys have since it is 65537: a key with a higher one
// is not used, and [Authenticator.Keys] says so.
//
// Claims that a log has kept are rebuilt with [Authenticator.UnverifiedClaims],
// which grants a stranger no more than this does.
//
// The issuers in [Config.Issuers] are not affected: their names are theirs. The
// keys of other issuers are never stored in [Config.KeyCacheDir].
type AnyIssuer struct {
	// Audiences are the names of this server: a token must be issued for one of
	// them at least. Empty is an error unless InsecureAnyAudience is set.
	Audiences []string `json:"audiences,omitempty"`

	// InsecureAnyAudience accepts tokens issued for anybody: then any service
	// that receives a token of any issuer can act as that token's user here.
	InsecureAnyAudience bool `json:"insecure_any_audience,omitempty"`

	// Algorithms are as in [Issuer], except that empty means all but ES512 and ML-DSA: a check
	// with a key on the curve P-521 takes some twenty times as long as with one on
	// P-256, and hardly any issuer has such keys.
	Algorithms []string `json:"algorithms,omitempty"`

	// TokenTypes are as in [Issuer].
	TokenTypes []string `json:"token_types,omitempty"`

	// Roles lists the claims that hold the caller's roles. Empty means that
	// nobody has any role: anyone can run an issuer that calls them admin.
	Roles []Path `json:"roles,omitempty"`

	// KeepScopes lets the scopes in a token count. False means that nobody has
	// any scope, for the same reason.
	KeepScopes bool `json:"keep_scopes,omitempty"`

	// ClaimRules are demands on further claims.
	ClaimRules []ClaimRule `json:"claim_rules,omitempty"`

	// Rules are as in [Issuer].
	Rules []Rule `json:"-"`

	// Accept decides by its name whether an issuer may be contacted and
	// trusted. It is asked before anything is fetched, and again at each use of
	// a token; it must not block, and must be safe for concurrent use. One that
	// panics refuses the token with [ErrAnswerUnavailable]. Nil means every issuer.
	Accept func(issuer string) bool `json:"-"`

	// MaxIssuers bounds how many issuers are remembered. One that has verified
	// an accepted token stays before those that never did, one in use before
	// those that are not, and one with live sessions always. Zero means 1000; negative is
	// an error.
	MaxIssuers int `json:"max_issuers,omitempty"`

	// MaxFirstContacts bounds how much strangers' issuers are asked for at once:
	// each first contact counts, and each later request for keys. When there are as
	// many, the caller who causes most of them gives one up to a caller with fewer,
	// and anybody does who has had it for a second. Zero means 16; negative is an error.
	MaxFirstContacts int `json:"max_first_contacts,omitempty"`

	// FirstContactsPerSecond bounds the same over time; after a pause, as many as
	// MaxFirstContacts in a burst. Zero means 10; otherwise less than a millionth is
	// an error.
	FirstContactsPerSecond float64 `json:"first_contacts_per_second,omitempty"`

	// DenyPrefixes are addresses that are never connected to, besides those that
	// are not public: of machines that are inside although they have global
	// addresses, IPv6 ones above all, and of a network's own translation from IPv6
	// to IPv4. Each connection is checked after its name is resolved. Empty means
	// none.
	DenyPrefixes []netip.Prefix `json:"deny_prefixes,omitempty"`

	// DenyHosts are names of which nothing is ever asked for, each with all names
	// below it: "corp.example" stands for "git.corp.example", too. It is the name
	// in a URL that counts, not what it is an alias of: where that matters, deny the
	// addresses. Empty means none.
	DenyHosts []string `json:"deny_hosts,omitempty"`

	permit   func(netip.AddrPort) bool // as in fetch.Config, for tests
	resolver *net.Resolver
}

// validate reports the first contradiction.
func (o *AnyIssuer) validate() error {
	common := o.issuer()
	if err := common.validate(); err != nil {
		return err
	}
	for _, p := range o.DenyPrefixes {
		if err := fetch.CheckPrefix(p); err != nil {
			return fmt.Errorf("oidcauth: AnyIssuer.DenyPrefixes: %w", err)
		}
	}
	if err := fetch.CheckDenied(nil, o.DenyHosts); err != nil {
		return fmt.Errorf("oidcauth: AnyIssuer.DenyHosts: %w", err)
	}
	const minRate = 1e-6 // the wait for the next has to be a time
	switch rate := o.FirstContactsPerSecond; {
	case o.MaxIssuers < 0:
		return fmt.Errorf("oidcauth: AnyIssuer.MaxIssuers: got %d, want none or more", o.MaxIssuers)
	case o.MaxFirstContacts < 0:
		return fmt.Errorf("oidcauth: AnyIssuer.MaxFirstContacts: got %d, want none or more", o.MaxFirstContacts)
	case rate < 0, math.IsNaN(rate), math.IsInf(rate, 0):
		return fmt.Errorf("oidcauth: AnyIssuer.FirstContactsPerSecond: got %v, want none or more", rate)
	case rate > 0 && rate < minRate:
		return fmt.Errorf("oidcauth: AnyIssuer.FirstContactsPerSecond: got %v, want one in eleven days at least, %v", rate, minRate)
	}
	return nil
}

// issuer describes what all the issuers have in common.
func (o *AnyIssuer) issuer() Issuer {
	i := Issuer{
		URL: "AnyIssuer", Audiences: o.Audiences, InsecureAnyAudience: o.InsecureAnyAudience,
		Algorithms: o.algorithms(), TokenTypes: o.TokenTypes, Roles: o.Roles, ClaimRules: o.ClaimRules,
	}
	i.Rules = slices.Clone(o.Rules)
	if accept := o.Accept; accept != nil {
		i.Rules = append(i.Rules, func(c *Claims) error {
			if !accept(c.Issuer()) {
				return errors.New("the issuer is accepted no more")
			}
			return nil
		})
	}
	return i
}

func (o *AnyIssuer) algorithms() []string {
	if len(o.Algorithms) == 0 {
		return strangersAlgorithms
	}
	return o.Algorithms
}
