package main

import (
	"context"
	"time"

	"github.com/oidcauth/oidcauth/examples/internal/provider"
)

const whoIsThere = `
Sign in as one of these, each in a browser of their own (a private window does):

  alice  wonderland   a moderator, who may remove and promote people
  bob    builder
  olga   observatory  the operator, who sees sessions, keys and refusals

Tokens live two minutes, so that you see them renewed. Ctrl-C ends it all.
`

// embed starts a provider of the program's own and makes the configuration for it.
func (cfg *config) embed(ctx context.Context, life time.Duration) error {
	p, err := startProvider(ctx, cfg.address, life)
	if err != nil {
		return err
	}
	cfg.issuer, cfg.clientID, cfg.insecure = p.Issuer(), "chat", true
	cfg.signOut = p.SignOutURL
	return nil
}

func startProvider(ctx context.Context, address string, life time.Duration) (*provider.Provider, error) {
	return provider.Start(ctx, provider.Config{
		Clients: []provider.Client{{
			ID: "chat", RedirectURIs: []string{address + "/callback"}, PostLogoutRedirectURIs: []string{address + "/"}, TokenLifetime: life,
			BackChannelLogoutURI: address + "/backchannel-logout",
		}},
		Users: []provider.User{
			{Name: "alice", Password: "wonderland", Roles: []string{roleMod}},
			{Name: "bob", Password: "builder"},
			{Name: "olga", Password: "observatory", Roles: []string{roleOperate}},
		},
	})
}
