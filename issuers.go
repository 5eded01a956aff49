package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/strangers"
	"github.com/oidcauth/oidcauth/internal/verify"
)

const (
	defaultMaxIssuers       = 1000
	defaultMaxFirstContacts = 16
	defaultFirstContactRate = 10
)

// trustIn finds the issuer that a token names among the configured ones and,
// where strangers' issuers are accepted, among those.
func (a *Authenticator) trustIn(issuer string) (*trust, error) {
	if t, known := a.trusts[issuer]; known {
		return t, nil
	}
	if t := a.tenantTrust(issuer); t != nil {
		return t, nil
	}
	if a.anyone != nil {
		if t := a.anyone.trustIn(issuer); t != nil {
			return t, nil
		}
	}
	return nil, refusal.New(refusal.Issuer, ErrUnknownIssuer, refusal.Quote(issuer), a.describeIssuers())
}

func (a *Authenticator) describeIssuers() string {
	const public = "an issuer with a public https URL that this server accepts"
	switch {
	case a.anyone == nil:
		return refusal.OneOf(a.names)
	case len(a.names) == 0:
		return public
	}
	return refusal.OneOf(a.names) + ", or " + public
}

// tenantTrust finds the template that stands for an issuer that is not
// configured by its name.
func (a *Authenticator) tenantTrust(iss string) *trust {
	for _, t := range a.order {
		if t.Tenants.Match(iss) {
			return t
		}
	}
	return nil
}

// UnverifiedClaims rebuilds the claims of a payload that this Authenticator, or
// one of the same configuration, has accepted: with what it is configured with
// for the issuer that the payload names, so that the roles, the scopes and the
// identity are those that the token had. Of an issuer that [Config.AnyIssuer]
// alone admits they are none unless AnyIssuer grants them. Like the function
// [UnverifiedClaims] it verifies nothing, and it makes no request, so that a log
// is replayed without the issuers; [AnyIssuer.Accept] and rules are not asked.
//
// The supplement is what [Claims.Supplement] gave, nil for nothing: its roles count
// as they did, and nobody is asked again.
//
// The error is [ErrUnknownIssuer] for an issuer whose tokens could not be
// accepted, and [ErrClaim] for a supplement that cannot be one.
func (a *Authenticator) UnverifiedClaims(payload, supplement []byte) (*Claims, error) {
	c, err := unverified(payload, func(iss string) (*trust, error) {
		if t, known := a.trusts[iss]; known {
			return t, nil
		}
		if t := a.tenantTrust(iss); t != nil {
			return t, nil
		}
		if a.anyone != nil && a.anyone.admits(iss) {
			return a.anyone.describe(iss, nil), nil
		}
		return nil, refusal.New(refusal.Issuer, ErrUnknownIssuer, refusal.Quote(iss), a.describeIssuers())
	})
	if err != nil {
		return nil, err
	}
	return c.replayed(supplement)
}

// anyone is what an Authenticator makes of [AnyIssuer]. It is safe for concurrent
// use.
type anyone struct {
	common  trust // what the issuers have in common
	accept  func(string) bool
	client  *fetch.Client
	issuers *strangers.Issuers
	closed  func() bool // the Authenticator
}

// newAnyone prepares for strangers' issuers.
func (a *Authenticator) newAnyone(cfg Config) (*anyone, error) {
	settings := cfg.AnyIssuer
	client, err := fetch.New(fetch.Config{
		HTTP: cfg.Client, Timeout: strangers.Timeout, MaxBytes: strangers.MaxBytes,
		PublicOnly: true, DenyPrefixes: settings.DenyPrefixes, DenyHosts: settings.DenyHosts,
		Resolver: settings.resolver, Permit: settings.permit,
	})
	if err != nil {
		return nil, fmt.Errorf("oidcauth: Config.Client: %w", err)
	}
	common := newTrust(settings.issuer(), a.leeway, nil, nil)
	if len(settings.Roles) == 0 {
		common.Shape.Roles = nil
	}
	common.Shape.IgnoreScopes = !settings.KeepScopes
	o := &anyone{common: *common, accept: settings.Accept, client: client, closed: a.closed.Load}
	o.issuers = strangers.New(strangers.Config{
		Fetch:      client,
		MaxIssuers: orDefault(settings.MaxIssuers, defaultMaxIssuers),
		Places:     orDefault(settings.MaxFirstContacts, defaultMaxFirstContacts),
		Rate:       orDefault(settings.FirstContactsPerSecond, defaultFirstContactRate),
		Describe:   func(name string, keys *keyset.Set) any { return o.describe(name, keys) },
		Evicted: func(keys *keyset.Set) {
			a.cache.DeleteFunc(func(c *Claims) bool { return c.trust.Keys == keys })
		},
		FetchDone: a.fetchDone, KeysGone: a.keysGone, StateChanged: a.traceState,
		Logger: a.logger,
	})
	o.common.strangers, o.common.Stray = o.issuers, o
	return o, nil
}

func orDefault[N int | float64](n, otherwise N) N {
	if n == 0 {
		return otherwise
	}
	return n
}

// admits reports whether name is one that a stranger's issuer can have.
func (o *anyone) admits(name string) bool {
	return policy.CheckIssuerName(name) == nil && o.client.CheckURL(name) == nil && !strings.Contains(name, "?")
}

// describe returns what all strangers' issuers have in common, for one of them.
func (o *anyone) describe(name string, keys *keyset.Set) *trust {
	t := o.common
	t.Order, t.sessionIDs, t.Owner = new(verify.Order), new(sessionIDs), &t
	t.URL = strings.Clone(name) // not a part of the token
	t.Names = []string{t.URL}
	t.Keys = keys
	return &t
}

// trustIn returns the trust in a stranger's issuer, which need not have been
// contacted yet, or nil if it is none that is accepted.
func (o *anyone) trustIn(name string) *trust {
	if o.accept != nil && !o.accept(name) {
		return nil
	}
	if known := o.issuers.Find(name); known != nil {
		return known.Data().(*trust)
	}
	if !o.admits(name) {
		return nil
	}
	return o.describe(name, nil)
}

// contact returns the trust in an issuer whose keys have been fetched, waiting
// for its first contact if need be. It returns early when ctx ends.
func (o *anyone) contact(ctx context.Context, name string, keyID jws.KeyID) (*trust, error) {
	i, err := o.issuers.Contact(ctx, callerAddrOf(ctx), name, keyID)
	if err == nil {
		return i.Data().(*trust), nil
	}
	switch postponed, ok := errors.AsType[*keyset.PostponedError](err); {
	case ok:
		r := refusal.New(refusal.Key, ErrKeysUnavailable, "more new issuers than may be contacted at present", "")
		if ctx.Err() != nil {
			r = refusal.Because(refusal.Key, ErrKeysUnavailable, refusal.Ended(ctx))
		}
		r.After(postponed.RetryAfter)
		return nil, r
	case errors.Is(err, strangers.ErrClosed):
		return nil, refusal.New(refusal.Key, ErrClosed, "", "")
	case ctx.Err() != nil && !errors.Is(err, strangers.ErrUnknown):
		// An issuer that lets callers wait must look like one that is not there.
		return nil, refusal.Because(refusal.Key, ErrUnknownIssuer, refusal.Ended(ctx))
	}
	return nil, refusal.New(refusal.Key, ErrUnknownIssuer, refusal.Quote(name), "an issuer that answers with its keys")
}

// report is [Authenticator.Keys] for a stranger's issuer.
func (o *anyone) report(ctx context.Context, t *trust) (explain.KeySet, error) {
	t, err := o.contact(ctx, t.URL, jws.KeyID{})
	if err != nil {
		return explain.KeySet{}, err
	}
	if err = t.Keys.Ready(ctx); err != nil {
		err = refusal.New(refusal.Key, ErrKeysUnavailable, "", "")
	}
	return newKeyReport(t.Keys.Report()), err
}

// Contact implements [verify.Stray].
func (o *anyone) Contact(ctx context.Context, t *verify.Trust, keyID jws.KeyID) (*verify.Trust, error) {
	known, err := o.contact(ctx, t.URL, keyID)
	if err != nil {
		return nil, err
	}
	return &known.Trust, nil
}

// Refuse implements [verify.Stray].
func (o *anyone) Refuse(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return refusal.Because(refusal.Key, ErrKeysUnavailable, refusal.Ended(ctx))
	case o.closed():
		return refusal.New(refusal.Key, ErrClosed, "", "")
	}
	wait := time.Second
	if unavailable, ok := errors.AsType[*keyset.UnavailableError](err); ok {
		wait = max(wait, unavailable.RetryAfter)
	}
	if postponed, ok := errors.AsType[*keyset.PostponedError](err); ok {
		wait = max(wait, postponed.RetryAfter)
	}
	return refusal.New(refusal.Key, ErrKeysUnavailable, "", "").After(wait)
}
