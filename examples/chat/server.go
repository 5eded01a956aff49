package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/realtime"
)

// leeway is how far the clocks of issuer and server may differ.
const leeway = 30 * time.Second

//go:embed page
var page embed.FS

// config says whom a server admits and where it keeps its tables.
type config struct {
	address  string // that browsers see: "http://127.0.0.1:8080"
	issuer   string
	clientID string
	secret   string        // empty for a client that keeps none
	insecure bool          // an issuer by http, on loopback
	path     string        // of the store
	warn     time.Duration // what is left of a token when its page is told to renew it
	client   *http.Client
	signOut  func(idToken, next string) (page string) // nil if the issuer has no page for it
	logger   *slog.Logger
}

// A server is the chat: the pages, the sign-in, the sockets and the database.
type server struct {
	auth     *oidcauth.Authenticator
	db       *realtime.DB
	signIn   *signIn
	issuers  []string
	places   places // of sockets and guests
	sockets  sockets
	guests   *guesthouse
	refusals refusals
	warn     time.Duration
	ping     time.Duration // between two questions whether a client is still there
	pong     time.Duration // for the answer
	logger   *slog.Logger
}

// newServer makes a server; ctx bounds what it asks the provider.
func newServer(ctx context.Context, cfg config) (*server, error) {
	s := &server{logger: cfg.logger, warn: cfg.warn, ping: pingInterval, pong: pongLimit}
	db, err := realtime.Open(cfg.path, newModule(func(ctx *realtime.ProcedureContext, a Account) error {
		return s.withdraw(ctx.Context(), a)
	}))
	if err != nil {
		return nil, err
	}
	s.db = db
	if err := s.authenticate(ctx, cfg); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if _, err := db.Call(realtime.Caller{Context: oidcauth.NewInternalContext(ctx)}, "start", nil); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// authenticate says whose tokens count, where in a request they are, and how people
// get them.
func (s *server) authenticate(ctx context.Context, cfg config) error {
	local, err := openLocal(cfg)
	if err != nil {
		return err
	}
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{
			// An ID token is for the client that people sign in with.
			{URL: cfg.issuer, Audiences: []string{cfg.clientID}, Keys: oidcauth.KeysFrom{InsecureHTTP: cfg.insecure}},
			local.Issuer(),
		},
		// A page's WebSocket comes with the cookie, and counts with this Origin
		// alone. Other clients send a header or a subprotocol.
		Extract: oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.SubprotocolToken, oidcauth.CookieToken(cookiesFor(cfg.address).named(tokenCookie), cfg.address)),
		Leeway:  leeway,
		Client:  cfg.client,
		Logger:  cfg.logger,
	})
	if err != nil {
		return errors.Join(err, local.Close())
	}
	s.auth, s.issuers = auth, []string{cfg.issuer, local.Issuer().URL}
	if s.guests, err = newGuesthouse(s, local, cfg); err == nil {
		err = s.offerSignIn(ctx, cfg)
	}
	if err != nil {
		return errors.Join(err, auth.Close(), local.Close())
	}
	return nil
}

// offerSignIn says where people get their tokens.
func (s *server) offerSignIn(ctx context.Context, cfg config) error {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, cfg.client), cfg.issuer)
	if err != nil {
		return err
	}
	s.signIn = &signIn{
		auth: s.auth, client: cfg.client, cookies: cookiesFor(cfg.address),
		oauth: oauth2.Config{
			ClientID: cfg.clientID, ClientSecret: cfg.secret, RedirectURL: cfg.address + "/callback",
			Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, oidc.ScopeOfflineAccess, "profile"},
		},
		refused: s.refuse, failed: s.signInFailed, warn: cfg.warn, renewed: s.renewSockets, ended: s.endSockets, signOut: cfg.signOut, home: cfg.address + "/",
	}
	return nil
}

// close ends all sockets, tells their clients, and closes the store. The HTTP server
// has stopped accepting by then.
func (s *server) close() error {
	s.sockets.stop()
	return errors.Join(s.guests.close(), s.auth.Close(), s.db.Close())
}

// handler returns the routes.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", s.signIn.begin)
	mux.HandleFunc("GET /callback", s.signIn.callback)
	mux.HandleFunc("POST /renew", s.signIn.renew)
	mux.HandleFunc("POST /logout", s.signIn.end)
	mux.HandleFunc("GET "+signedOutPath, s.signIn.leave)
	mux.Handle("POST /backchannel-logout", s.backChannelLogout())
	mux.HandleFunc("GET /socket", s.identify(s.connect))
	mux.HandleFunc("GET /operator/state", s.identify(s.operate(s.operatorState)))
	mux.HandleFunc("POST /operator/revoke", s.identify(s.operate(s.revoke)))
	s.guests.mount(mux)
	files, _ := fs.Sub(page, "page")
	mux.Handle("GET /", secureHeaders(http.FileServerFS(files)))
	// A page elsewhere can make a browser send cookies with a POST, and not these.
	return http.NewCrossOriginProtection().Handler(mux)
}

// identify lets a request pass with an accepted token. It is Middleware that counts
// what it refuses, and that takes a browser's token for as long as its login lasts: the
// token alone would outlive a sign-out whose answer did not reach the browser.
func (s *server) identify(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		byCookie := s.signIn.cookies.has(r, tokenCookie) // before it is taken out
		claims, err := s.auth.AuthenticateRequest(r)
		if err == nil && byCookie {
			err = s.signIn.hasLogin(r, claims)
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		next(w, r.WithContext(oidcauth.NewContext(s.auth.CallerContext(r), claims)))
	}
}

func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.refusals.count(err, time.Now())
	s.auth.Refuse(w, r, err)
}

func (s *server) signInFailed(r *http.Request, err error) {
	s.refusals.count(err, time.Now())
	s.logger.InfoContext(r.Context(), "sign-in failed", "reason", err)
}

// withdraw ends what an account has at present, by the issuer's clock, which may be
// ahead by the leeway.
func (s *server) withdraw(ctx context.Context, a Account) error {
	err := s.auth.Revoke(ctx, oidcauth.Revocation{
		Issuer: a.Issuer, Subject: a.Subject, IssuedBefore: time.Now().Add(leeway),
	})
	s.signIn.withdrawn(a.Issuer, a.Subject) // a refresh token would get others, later
	return err
}

// renewSockets puts a browser's open sockets under its new token. One that has ended,
// and whose client has yet to be told, is no matter.
func (s *server) renewSockets(login, token string) error {
	var refused error
	for _, k := range s.sockets.of(login) {
		if err := k.renew(k.session.CallContext(), token); err != nil && k.closed.Err() == nil {
			refused = errors.Join(refused, err)
		}
	}
	return refused
}

// endSockets ends the sockets that a login has opened when it ends.
func (s *server) endSockets(login string, why error) {
	for _, k := range s.sockets.of(login) {
		k.signedOut(why)
	}
}

// secureHeaders lets a page run its own script and nothing else.
func secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

// answerOf says what a client is told about an error.
func answerOf(err error) (status int, code, description string) {
	switch {
	case errors.Is(err, realtime.ErrNoFunction):
		return http.StatusNotFound, "not_found", err.Error()
	case errors.Is(err, realtime.ErrArguments):
		return http.StatusBadRequest, "invalid_arguments", err.Error()
	}
	return oidcauth.Answer(err)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the only error left is a client that went away
}
