package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

const (
	defaultMaxIssuers       = 1000
	defaultMaxFirstContacts = 16
	defaultFirstContactRate = 10
)

// AnyIssuer accepts the tokens of issuers that nobody has configured: whatever
// issuer a token names is asked for its keys, if it has a public https URL.
//
// With it, every handler must check the issuer and the audience itself, with
// [FromIssuer] and [ForAudience] for instance. Anybody on the internet can run
// an issuer and let it say anything: an accepted token proves no more than that
// its issuer stands by it. It is an identity, which nobody else can have, and
// not a permission. That is why tokens have no roles and no scopes here, unless
// Roles and KeepScopes say so.
//
// A stranger chooses what addresses the server connects to. It connects to
// public ones only, on port 443, checked at each connection after the name is
// resolved, and through no proxy; it never follows a redirect to another host;
// and how many issuers it contacts and remembers is bounded. A contact that
// fails tells the caller nothing but [ErrUnknownIssuer], whatever the reason;
// the reason goes to [Config.Logger]. So does a token of an issuer that failed a
// short while ago. [ErrKeysUnavailable] is left for issuers that have worked
// before, and, with a time to retry after, for new ones while there are more of
// them than the limits below allow. The limits are shared by all callers:
// limit requests by address in front of the server where one caller must not
// use them up.
//
// An issuer of a test is at no public address: test a server with the issuer in
// [Config.Issuers] instead.
//
// A stranger also chooses how much work it is to check his signatures. Two keys
// at most are tried for one token, so that an issuer whose tokens have no key ID
// should publish no more than two of a kind. His RSA
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

	// Algorithms are as in [Issuer], except that empty means all but ES512: a check
	// with a key on the curve P-521 takes some twenty times as long as with one on
	// P-256, and hardly any issuer has such keys.
	Algorithms []string `json:"algorithms,omitempty"`

	// TokenTypes are as in [Issuer].
	TokenTypes []string `json:"token_types,omitempty"`

	// Roles lists the claims that hold the caller's roles. Empty means that
	// nobody has any role: anyone can run an issuer that calls him admin.
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
	// a token; it must not block, and must be safe for concurrent use. Nil means
	// every issuer.
	Accept func(issuer string) bool `json:"-"`

	// MaxIssuers bounds how many issuers are remembered. One that has verified
	// an accepted token stays before those that never did, one in use before
	// those that are not, and one with live sessions always. Zero means 1000.
	MaxIssuers int `json:"max_issuers,omitempty"`

	// MaxFirstContacts bounds how many issuers are contacted for the first time
	// at once. Zero means 16.
	MaxFirstContacts int `json:"max_first_contacts,omitempty"`

	// FirstContactsPerSecond bounds how many issuers are contacted for the first
	// time over time; after a pause, as many as MaxFirstContacts in a burst.
	// Zero means 10.
	FirstContactsPerSecond float64 `json:"first_contacts_per_second,omitempty"`

	permit   func(netip.AddrPort) bool // as in fetch.Config, for tests
	resolver *net.Resolver
}

// validate reports the first contradiction.
func (o *AnyIssuer) validate() error {
	common := o.issuer()
	if err := common.validate(); err != nil {
		return err
	}
	switch rate := o.FirstContactsPerSecond; {
	case o.MaxIssuers < 0:
		return fmt.Errorf("oidcauth: AnyIssuer.MaxIssuers: got %d, want none or more", o.MaxIssuers)
	case o.MaxFirstContacts < 0:
		return fmt.Errorf("oidcauth: AnyIssuer.MaxFirstContacts: got %d, want none or more", o.MaxFirstContacts)
	case rate < 0, math.IsNaN(rate), math.IsInf(rate, 0):
		return fmt.Errorf("oidcauth: AnyIssuer.FirstContactsPerSecond: got %v, want none or more", rate)
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

// newOpenIssuers prepares for strangers' issuers.
func (a *Authenticator) newOpenIssuers(cfg Config) (*openIssuers, error) {
	client, err := fetch.New(fetch.Config{
		HTTP: cfg.Client, Timeout: strangerTimeout, MaxBytes: strangerBytes,
		PublicOnly: true, Resolver: cfg.AnyIssuer.resolver, Permit: cfg.AnyIssuer.permit,
	})
	if err != nil {
		return nil, fmt.Errorf("oidcauth: Config.Client: %w", err)
	}
	common := newTrust(cfg.AnyIssuer.issuer(), nil)
	if len(cfg.AnyIssuer.Roles) == 0 {
		common.roles = nil
	}
	common.ignoresScopes = !cfg.AnyIssuer.KeepScopes
	o := &openIssuers{
		auth: a, common: *common, accept: cfg.AnyIssuer.Accept, client: client,
		maxContacts: orDefault(cfg.AnyIssuer.MaxFirstContacts, defaultMaxFirstContacts),
		table:       newOpenTable(orDefault(cfg.AnyIssuer.MaxIssuers, defaultMaxIssuers)),
		logs:        newBudget(1, 10),
	}
	o.failed = newFailedIssuers(4 * o.table.max)
	o.budget = newBudget(orDefault(cfg.AnyIssuer.FirstContactsPerSecond, defaultFirstContactRate), float64(o.maxContacts))
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o, nil
}

func orDefault[N int | float64](n, otherwise N) N {
	if n == 0 {
		return otherwise
	}
	return n
}

// trustIn finds the issuer that a token names among the configured ones and,
// where strangers' issuers are accepted, among those.
func (a *Authenticator) trustIn(issuer string) (*trust, error) {
	if t, known := a.trusts[issuer]; known {
		return t, nil
	}
	if t := a.tenantTrust(issuer); t != nil {
		return t, nil
	}
	if a.open != nil {
		if t := a.open.trustIn(issuer); t != nil {
			return t, nil
		}
	}
	return nil, refuse(checkIssuer, ErrUnknownIssuer, quote(issuer), a.describeIssuers())
}

func (a *Authenticator) describeIssuers() string {
	const public = "an issuer with a public https URL that this server accepts"
	switch {
	case a.open == nil:
		return oneOf(a.names)
	case len(a.names) == 0:
		return public
	}
	return oneOf(a.names) + ", or " + public
}

// openKeys finds the candidates of a token of a stranger's issuer, contacting
// it if need be. It tries twice, because an issuer can be evicted between the
// two steps.
func (e *evaluation) openKeys(ctx context.Context) ([]*keyset.Key, error) {
	var err error
	for range 2 {
		trust, refusal := e.trust.open.home.contact(ctx, e.trust, e.token.KeyID, e.token.HasKeyID)
		if refusal != nil {
			return nil, refusal
		}
		e.trust, e.claims.trust = trust, trust
		var keys []*keyset.Key
		if keys, err = trust.keys.Keys(ctx, e.token.KeyID, e.token.HasKeyID); err == nil {
			return keys, nil
		}
		if !errors.Is(err, keyset.ErrClosed) {
			break
		}
	}
	return nil, e.openRefusal(ctx, err)
}

// openRefusal words the refusal of a token whose issuer has worked before. What
// was behind it stays behind: it may be about an address that the issuer chose.
func (e *evaluation) openRefusal(ctx context.Context, err error) error {
	var unavailable *keyset.UnavailableError
	switch {
	case errors.Is(err, keyset.ErrUnknownKey):
		return e.keysRefusal(err)
	case ctx.Err() != nil:
		return refuseCause(checkKey, ErrKeysUnavailable, keyset.Ended(ctx))
	case e.trust.open.home.isClosed():
		return refuse(checkKey, ErrClosed, "", "")
	}
	r := refuse(checkKey, ErrKeysUnavailable, "", "")
	r.retryAfter = time.Second
	if errors.As(err, &unavailable) {
		r.retryAfter = max(r.retryAfter, unavailable.RetryAfter)
	}
	return r
}
