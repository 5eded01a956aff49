package oidcauth

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/byvalue"
	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/roster"
	"github.com/oidcauth/oidcauth/internal/strangers"
	"github.com/oidcauth/oidcauth/internal/supplement"
	"github.com/oidcauth/oidcauth/internal/verify"
	"github.com/oidcauth/oidcauth/internal/watch"
)

// A trust is what is known of an issuer by one description of it: what its tokens
// must be like, which never changes, its keys, the program's own rules, and what is
// learned on the way.
type trust struct {
	verify.Trust
	of         *trusted           // nil for what [UnverifiedClaims] reads by
	described  Issuer             // what it was made of; its functions may be others now
	around     roster.Place       // what the other descriptions make of it
	before     []*verify.Trust    // what did not fit its tokens: the descriptions before it
	sessionIDs *sessionIDs        // of the tokens accepted so far
	strangers  *strangers.Issuers // whom it is one of; else nil
	source     *followedSource    // of keys that nobody fetches; else nil
	functions  atomic.Pointer[functions]
	// Who supplies what tokens do not say, and for how long an answer counts. The
	// asker is nil if nobody does.
	asker     *supplement.Asker
	answerAge time.Duration
	questions *questions       // about opaque tokens; nil where there are none
	keys      *keyPlace        // nil for a stranger's
	foundAs   string           // what [Config.FindIssuer] was asked for; else empty
	alone     [1]*verify.Trust // itself, where it is the only description

	seen atomic.Uint64 // the last epoch in which it was found to be current
}

// trusted is whom an Authenticator trusts, and who knows what changes of it. It is
// safe for concurrent use.
type trusted struct {
	changing sync.Mutex                  // held while the issuers change, or Close lets go of them
	issuers  atomic.Pointer[issuerTable] // that are configured
	epoch    atomic.Uint64               // raised by each change, issuers that are found included

	// lives are how long tokens have lived at most of any that was ever trusted.
	lives struct {
		mu      sync.Mutex // guards what follows
		longest time.Duration
		leeway  time.Duration
		endless bool
	}

	logger  *slog.Logger
	faulted atomic.Int64 // the second of the last line about a rule that panicked

	// now returns claims as the descriptions of now have them: the same, or others if
	// they have changed, or the refusal.
	now func(*Claims) (*Claims, error)
	// good returns claims that were verified as they are good now, or the refusal. It waits
	// for what is supplied about them no longer than the context.
	good func(context.Context, *Claims) (*Claims, error)
	// counts refuses what a key of a local issuer signs, if that is revoked already.
	counts func(issuer, keyID string, at time.Time) error
	// answer returns what was supplied about the token of claims, if that is accepted, or
	// nil.
	answer func(c *Claims, token string) *supplied
}

// newTrust copies what the checks need of a valid description, which must not be
// changed any more.
func newTrust(i Issuer, leeway time.Duration, keys *keyPlace, around roster.Place) *trust {
	if i.Leeway != 0 {
		leeway = tolerance(i.Leeway)
	}
	t := &trust{
		Trust:      verify.Trust{Policy: i.policy(), Leeway: leeway, Order: new(verify.Order)},
		described:  i,
		sessionIDs: new(sessionIDs),
		around:     around,
		keys:       keys,
	}
	t.Owner, t.alone[0] = t, &t.Trust
	t.functions.Store(i.functions())
	t.Shape.Prefix, t.Shape.Reserved = i.SubjectPrefix, around.Reserved
	if keys == nil {
		return t
	}
	t.Keys, t.Order, t.source = keys.set, keys.order, keys.source
	if t.source != nil {
		t.Local, t.Shape.NoExpiry = t.source, t.source.noExpiry
	}
	return t
}

// configuredAs returns the issuer's URL where it is one of those that the program
// lists, and nothing where it was found or is a stranger's.
func (t *trust) configuredAs() string {
	if t.foundAs != "" || t.strangers != nil {
		return ""
	}
	return t.URL
}

// follows reports whether the description has been behind all of these, so that what
// it decided about did not fit any of them.
func (t *trust) follows(before []*verify.Trust) bool {
	return !slices.ContainsFunc(before, func(other *verify.Trust) bool { return !slices.Contains(t.before, other) })
}

// functions are the program's own of a description. Those of one that
// [Config.FindIssuer] gives are others at each look-up; what else it says need not be.
type functions struct {
	rules      []Rule
	supplement func(context.Context, *Claims, string) (json.RawMessage, error)
}

func (i *Issuer) functions() *functions {
	return &functions{rules: slices.Clone(i.Rules), supplement: i.Supplement}
}

// sameButFunctions reports whether two descriptions differ in what their functions do
// at most, and not in whether there are any.
func sameButFunctions(a, b Issuer) bool {
	if (a.Supplement == nil) != (b.Supplement == nil) || (len(a.Rules) == 0) != (len(b.Rules) == 0) {
		return false
	}
	a.Rules, a.Supplement, b.Rules, b.Supplement = nil, nil, nil, nil
	return byvalue.Equal(a, b)
}

// checkRules applies the program's own rules, which may depend on more than the
// claims and are therefore asked at every use of a token.
func (t *trust) checkRules(c *Claims) error {
	for _, rule := range t.functions.Load().rules {
		err := rule.of(c)
		switch {
		case err == nil:
		case errors.Is(err, panics.Err):
			t.of.fault(t.URL, err)
			return refusal.Because(t.allRules(), ErrAnswerUnavailable, err)
		default:
			return refusal.Because(t.allRules(), ErrRule, err)
		}
	}
	return nil
}

// of asks the rule. The library asks it in goroutines of its own, too, where a panic
// would end the process, also one of the error when that is told.
func (r Rule) of(c *Claims) (err error) {
	defer panics.Catch(&err)
	err = r(c)
	panics.Try(err)
	return err
}

// fault writes a line about a rule that panicked, one a second at most.
func (t *trusted) fault(issuer string, err error) {
	now := time.Now().Unix()
	if last := t.faulted.Load(); last == now || !t.faulted.CompareAndSwap(last, now) {
		return
	}
	t.logger.LogAttrs(context.Background(), slog.LevelError, "a rule panicked",
		slog.String("issuer", issuer), slog.String("error", err.Error()))
}

// scope returns the name by which revocations reach the callers of this description
// alone, and of those that share its subjects. It is the issuer's own where there
// are no others.
func (t *trust) scope(issuer string) string {
	if t.Shape.Prefix == "" && len(t.Shape.Reserved) == 0 {
		return issuer
	}
	return issuer + "|" + t.Shape.Prefix
}

// A keyPlace is where keys come from, and those that came from there. Descriptions
// of an issuer that say the same of it share one.
type keyPlace struct {
	at      Issuer // what says where the keys are, and nothing else
	set     *keyset.Set
	source  *followedSource
	order   *verify.Order
	client  *fetch.Client // that is theirs alone; else nil
	watched *watch.Keys
	logger  *slog.Logger
}

// keysAt returns what the description says of where the keys are.
func (i *Issuer) keysAt() Issuer {
	at := Issuer{URL: i.URL, TenantClaim: i.TenantClaim, Keys: i.Keys}
	at.Keys.RequireKeyID, at.Keys.ReusesKeyIDs = false, false
	return at
}

// keysApart tells where the keys are from other places at the same address, in words that
// are the same after a restart: which authority is trusted and which credential is sent
// there may decide who answers. A client has no such words. No two clients have
// descriptions of one issuer with the same prefix.
func (i *Issuer) keysApart() string {
	k := i.keysAt().Keys
	k.DiscoveryURL, k.JWKSURL = "", ""
	apart, err := json.Marshal(k)
	if err != nil || string(apart) == "{}" {
		apart = nil
	}
	if k.Client != nil {
		apart = append(apart, " client of "+strconv.Quote(i.SubjectPrefix)...)
	}
	return string(apart)
}

// close ends all that the place does. Nobody trusts its keys any more.
func (p *keyPlace) close() {
	p.set.Close()
	p.watched.Leave()
	if err := p.source.close(); err != nil {
		p.logger.LogAttrs(context.Background(), slog.LevelError, "a source of keys could not be stopped",
			slog.String("issuer", p.at.URL), slog.String("error", err.Error()))
	}
	if p.client != nil {
		p.client.CloseIdle()
	}
}

// An issuerTable is the configured issuers at a time. It never changes.
type issuerTable struct {
	roster.Table[*verify.Trust]
	order     []*trust     // as they were described
	functions []*functions // of each in that order
	found     bool         // by [Config.FindIssuer]
	opaque    []*trust     // those of them that are asked about opaque tokens, by their prefixes
}

// places returns where the keys of all issuers come from, each once.
func (t *issuerTable) places() []*keyPlace {
	all := make([]*keyPlace, 0, len(t.order))
	seen := make(map[*keyPlace]bool, len(t.order))
	for _, t := range t.order {
		if !seen[t.keys] {
			seen[t.keys] = true
			all = append(all, t.keys)
		}
	}
	return all
}

// needed returns the places whose keys tokens are verified with. Where all tokens are
// opaque, keys are for logout tokens alone.
func (t *issuerTable) needed() []*keyPlace {
	needed := make(map[*keyPlace]bool, len(t.order))
	for _, t := range t.order {
		if !t.Opaque {
			needed[t.keys] = true
		}
	}
	return slices.DeleteFunc(t.places(), func(p *keyPlace) bool { return !needed[p] })
}

// opaqueOf returns the description of an opaque token, by what it begins with, or nil.
// No prefix begins with another: the token's is the last of those that sort before it.
func (t *issuerTable) opaqueOf(token string) *trust {
	after := sort.Search(len(t.opaque), func(n int) bool { return t.opaque[n].described.OpaquePrefix > token })
	if after == 0 || !strings.HasPrefix(token, t.opaque[after-1].described.OpaquePrefix) {
		return nil
	}
	return t.opaque[after-1]
}

// closeBut ends all that is done for the table's issuers and not for those of another.
// It does not wait for functions of the program that are asked about tokens.
func (t *issuerTable) closeBut(other *issuerTable) {
	trusts, places := make(map[*trust]bool), make(map[*keyPlace]bool)
	for _, kept := range other.order {
		trusts[kept], places[kept.keys] = true, true
	}
	for _, gone := range t.order {
		if !trusts[gone] {
			gone.asker.Stop()
			gone.questions.stop()
		}
	}
	for _, p := range t.places() {
		if !places[p] {
			p.close()
		}
	}
}

// tell has hooks and the log told of the table's keys, now that it is in force.
func (t *issuerTable) tell() {
	for _, p := range t.places() {
		p.set.Tell()
	}
}

// warm has the keys that tokens are verified with fetched, and nobody waits for them.
func (t *issuerTable) warm() {
	for _, p := range t.needed() {
		p.set.Warm()
	}
}

// reusesKeyIDs reports whether one of the descriptions that share keys says so.
func (t *issuerTable) reusesKeyIDs(one *trust) bool {
	return slices.ContainsFunc(t.Named(one.URL), func(t *verify.Trust) bool { return t.Keys == one.Keys && t.ReusesKeyIDs })
}

// accepted reports whether tokens were accepted by any of the descriptions.
func (t *issuerTable) accepted() bool {
	return slices.ContainsFunc(t.order, func(t *trust) bool { return t.sessionIDs.any() })
}

// A sessionIDs knows whether an issuer's tokens carry session IDs. It is safe for
// concurrent use.
type sessionIDs struct{ with, without atomic.Bool }

// note takes account of a token that was accepted.
func (s *sessionIDs) note(c *Claims) {
	seen := &s.with
	if c.record.SessionID == "" {
		seen = &s.without
	}
	if !seen.Load() {
		seen.Store(true)
	}
}

// any reports whether there were tokens.
func (s *sessionIDs) any() bool { return s.with.Load() || s.without.Load() }

// none reports whether there were tokens, and none of them with a session ID.
func (s *sessionIDs) none() bool { return s.without.Load() && !s.with.Load() }
