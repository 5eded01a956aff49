package oidcauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/watch"
)

// fetchClients make the requests for key sets: over https, and for issuers that
// were allowed it over http on the loopback interface. Both are made of the
// program's client.
type fetchClients struct {
	http             *http.Client
	secure, insecure *fetch.Client
	queue            keyset.Queue // of fetches that nobody is in a hurry for
	writers          *keyset.Writers
}

// maxPatientFetches bounds the requests of a start with many issuers.
const maxPatientFetches = 128

func newFetchClients(client *http.Client) (fetchClients, error) {
	secure, err := fetch.New(fetch.Config{HTTP: client})
	insecure, other := fetch.New(fetch.Config{HTTP: client, InsecureHTTP: true})
	return fetchClients{client, secure, insecure, keyset.NewQueue(maxPatientFetches), keyset.NewWriters()}, cmp.Or(err, other)
}

func (c fetchClients) of(k *KeysFrom) *fetch.Client {
	if k.InsecureHTTP {
		return c.insecure
	}
	return c.secure
}

// choose returns what fetches the keys from url or from where k says: one of these, or
// else, and then also as own, one for this issuer alone.
func (c fetchClients) choose(k *KeysFrom, url string) (client, own *fetch.Client, err error) {
	switch {
	case k.Client == nil && k.CAFile == "" && k.TokenFile == "" && len(k.InsecureHTTPHosts) == 0:
		return c.of(k), nil, nil
	case k.JWKSURL != "":
		url = k.JWKSURL
	case k.DiscoveryURL != "":
		url = k.DiscoveryURL
	}
	cfg := fetch.Config{
		HTTP: c.http, CAFile: k.CAFile,
		InsecureHTTP: k.InsecureHTTP, InsecureHTTPHosts: k.InsecureHTTPHosts,
	}
	if k.Client != nil {
		cfg.HTTP = k.Client
	}
	if k.TokenFile != "" {
		cfg.TokenFile, cfg.TokenURL = k.TokenFile, url
	}
	own, err = fetch.New(cfg)
	return own, own, err
}

// closeIdle closes connections that would otherwise outlive their use by a while,
// and the goroutines that serve them.
func (c fetchClients) closeIdle() {
	for _, client := range []*fetch.Client{c.secure, c.insecure} {
		if client != nil {
			client.CloseIdle()
		}
	}
}

// newKeySet prepares an issuer's key set without asking for it. Watched is told of its states.
func (a *Authenticator) newKeySet(cfg Config, i Issuer, client *fetch.Client, watched *watch.Keys) (*keyset.Set, *followedSource, error) {
	if err := i.checkURLs(client); err != nil {
		return nil, nil, err
	}
	p := i.policy()
	set := keyset.Config{
		Issuer:       i.URL,
		Aliases:      i.Aliases,
		DiscoveryURL: i.Keys.DiscoveryURL,
		JWKSURL:      i.Keys.JWKSURL,
		Fixed:        i.Keys.JWKS,
		Use:          p.KeyUse(),
		ReusesKeyIDs: i.Keys.ReusesKeyIDs,
		AcceptKey:    p.Tenants.AcceptKey(),
		KeepWarm:     cfg.KeepWarm,
		Fetch:        client,
		Queue:        a.clients.queue,
		CacheDir:     cfg.KeyCacheDir,
		Writers:      a.clients.writers,
		Apart:        i.keysApart(),
		Quiet:        true, // until its description is accepted
		Hooks: keyset.Hooks{
			FetchDone: a.fetchDone,
			StateChanged: func(from, to keyset.State, err error) {
				a.stateChanged(i.URL, from, to, err)
				watched.Entered(keyState(i.URL, from, to, err))
			},
			NoneUsable:  func(err error) { a.noneUsable(i.URL, err) },
			KeysGone:    a.keysGone,
			StoreFailed: func(err error) { a.storeFailed(i.URL, err) },
		},
	}
	if i.Keys.Source != nil {
		return i.newSourceKeySet(set, a.unnamedGone)
	}
	keys, err := keyset.New(set)
	return keys, nil, err
}

// checkURLs makes sure that the issuer's name can be one, and that the addresses
// to be fetched are addresses.
func (i *Issuer) checkURLs(client *fetch.Client) error {
	switch {
	case i.Keys.DiscoveryURL != "" && strings.TrimSuffix(i.Keys.DiscoveryURL, "/") == strings.TrimSuffix(i.URL, "/"):
		return fmt.Errorf("DiscoveryURL: that is the issuer, not its discovery document: leave it empty for %s, or write the document's whole address", fetch.DiscoveryURL(i.URL))
	case !i.Keys.fetched():
		return nil
	case i.Keys.JWKSURL != "":
		return wrapField("JWKSURL", client.CheckURL(i.Keys.JWKSURL))
	case i.Keys.DiscoveryURL != "":
		return wrapField("DiscoveryURL", client.CheckURL(i.Keys.DiscoveryURL))
	case strings.HasPrefix(i.URL, claims.SPIFFE):
		return errors.New("a trust domain is no address: set JWKSURL, JWKS or Source in Keys")
	}
	if issuer, document := cutWellKnown(i.URL); document {
		return fmt.Errorf("URL: that is the address of a discovery document, not of its issuer: write %q, or what the document has as \"issuer\"", issuer)
	}
	return wrapField("URL", client.CheckURL(i.URL))
}

// cutWellKnown returns the issuer that has a discovery document at an address, by
// OpenID Connect Discovery 1.0, section 4, or RFC 8414, section 3.
func cutWellKnown(address string) (issuer string, is bool) {
	if issuer, is = strings.CutSuffix(strings.TrimSuffix(address, "/"), "/.well-known/openid-configuration"); is {
		return issuer, true
	}
	host, path, is := strings.Cut(address, "/.well-known/oauth-authorization-server")
	return host + path, is
}

func wrapField(field string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}

func (a *Authenticator) fetchDone(e keyset.Event) {
	a.watch.KeysFetched(authtrace.KeyFetch{
		Issuer: e.Issuer, URL: e.URL, Lookup: e.Lookup, Start: e.Start, Duration: e.Duration,
		NotModified: e.NotModified, Usable: e.Keys, Skipped: e.Skipped, Err: fetch.Cause(e.Err),
		DiscoveryErr: fetch.Cause(e.DiscoveryErr),
	})
}

// stateChanged writes the one line for each change, a warning if it is for the worse.
func (a *Authenticator) stateChanged(issuer string, from, to keyset.State, err error) {
	level := slog.LevelInfo
	if to == keyset.Stale || to == keyset.Gone {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("issuer", issuer), slog.String("from", from.String()), slog.String("to", to.String()),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	a.logger.LogAttrs(context.Background(), level, "issuer's keys changed state", attrs...)
}

// noneUsable writes a line about an issuer that answers, and has no key for us yet.
func (a *Authenticator) noneUsable(issuer string, err error) {
	a.logger.LogAttrs(context.Background(), slog.LevelWarn, "issuer publishes no usable key",
		slog.String("issuer", issuer), slog.String("error", err.Error()))
}

// keyState is what hooks are told of a state.
func keyState(issuer string, from, to keyset.State, err error) authtrace.KeyState {
	return authtrace.KeyState{
		Issuer: issuer, From: authtrace.State(from.String()), To: authtrace.State(to.String()), Err: fetch.Cause(err),
	}
}

// keysGone ends the sessions under keys that are trusted no more, except where
// only the key's description changed.
func (a *Authenticator) keysGone(keys []*keyset.Key) {
	for _, k := range keys {
		var cause error
		for g := range a.sessions.list(a.sessions.hashKey(k), byKey) {
			a.keyGone(g, k, &cause)
		}
	}
}

// keyGone ends the sessions that live by a grant under a key that is trusted no
// more, unless another took its place. The cause is one for all under the key.
func (a *Authenticator) keyGone(g *grant, k *keyset.Key, cause *error) {
	if a.sessions.follow(g, k) {
		// A revocation may be of the key's new name, and that needs a permission of its own.
		next := g.key.Load()
		if err := a.checkRevoked(g.claims, next, a.now()); err != nil {
			a.sessions.end(g, err)
		}
		if !g.claims.trust.Allows(next, g.claims.record.HasKeyID) {
			a.sessions.end(g, unnamedKey(next))
		}
		return
	}
	if g.key.Load() != k {
		return
	}
	if *cause == nil {
		*cause = a.deadKey(g.claims, k)
	}
	a.sessions.end(g, *cause)
}

// unnamedGone ends the sessions under keys by tokens that do not name them, and would
// have to now.
func (a *Authenticator) unnamedGone(keys []*keyset.Key) {
	for _, k := range keys {
		for g := range a.sessions.list(a.sessions.hashKey(k), byKey) {
			if g.key.Load() == k && !g.claims.trust.Allows(k, g.claims.record.HasKeyID) {
				a.sessions.end(g, unnamedKey(k))
			}
		}
	}
}

// unnamedKey is the refusal of a token without key ID under a key that has to be named.
func unnamedKey(k *keyset.Key) error {
	return refusal.New(refusal.Signature, ErrSignature, "no key ID, under the key "+refusal.Quote(k.ID()), "the key's ID (Keys.WithoutKeyID)")
}

// deadKey returns the refusal of a token under a key that is trusted no more.
func (a *Authenticator) deadKey(c *Claims, k *keyset.Key) error {
	if a.closed.Load() {
		return refusal.New(refusal.Key, ErrClosed, "", "")
	}
	if !c.trust.Keys.InHand() {
		return refusal.New(refusal.Key, ErrKeysUnavailable, "", "keys of issuer "+refusal.Quote(c.trust.URL))
	}
	return refusal.New(refusal.Key, ErrUnknownKey, "key ID "+refusal.Quote(k.ID()), "a key of issuer "+refusal.Quote(c.trust.URL))
}

func (a *Authenticator) storeFailed(issuer string, err error) {
	a.logger.LogAttrs(context.Background(), slog.LevelWarn, "issuer's file in the key directory not usable",
		slog.String("issuer", issuer), slog.String("error", err.Error()))
}

// Keys fetches the issuer's keys unless they are in hand, and reports on them.
// The issuer is named by [Issuer.URL] or an alias; where its descriptions have other
// keys, by that, "|", and the [Issuer.SubjectPrefix] of one. The report is filled in as
// far as possible also when the keys cannot be had ([ErrKeysUnavailable]). There is none of an
// issuer that is not accepted ([ErrUnknownIssuer]), and after Close ([ErrClosed]).
func (a *Authenticator) Keys(ctx context.Context, issuer string) (explain.KeySet, error) {
	if err := a.usable(ctx); err != nil {
		return explain.KeySet{}, err
	}
	t, err := a.keysOf(ctx, issuer)
	if err != nil {
		return explain.KeySet{}, err
	}
	if t.strangers != nil {
		return a.anyone.report(ctx, t)
	}
	if err = t.Keys.Ready(ctx); err != nil {
		err = cmp.Or(a.usable(ctx), error(refusal.Because(refusal.Key, ErrKeysUnavailable, err))) // it may be closed meanwhile
	}
	return newKeyReport(t.Keys.Report()), err
}

// keysOf returns the trust whose keys are asked for.
func (a *Authenticator) keysOf(ctx context.Context, issuer string) (*trust, error) {
	name, prefix, one := strings.Cut(issuer, "|")
	found, err := a.find(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, t := range found {
		if !one || t.Shape.Prefix == prefix {
			return t.Owner.(*trust), nil
		}
	}
	return nil, refusal.New(refusal.Issuer, ErrUnknownIssuer, refusal.Quote(issuer), "the SubjectPrefix of a description")
}

func newKeyReport(r keyset.Report) explain.KeySet {
	report := explain.KeySet{
		Issuer: r.Issuer, DiscoveryURL: r.DiscoveryURL, JWKSURL: r.JWKSURL,
		State: authtrace.State(r.State.String()), ETag: r.ETag, MaxAge: -1, Lifetime: r.Lifetime,
		Fetched: r.Fetched, Confirmed: r.Confirmed, FreshUntil: r.FreshUntil,
		ServeUntil: r.ServeUntil, NextRefresh: r.NextRefresh, LastError: fetch.Cause(r.LastError),
	}
	if r.HasMaxAge {
		report.MaxAge = r.MaxAge
	}
	for _, k := range r.Keys {
		report.Keys = append(report.Keys, explain.Key{ID: k.ID, Type: k.Type, Algorithm: k.Algorithm, Use: k.Use, Thumbprint: k.Thumbprint})
	}
	for _, k := range r.Skipped {
		report.Skipped = append(report.Skipped, explain.Key{ID: k.ID, Type: k.Type, Skipped: string(k.Reason)})
	}
	return report
}
