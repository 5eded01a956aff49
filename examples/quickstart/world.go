package main

import (
	"context"
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
	brief      = 3 * time.Second // the life of a short-lived token
)

// world is everything the story needs, in one process.
type world struct {
	provider *provider.Provider // whose people and services this database is for
	partner  *provider.Provider // trusted by the server, not admitted by this database
	stranger *provider.Provider // trusted by nobody here
	server   *server

	alice, bob *person // once they have signed in
}

// startWorld starts three providers and the server.
func startWorld(ctx context.Context, addr string, logger *slog.Logger) (*world, error) {
	w := &world{}
	for _, start := range []struct {
		into **provider.Provider
		cfg  provider.Config
	}{
		{&w.provider, homeProvider()},
		{&w.partner, visitingProvider()},
		{&w.stranger, visitingProvider()},
	} {
		started, err := provider.Start(ctx, start.cfg)
		if err != nil {
			w.stopProviders()
			return nil, err
		}
		*start.into = started
	}
	var err error
	w.server, err = startServer(ctx, serverConfig{
		addr: addr,
		issuers: []oidcauth.Issuer{
			{URL: w.provider.Issuer(), Audiences: []string{audience, otherAudience}, InsecureHTTP: true},
			{URL: w.partner.Issuer(), Audiences: []string{audience}, InsecureHTTP: true},
		},
		admit:  oidcauth.All(oidcauth.FromIssuer(w.provider.Issuer()), oidcauth.ForAudience(audience)),
		leeway: -1, // one clock, so no difference to allow for
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

// homeProvider knows two people, the app they use, and some services.
func homeProvider() provider.Config {
	return provider.Config{
		Users: []provider.User{
			{Name: "alice", Password: "correct horse", Email: "alice@example.com", Roles: []string{"writer"}},
			{Name: "bob", Password: "battery staple", Email: "bob@example.com", Roles: []string{"admin"}},
		},
		Clients: []provider.Client{
			{ID: "messages-app", RedirectURIs: []string{"http://127.0.0.1/callback"}, Audiences: []string{audience}},
			{ID: "importer", Secret: demoSecret, Audiences: []string{audience}, Roles: []string{"writer"}},
			{ID: "reporter", Secret: demoSecret, Audiences: []string{audience}, Roles: []string{"reader"}},
			{ID: "probe", Secret: demoSecret, Audiences: []string{audience}, TokenLifetime: brief},
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
