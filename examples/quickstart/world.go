package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/provider"
)

const (
	// audience is the database's name in tokens, otherAudience that of another
	// database on the same server.
	audience      = "messages"
	otherAudience = "reports"

	demoSecret = "demo-secret"
	// A short-lived token lives no less and no longer; socketLimit is more than half.
	brief, notSoBrief = 4 * time.Second, 15 * time.Second

	// app is what people use; its tokens live for minutes. Those of briefApp live
	// as long as a story can wait.
	app, briefApp = "messages-app", "brief-app"
)

// world is everything the story needs, in one process.
type world struct {
	provider *provider.Provider // whose people and services this database is for
	partner  *provider.Provider // trusted by the server, not admitted by this database
	stranger *provider.Provider // trusted by nobody here
	server   *server

	life       time.Duration // of a short-lived token; half of it is after the warning
	alice, bob *person       // once they have signed in
}

// startWorld starts three providers and the server.
func startWorld(ctx context.Context, opts options, logger *slog.Logger) (*world, error) {
	listener, url, err := listen(opts.addr)
	if err != nil {
		return nil, err
	}
	w := &world{life: opts.life}
	home := homeProvider(url+"/v1/logout", opts.life)
	home.Addr = opts.providerAddr
	for _, start := range []struct {
		into **provider.Provider
		cfg  provider.Config
	}{
		{&w.provider, home},
		{&w.partner, visitingProvider()},
		{&w.stranger, visitingProvider()},
	} {
		started, err := provider.Start(ctx, start.cfg)
		if err != nil {
			w.stopProviders()
			return nil, errors.Join(err, listener.Close())
		}
		*start.into = started
	}
	w.server, err = startServer(ctx, serverConfig{
		listener: listener,
		issuers: []oidcauth.Issuer{
			// A logout token is for the app that the person signed in with. Every token
			// says of which login it is, so that one login can end alone.
			{URL: w.provider.Issuer(), Audiences: []string{audience, otherAudience}, LogoutAudiences: []string{app, briefApp}, LogoutBy: "sid", Keys: oidcauth.KeysFrom{InsecureHTTP: true}},
			{URL: w.partner.Issuer(), Audiences: []string{audience}, Keys: oidcauth.KeysFrom{InsecureHTTP: true}},
		},
		admit:  oidcauth.All(oidcauth.HasIssuer(w.provider.Issuer()), oidcauth.HasAudience(audience)),
		leeway: -1, // one clock, so no difference to allow for
		warn:   opts.life / 2,
		logger: logger,
	})
	if err != nil {
		w.stopProviders()
		return nil, err
	}
	return w, nil
}

func (w *world) stop() error {
	err := w.server.stop()
	w.stopProviders()
	return err
}

func (w *world) stopProviders() {
	for _, p := range []*provider.Provider{w.provider, w.partner, w.stranger} {
		if p != nil {
			p.Stop()
		}
	}
}

// homeProvider knows two people, the apps they use, and some services. When a
// person signs out of an app it tells the database, at the address logout.
func homeProvider(logout string, life time.Duration) provider.Config {
	person := func(clientID string, lifetime time.Duration) provider.Client {
		return provider.Client{
			ID: clientID, RedirectURIs: []string{"http://127.0.0.1/callback"}, Audiences: []string{audience},
			BackChannelLogoutURI: logout, TokenLifetime: lifetime,
		}
	}
	return provider.Config{
		Users: []provider.User{
			{Name: "alice", Password: "correct horse", Email: "alice@example.com", Roles: []string{"writer"}},
			{Name: "bob", Password: "battery staple", Email: "bob@example.com", Roles: []string{"admin"}},
		},
		Clients: []provider.Client{
			person(app, 0),
			person(briefApp, life),
			{ID: "importer", Secret: demoSecret, Audiences: []string{audience}, Roles: []string{"writer"}},
			{ID: "reporter", Secret: demoSecret, Audiences: []string{audience}, Roles: []string{"reader"}},
			{ID: "probe", Secret: demoSecret, Audiences: []string{audience}, TokenLifetime: life},
			{ID: "archivist", Secret: demoSecret, Audiences: []string{otherAudience}, Roles: []string{"writer"}},
			{ID: "accountant", Secret: demoSecret, Audiences: []string{"billing"}, Roles: []string{"writer"}},
		},
	}
}

// visitingProvider is somebody else's: it hands out the same names and roles.
func visitingProvider() provider.Config {
	return provider.Config{Clients: []provider.Client{
		{ID: "importer", Secret: demoSecret, Audiences: []string{audience}, Roles: []string{"writer", "admin"}},
	}}
}
