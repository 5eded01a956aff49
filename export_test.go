package oidcauth

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unsafe"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/clockstest"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/verify"
)

// SessionCounts returns how many sessions the Authenticator knows to be alive,
// on how many lists they are, and for how many instants alarms are set.
func (a *Authenticator) SessionCounts() (live, lists, instants int) {
	x := a.sessions
	for i := range x.shards {
		sh := &x.shards[i]
		sh.mu.Lock()
		for _, l := range sh.lists {
			lists += len(l)
		}
		for _, g := range sh.lists[byKey] {
			for ; g != nil; g = g.links[byKey].next {
				live += int(g.users)
			}
		}
		sh.mu.Unlock()
	}
	return live, lists, sizeOf(x.expiries, "groups") + sizeOf(x.warnings, "groups") + sizeOf(x.again, "groups")
}

// RevocationCount returns how many revocations hold.
func (a *Authenticator) RevocationCount() int { return len(a.revocations.InForce()) }

// RevocationsKept returns how many revocations are kept, those that are over
// included.
func (a *Authenticator) RevocationsKept() int { return sizeOf(a.revocations, "byEnd") }

// KeepLogouts sets how many logouts of an issuer are kept.
func (a *Authenticator) KeepLogouts(most int) { a.revocations.LimitLogouts(most) }

// FillTickets takes all places for used tickets, and returns what gives one of them back.
func (a *Authenticator) FillTickets() (giveBack func()) {
	expiry := a.now().Add(time.Minute)
	for n := 0; a.tickets.Use(strconv.Itoa(n), expiry, a.now(), true) == nil; n++ {
	}
	return func() { a.tickets.Release("0") }
}

// Now returns the time that token times are compared with.
func (a *Authenticator) Now() time.Time { return a.now() }

// Indexed reports whether claims are found in the payload by an index.
func (c *Claims) Indexed() bool { return c.record.Index != "" }

// Size returns what the claims count in the cache.
func (c *Claims) Size() int { return c.size() }

// Sleep does what a machine's sleep does to an answer that claims rest on, to what the issuer
// said or to what the program supplied: by the wall clock it ends so much sooner, by the
// monotonic one it does not.
func Sleep(c *Claims, issuers bool, d time.Duration) {
	until := &c.supplied.until
	if issuers {
		until = &c.answered.until
	}
	*until = clockstest.Move(*until, -d, 0)
}

// CacheLen returns how many tokens are remembered.
func CacheLen(a *Authenticator) (n int) {
	a.cache.DeleteFunc(func(*Claims) bool { n++; return false })
	return n
}

// sizeOf returns the length of a map or a slice, or the number, that a pointer to a
// struct of another package leads to by the names of fields.
func sizeOf(v any, fields ...string) int {
	at := reflect.ValueOf(v)
	for _, name := range fields {
		at = reflect.Indirect(at).FieldByName(name)
	}
	if at.CanInt() {
		return int(at.Int())
	}
	return at.Len()
}

// WithNetwork returns o with names looked up by resolver, and with the addresses
// that permit names exempt from the rule that only public ones are contacted.
func WithNetwork(o AnyIssuer, resolver *net.Resolver, permit func(netip.AddrPort) bool) *AnyIssuer {
	o.resolver, o.permit = resolver, permit
	return &o
}

// OpenIssuers counts the issuers that AnyIssuer remembers.
func OpenIssuers(a *Authenticator) (known, proven, failed int) {
	x := a.anyone.issuers
	return sizeOf(x, "table", "issuers"), sizeOf(x, "table", "proven", "len"), sizeOf(x, "failed", "order", "len")
}

// Searched reports whether claims need not be compared with the revocations until there
// is another.
func Searched(a *Authenticator, c *Claims) bool { return a.revocations.Unchanged(&c.unrevoked) }

// Live reports whether the key that signed the token is still trusted.
func Live(a *Authenticator, c *Claims) bool { return c.key.Live(a.now()) }

// KeysHeld reports whether sessions keep the keys of the token's issuer in use.
func KeysHeld(c *Claims) bool { return c.trust.Keys.Held() }

// CallerAccount is what a call with ctx is accounted to.
func CallerAccount(ctx context.Context) netip.Addr { return callerAddrOf(ctx) }

// VerifyLogout returns what a logout token says, if it is accepted.
func (a *Authenticator) VerifyLogout(ctx context.Context, token string) (tokenID, sessionID, subject string, err error) {
	l, err := verify.CheckLogout(ctx, a.env, token, a.now())
	if err != nil {
		return "", "", "", err
	}
	return l.TokenID, l.SessionID, l.Subject, nil
}

// EnterAfter begins a session as NewSession does, with something that happens after
// the claims were found good and before the session lives by them. It reports
// whether it does live by them then.
func (a *Authenticator) EnterAfter(c *Claims, between func()) (entered bool) {
	s := &Session{auth: a}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	g, err := a.sessions.pin(c, nil)
	if err != nil {
		return false
	}
	defer a.sessions.unpin(g)
	if a.judge(g) != nil {
		return false
	}
	between()
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.sessions.enter(s, g)
}

// Held calls f while nothing can change what the session lives by.
func (s *Session) Held(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Warn gives the session's warnings as their alarms would now.
func (s *Session) Warn() {
	s.mu.Lock()
	first := s.warnings
	s.mu.Unlock()
	for w := first; w != nil; w = w.next {
		w.warn(time.Now())
	}
}

// LargestShard returns how many grants are in the part of the index that has most.
func (a *Authenticator) LargestShard() (most int) {
	for i := range a.sessions.shards {
		sh := &a.sessions.shards[i]
		sh.mu.Lock()
		n := 0
		for _, g := range sh.lists[byKey] {
			n += len(appendList(nil, g, byKey))
		}
		sh.mu.Unlock()
		most = max(most, n)
	}
	return most
}

// Unproved returns claims without what was proved beside their token.
func Unproved(c *Claims) *Claims { return c.having(nil) }

// IsProved reports whether claims have what was proved beside their token.
func IsProved(c *Claims) bool { return c.proved() != nil }

// Remembered returns what the cache has of a token, or nil.
func Remembered(a *Authenticator, token string) *Claims { return a.remembered(token, a.now()) }

// NoncesKept returns how many nonces of sessions are kept.
func NoncesKept(a *Authenticator) int { return a.nonces.Len() }

// RevokedUntil returns when the last of the revocations ends.
func (a *Authenticator) RevokedUntil() (last time.Time) {
	for _, r := range a.revocations.InForce() {
		if r.Until.After(last) {
			last = r.Until
		}
	}
	return last
}

// Counts reports whether claims count without being judged anew, and whether that was
// known without a look at the issuers.
func Counts(a *Authenticator, c *Claims) (counts, known bool) {
	known = c.trust.seen.Load() == a.epoch.Load()
	return a.current(c.trust), known
}

// Kept reports whether the cache has anything of a token, good or not.
func Kept(a *Authenticator, token string) bool {
	_, found := a.cache.Get(token)
	return found
}

// Shard returns in which part of the index sessions under claims are.
func Shard(a *Authenticator, c *Claims) uint8 {
	g, err := a.sessions.pin(c, nil)
	if err != nil {
		panic(err)
	}
	defer a.sessions.unpin(g)
	return g.place
}

// Admits returns why no session can begin under claims, whatever they say.
func Admits(a *Authenticator, c *Claims) error {
	g, err := a.sessions.pin(c, nil)
	if err == nil {
		a.sessions.unpin(g)
	}
	return err
}

// Grants counts what sessions live by: one for each token, unless they do not share.
func Grants(a *Authenticator) (n int) {
	for range a.sessions.all() {
		n++
	}
	return n
}

// Neighbours returns for how many sessions there is memory where this one is kept.
func (s *Session) Neighbours() int { return cap(s.grant.Load().sessions) }

// EndUnderAnother has the session ended as those are that live by something else, and
// reports whether it counts as one of them.
func (s *Session) EndUnderAnother(cause error) bool { return s.endUnder(new(grant), cause) }

// LeftOutOfCopies returns the names of the fields of Claims that claims with a
// supplement do not take over from those without.
func LeftOutOfCopies() (names []string) {
	c := &Claims{trust: new(trust)}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		memory := unsafe.Slice((*byte)(v.Field(i).Addr().UnsafePointer()), v.Field(i).Type().Size())
		switch v.Field(i).Kind() {
		case reflect.Pointer:
			*(*unsafe.Pointer)(v.Field(i).Addr().UnsafePointer()) = reflect.New(v.Field(i).Type().Elem()).UnsafePointer()
		case reflect.Bool, reflect.Uint8, reflect.Uint16, reflect.Int:
			memory[0] = 1
		}
	}
	copied := reflect.ValueOf(c.copy(claims.Record{}, &supplied{})).Elem()
	for i := range copied.NumField() {
		if copied.Field(i).IsZero() {
			names = append(names, copied.Type().Field(i).Name)
		}
	}
	return names
}

// StrangersAlgorithms returns the default of [AnyIssuer.Algorithms].
func StrangersAlgorithms() []string { return new(AnyIssuer).algorithms() }

// FollowGrants follows the source of an issuer. While keys take the place of others,
// adopting is told which may sign tokens that do not name them.
func FollowGrants(i Issuer, adopting func(ids []string)) error {
	var f *followedSource
	f, err := i.follow(func(_, before *sourceKeys) error {
		if before != nil {
			adopting(slices.Sorted(maps.Keys(f.latest.Load().withoutKeyID)))
		}
		return nil
	}, nil)
	return err
}

// FollowLost follows the source of an issuer. Lost is told which keys may no longer sign
// tokens that do not name them.
func FollowLost(i Issuer, lost func(ids []string)) error {
	_, _, err := i.newSourceKeySet(keyset.Config{Issuer: i.URL}, func(keys []*keyset.Key) {
		var ids []string
		for _, k := range keys {
			ids = append(ids, k.ID())
		}
		lost(ids)
	})
	return err
}

// Unfollow has the session live by the key that signed its token, as before anybody looked
// for another in its place.
func (s *Session) Unfollow() {
	g, x := s.grant.Load(), s.auth.sessions
	sh := x.shard(g)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.unlink(g, byKey, x.hashKey(g.key.Load()))
	g.key.Store(g.claims.key)
	sh.link(g, byKey, x.hashKey(g.claims.key))
}

// Sizes of what is kept by the hundred thousand.
const (
	ClaimsSize  = unsafe.Sizeof(Claims{})
	SessionSize = unsafe.Sizeof(Session{})

	SuppliedSize = unsafe.Sizeof(supplied{})
	AnsweredSize = unsafe.Sizeof(answered{}) + unsafe.Sizeof(another{})
)

// IsLookedAt reports whether somebody looked, since the last change of any issuer, what
// became of the one that the session's token is of.
func (s *Session) IsLookedAt() bool {
	return s.grant.Load().claims.trust.seen.Load() == s.auth.epoch.Load()
}
