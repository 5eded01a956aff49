// Package provider runs an OpenID Provider in this process, for the examples
// and their tests.
//
// The protocol is that of github.com/zitadel/oidc/v3/pkg/op, a certified
// implementation: discovery, authorization code with PKCE, client credentials,
// refresh tokens, end of session. What this package adds is what such a
// provider leaves to its operator: clients, users, a login page, grants and a
// ring of signing keys, all kept in memory.
//
// It is made to be broken on purpose. [Provider.Rotate] changes the signing
// key, [Provider.Withdraw] takes the earlier ones back, and [Provider.Stop] and
// [Provider.Resume] are an outage at an address that stays the same. It listens
// on plain http and knows its passwords in clear: it is no provider for
// production.
package provider

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Config says what a provider is made of. The zero value is a provider that
// knows nobody.
type Config struct {
	// Addr is where it listens; empty means a free port of 127.0.0.1.
	Addr string
	// Algorithm signs the tokens: [jose.ES256] or [jose.RS256]; empty means
	// ES256.
	Algorithm jose.SignatureAlgorithm
	// Clients may ask for tokens; nobody else may.
	Clients []Client
	// Users may sign in.
	Users []User
}

// Provider is a running OpenID Provider. Its methods are safe for concurrent
// use.
type Provider struct {
	addr    string
	issuer  string
	keys    *keyRing
	storage *storage
	op      *op.Provider
	handler http.Handler

	mu     sync.Mutex // guards server
	server *http.Server
}

// Start listens and serves until ctx ends or [Provider.Stop] is called.
func Start(ctx context.Context, cfg Config) (*Provider, error) {
	addr := cfg.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	p, err := newProvider(listener.Addr().String(), cfg)
	if err != nil {
		listener.Close()
		return nil, err
	}
	p.serve(listener)
	context.AfterFunc(ctx, p.Stop)
	return p, nil
}

func newProvider(addr string, cfg Config) (*Provider, error) {
	keys, err := newKeyRing(cfg.Algorithm)
	if err != nil {
		return nil, err
	}
	store, err := newStorage(cfg, keys)
	if err != nil {
		return nil, err
	}
	p := &Provider{addr: addr, issuer: "http://" + addr, keys: keys, storage: store}

	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	config := &op.Config{
		CodeMethodS256:           true,
		AuthMethodPost:           true,
		GrantTypeRefreshToken:    true,
		DefaultLogoutRedirectURI: "/signed-out",

		BackChannelLogoutSupported:        true,
		BackChannelLogoutSessionSupported: true,
	}
	crypto := &accessTokens{
		Crypto:  op.NewAES256GCMCrypto(secret, "codes"),
		issuer:  p.issuer,
		storage: store,
		keys:    keys,
	}
	p.op, err = op.NewProvider(config, store, op.StaticIssuer(p.issuer), op.WithAllowInsecure(), op.WithCrypto(crypto))
	if err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	p.handler = p.routes()
	return p, nil
}

// Issuer returns the issuer URL, which stays the same through Stop and Resume.
func (p *Provider) Issuer() string { return p.issuer }

// TokenURL returns the address of the token endpoint.
func (p *Provider) TokenURL() string { return p.op.TokenEndpoint().Absolute(p.issuer) }

// SignOutURL returns the address that ends the login that an ID token is of. From
// there the browser goes on to next, one of the client's PostLogoutRedirectURIs; empty
// means that it stays.
func (p *Provider) SignOutURL(idToken, next string) string {
	query := url.Values{"id_token_hint": {idToken}}
	if next != "" {
		query.Set("post_logout_redirect_uri", next)
	}
	return p.op.EndSessionEndpoint().Absolute(p.issuer) + "?" + query.Encode()
}

// Rotate makes a new signing key, publishes it and signs with it from now on;
// the earlier keys stay published, so their tokens stay good. It returns the
// ID of the new key.
func (p *Provider) Rotate() (keyID string, err error) { return p.keys.rotate() }

// Withdraw takes every key but the one in use out of the published set, as an
// operator does when a key has leaked: tokens signed by them are no longer
// good.
func (p *Provider) Withdraw() { p.keys.withdraw() }

// Stop ends the service at once, with every connection, and keeps what it
// knows: an outage. Stopping twice is fine.
func (p *Provider) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		p.server.Close()
		p.server = nil
	}
}

// Resume serves again, at the same address, after Stop. While nobody listened there the
// port was anybody's: it waits a while for whoever has it.
func (p *Provider) Resume() error {
	for limit := time.Now().Add(resumeWait); ; time.Sleep(resumePause) {
		listener, err := net.Listen("tcp", p.addr)
		if err == nil {
			p.serve(listener)
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("provider: %w", err)
		}
	}
}

// How long Resume waits for its port, and how often it looks.
const (
	resumeWait  = 10 * time.Second
	resumePause = 20 * time.Millisecond
)

// serve starts the server's goroutine, which Stop ends.
func (p *Provider) serve(listener net.Listener) {
	server := &http.Server{Handler: p.handler, ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	p.mu.Lock()
	p.server = server
	p.mu.Unlock()
	go func() {
		// Whatever ends it beside Stop, its clients are the ones to notice.
		_ = server.Serve(listener)
	}()
}

// routes adds the login page to the protocol's own endpoints.
func (p *Provider) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", p.showLogin)
	mux.HandleFunc("POST /login", p.acceptLogin)
	mux.HandleFunc("GET /signed-out", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "signed out")
	})
	mux.Handle("/", p.op)
	return mux
}
