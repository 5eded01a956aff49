package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/origin"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/spacetime"
)

const (
	// defaultLocalURL is the name of a new local issuer, the one that
	// SpacetimeDB gives its own.
	defaultLocalURL = "localhost"

	// spacetimeAudience is in every token that SpacetimeDB issues.
	spacetimeAudience = "spacetimedb"
)

// localConfig is the local issuer of a configuration file. Its keys are in the
// directory and never in the file.
type localConfig struct {
	// Dir is the directory with the keys.
	Dir string `json:"dir" about:"the directory with its keys"`

	// URL is the issuer's name; empty means the directory's, or that of
	// SpacetimeDB's own for a new one.
	URL string `json:"url" about:"its name, the \"iss\" of its tokens"`

	// Audiences are for whom the tokens are, beside SpacetimeDB.
	Audiences []string `json:"audiences" about:"for whom its tokens are, beside SpacetimeDB"`

	// AllowOrigins are the origins whose pages may use SpacetimeDB's routes.
	AllowOrigins []string `json:"allow_origins" about:"whose pages may use SpacetimeDB's routes"`

	// Databases are those that can be opened; absent means every name.
	Databases []string `json:"databases" about:"those that can be opened; without it every name"`

	// TokenLifetime is that of tokens for new identities; without it they never expire.
	TokenLifetime duration `json:"token_lifetime" about:"how long the tokens of new identities are good, as \"720h\"; without it for ever, as SpacetimeDB's are; with it those are refused that never expire"`

	// RememberTokens, InsecureQueryToken and MaxNameBytes are the settings of package
	// spacetime with these names.
	RememberTokens     bool `json:"remember_tokens" about:"true to give a token that bought a ticket back to clients that forget what they had"`
	InsecureQueryToken bool `json:"insecure_query_token" about:"true to accept whole tokens as ?token="`
	MaxNameBytes       int  `json:"max_name_bytes" about:"how long the names of issuers and subjects may be: 128 without it and with 0, as SpacetimeDB has it; -1 for as long as all else permits"`
}

// dir returns where the keys are. It may be called on nil.
func (c *localConfig) dir() string {
	if c == nil {
		return ""
	}
	return c.Dir
}

// Check implements [members.Checker].
func (c *localConfig) Check(report func(member, text string)) {
	if c.TokenLifetime.given && c.TokenLifetime.value < time.Second {
		report("token_lifetime", "want a second at least; leave it out for tokens that never expire")
	}
}

// localFlags are the flags about tokens of the server's own.
type localFlags struct {
	dir     string
	url     string
	origins list
}

// register defines the flags of serve.
func (f *localFlags) register(flags *flag.FlagSet) {
	flags.StringVar(&f.dir, "local-issuer", "", "issue tokens with the keys in this `DIRECTORY`, which is created if missing, and serve SpacetimeDB's routes; read above what it means")
	flags.StringVar(&f.url, "local-issuer-url", "", "the `NAME` of that issuer, the \"iss\" of its tokens; without it the directory's, or "+defaultLocalURL+" for a new one")
	flags.Var(&f.origins, "allow-origin", "let pages of this `ORIGIN`, such as https://app.example.com, use SpacetimeDB's routes, * for all; may be repeated; this server's own pages may without it, if they are at an IP address, at localhost or at --resource")
}

// apply writes what the flags say into the configuration of the file.
func (f *localFlags) apply(file *fileConfig) error {
	if file.LocalIssuer == nil && f.dir != "" {
		file.LocalIssuer = new(localConfig)
	}
	local := file.LocalIssuer
	if local == nil {
		if f.url != "" || len(f.origins) > 0 {
			return usagef("--local-issuer-url and --allow-origin have no effect without --local-issuer, or \"local_issuer\" in the file")
		}
		return nil
	}
	local.Dir = firstOf(f.dir, local.Dir)
	local.URL = firstOf(f.url, local.URL)
	if len(f.origins) > 0 {
		local.AllowOrigins = slices.Clone(f.origins)
	}
	if local.Dir == "" {
		return usagef("no directory for the file's \"local_issuer\": give \"dir\" in it, or --local-issuer")
	}
	for _, text := range local.AllowOrigins {
		if !isOrigin(text) {
			return usagef("allowed origin %s: want scheme and host as a browser sends them, such as https://app.example.com, or *", quoteArgument(text))
		}
	}
	return nil
}

// isOrigin reports whether a page can have this origin, or whether it stands for
// all. Anything else would be compared with what browsers send, in vain.
func isOrigin(text string) bool { return text == "*" || origin.Check(text) == nil }

// open opens the directory, with new keys in it if it has none, and adds the
// issuer to the library's configuration. A nil localConfig adds none.
func (c *localConfig) open(cfg *oidcauth.Config) (*localissuer.Issuer, error) {
	if c == nil {
		return nil, nil
	}
	l, err := c.issuer(c.URL, cfg.Logger)
	if c.URL == "" && errors.Is(err, fs.ErrNotExist) {
		l, err = c.issuer(defaultLocalURL, cfg.Logger)
	}
	if err != nil {
		return nil, err
	}
	cfg.Issuers = append(cfg.Issuers, l.Issuer())
	return l, nil
}

// openExisting is open for a command that only reads: without keys it fails.
func (c *localConfig) openExisting(cfg *oidcauth.Config) (*localissuer.Issuer, error) {
	if c == nil {
		return nil, nil
	}
	l, err := c.openIfThere(cfg)
	if l == nil && err == nil {
		return nil, fmt.Errorf("no keys in %s: \"oidcauth serve\" makes them when it starts", c.Dir)
	}
	return l, err
}

// openIfThere is openExisting, and no error but nil without keys.
func (c *localConfig) openIfThere(cfg *oidcauth.Config) (*localissuer.Issuer, error) {
	if c == nil {
		return nil, nil
	}
	like := c.config("", cfg.Logger)
	like.ReadOnly = true
	l, err := localissuer.New(like)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case c.URL != "" && c.URL != l.URL():
		defer l.Close()
		return nil, fmt.Errorf("the keys in %s are those of issuer %q, want %q", c.Dir, l.URL(), c.URL)
	}
	cfg.Issuers = append(cfg.Issuers, l.Issuer())
	return l, nil
}

// standIn adds, for a check, an issuer like the one that a start opens, or makes if it can:
// with a key that is kept nowhere, since what a start issues would be noted in the directory.
// Where nobody can see the name of its issuer it is the one that a rule demands beside those
// that are described: at most one can be right.
func (c *localConfig) standIn(cfg *oidcauth.Config, forward *forwardConfig) (*localissuer.Issuer, error) {
	if c == nil {
		return nil, nil
	}
	name, err := c.nameThere()
	if c.URL == "" && c.isOthers() {
		name = firstOf(forward.firstUnknown(cfg), name)
	}
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	like := c.config(name, cfg.Logger)
	like.Dir, like.Signer = "", key
	l, err := localissuer.New(like)
	if err == nil {
		cfg.Issuers = append(cfg.Issuers, l.Issuer())
	}
	return l, err
}

// isOthers reports whether the directory is one that this user may not look into: a person
// may ask on behalf of the server's user, who may be root. It may be called on nil.
func (c *localConfig) isOthers() bool {
	if c.dir() == "" {
		return false
	}
	info, err := os.Lstat(c.Dir)
	if err == nil && info.IsDir() {
		if err = disk.CheckPrivate(info); err == nil && opensForOwner(info) {
			_, err = os.ReadDir(c.Dir)
		}
	}
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, disk.ErrOtherUser)
}

// opensForOwner reports whether a directory is open to its owner: who may not look into it
// then is somebody else.
func opensForOwner(info fs.FileInfo) bool { return info.Mode().Perm()&0o700 == 0o700 }

// nameThere returns the name of the issuer whose keys are in the directory, or for which a
// start would make some.
func (c *localConfig) nameThere() (string, error) {
	if c.isOthers() {
		return firstOf(c.URL, defaultLocalURL), nil
	}
	l, err := c.openIfThere(new(oidcauth.Config))
	if err != nil {
		return "", err
	}
	if l != nil {
		return l.URL(), l.Close()
	}
	if err := keyring.CheckNew(c.Dir); err != nil {
		return "", fmt.Errorf("local_issuer.dir: %w", err)
	}
	return firstOf(c.URL, defaultLocalURL), nil
}

// issuer opens the directory under the given name; empty means the directory's
// own, and that nothing is created.
func (c *localConfig) issuer(name string, logger *slog.Logger) (*localissuer.Issuer, error) {
	return localissuer.New(c.config(name, logger))
}

// config is that of the issuer under the given name.
func (c *localConfig) config(name string, logger *slog.Logger) localissuer.Config {
	audiences := slices.Clone(c.Audiences)
	if !slices.Contains(audiences, spacetimeAudience) {
		audiences = append(audiences, spacetimeAudience)
	}
	return localissuer.Config{
		URL: name, Dir: c.Dir, Audiences: audiences, Logger: logger,
		NoExpiry: !c.TokenLifetime.given, Lifetime: c.TokenLifetime.value,
	}
}

// localRoutes are what a server with a local issuer serves.
type localRoutes struct {
	issuer    *localissuer.Issuer
	spacetime *spacetime.Server
}

// newLocalRoutes prepares the routes, for pages of further origins too.
func newLocalRoutes(s *server, l *localissuer.Issuer, c *localConfig, origins []string) (*localRoutes, error) {
	server, err := spacetime.New(spacetime.Config{
		Auth: s.auth, Local: l, Anonymous: true, NoExpiry: !c.TokenLifetime.given, Logger: s.log,
		Origins: append(origins, c.AllowOrigins...), Database: c.database(),
		RememberTokens: c.RememberTokens, InsecureQueryToken: c.InsecureQueryToken, MaxNameBytes: c.MaxNameBytes,
	})
	return &localRoutes{l, server}, err
}

// database returns what decides which databases there are; nil if all are.
func (c *localConfig) database() func(context.Context, string) error {
	if c.Databases == nil {
		return nil
	}
	return func(_ context.Context, name string) error {
		if !slices.Contains(c.Databases, name) {
			return spacetime.ErrNoDatabase
		}
		return nil
	}
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
	for _, document := range []string{"/.well-known/openid-configuration", "/.well-known/jwks.json"} {
		routes = append(routes, route{"GET " + issuerPath(l.issuer.URL()) + document, http.Handler(l.issuer.Handler())})
	}
	return routes
}

// issuerPath returns the path below which an issuer's documents are: none for a
// name that is no address, or whose path no request can have.
func issuerPath(name string) string {
	u, err := url.Parse(name)
	if err != nil || u.Host == "" || strings.ContainsAny(u.Path, "{}") {
		return ""
	}
	below := strings.TrimSuffix(u.Path, "/")
	if document := below + "/x"; path.Clean(document) != document {
		return ""
	}
	return below
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
