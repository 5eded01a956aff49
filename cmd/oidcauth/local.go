package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/spacetime"
)

const (
	// defaultLocalURL is the name of a new local issuer, the one that
	// SpacetimeDB gives its own.
	defaultLocalURL = "localhost"

	// spacetimeAudience is in every token that SpacetimeDB issues.
	spacetimeAudience = "spacetimedb"
)

// localFlags are the flags of serve for tokens of its own.
type localFlags struct {
	dir     string
	url     string
	origins list
}

// register defines the flags.
func (f *localFlags) register(flags *flag.FlagSet) {
	flags.StringVar(&f.dir, "local-issuer", "", "issue tokens with the keys in this `DIRECTORY`, which is created if missing, and serve SpacetimeDB's routes; read above what it means")
	flags.StringVar(&f.url, "local-issuer-url", "", "the `NAME` of that issuer, the \"iss\" of its tokens; without it the directory's, or "+defaultLocalURL+" for a new one")
	flags.Var(&f.origins, "allow-origin", "let pages of this `ORIGIN`, such as https://app.example.com, use SpacetimeDB's routes, * for all; may be repeated; without it this server's own pages")
}

// check finds flags that have no effect.
func (f *localFlags) check() error {
	if f.dir == "" && (f.url != "" || len(f.origins) > 0) {
		return usagef("--local-issuer-url and --allow-origin have no effect without --local-issuer")
	}
	return nil
}

// open adds the local issuer to the configuration. It is nil when none is
// wanted.
func (f *localFlags) open(cfg *oidcauth.Config, audiences []string) (*oidcauth.LocalIssuer, error) {
	if f.dir == "" {
		return nil, nil
	}
	local := oidcauth.LocalIssuerConfig{
		URL: f.url, Dir: f.dir, Audiences: slices.Clone(audiences), NoExpiry: true, Logger: cfg.Logger,
	}
	if !slices.Contains(local.Audiences, spacetimeAudience) {
		local.Audiences = append(local.Audiences, spacetimeAudience)
	}
	l, err := oidcauth.NewLocalIssuer(local)
	if f.url == "" && errors.Is(err, fs.ErrNotExist) {
		local.URL = defaultLocalURL
		l, err = oidcauth.NewLocalIssuer(local)
	}
	if err != nil {
		return nil, err
	}
	cfg.Issuers = append(cfg.Issuers, l.Issuer())
	return l, nil
}

// localRoutes are what a server with a local issuer serves.
type localRoutes struct {
	issuer    *oidcauth.LocalIssuer
	spacetime *spacetime.Server
}

// newLocalRoutes prepares the routes; nil means that there are none.
func newLocalRoutes(s *server, l *oidcauth.LocalIssuer, origins []string) (*localRoutes, error) {
	if l == nil {
		return nil, nil
	}
	server, err := spacetime.New(spacetime.Config{
		Auth: s.auth, Local: l, Anonymous: true, NoExpiry: true, Origins: origins, Logger: s.log,
	})
	return &localRoutes{l, server}, err
}

// routes lists SpacetimeDB's routes one by one, so that each is counted, and the
// issuer's public documents.
func (l *localRoutes) routes() []route {
	if l == nil {
		return nil
	}
	routes := []route{
		{"/v1/identity", l.spacetime},
		{"/v1/identity/websocket-token", l.spacetime},
		{"/v1/identity/public-key", l.spacetime},
		{"/v1/identity/{identity}/verify", l.spacetime},
		{"GET /v1/database/{name}/subscribe", l.spacetime},
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/jwks.json"} {
		routes = append(routes, route{"GET " + issuerPath(l.issuer.URL()) + path, http.Handler(l.issuer.Handler())})
	}
	return routes
}

// issuerPath returns the path below which an issuer's documents are.
func issuerPath(name string) string {
	u, err := url.Parse(name)
	if err != nil || u.Host == "" || strings.ContainsAny(u.Path, "{}") {
		return ""
	}
	return strings.TrimSuffix(u.Path, "/")
}

// close ends the WebSockets, which the HTTP server knows nothing of.
func (l *localRoutes) close(limit time.Duration) error {
	if l == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := l.spacetime.Close(ctx); err != nil {
		return fmt.Errorf("WebSockets still open after %s were cut off: %w", limit, err)
	}
	return nil
}
