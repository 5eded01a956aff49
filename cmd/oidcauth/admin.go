package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/refusal"
	requestlog "github.com/oidcauth/oidcauth/internal/reply"
)

// An admin answers on the admin listener: what is for operators and machines, and for
// nobody's browser.
type admin struct {
	server *server
	config *adminConfig
	ln     net.Listener
	srv    *http.Server
	secret atomic.Pointer[listenerSecret] // nil if there is none
	rule   oidcauth.Rule                  // of claims; nil if no token is good enough
}

// newAdmin prepares the admin listener, which open opens; a nil config has none.
func newAdmin(s *server, c *adminConfig) (*admin, error) {
	if c == nil {
		return nil, nil
	}
	a := &admin{server: s, config: c}
	secret, err := c.readSecret()
	if err != nil {
		return nil, usageError{err}
	}
	a.setSecret(secret)
	if c.Bearer != nil {
		a.rule = c.Bearer.rule()
	}
	a.srv = &http.Server{
		Handler:           a.handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    s.headerBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	return a, nil
}

// open opens the listener. It may be called on nil.
func (a *admin) open(ctx context.Context) (err error) {
	if a != nil {
		a.ln, err = a.config.listen(ctx)
	}
	return err
}

// setSecret puts another secret in the place of that of before. It may be called on nil.
func (a *admin) setSecret(secret []byte) {
	if a == nil {
		return
	}
	var next *listenerSecret
	if secret != nil {
		next = &listenerSecret{string(secret), sha256.Sum256(secret)}
	}
	a.secret.Store(next)
}

// listen opens the address, or the socket, which the process's user alone can use.
func (c *adminConfig) listen(ctx context.Context) (net.Listener, error) {
	path, isSocket := strings.CutPrefix(c.addr(), unixPrefix)
	if !isSocket {
		ln, err := listenOn(ctx, c.addr())
		if err != nil {
			return nil, fmt.Errorf("admin.addr: %w", err)
		}
		if tcp, ok := ln.Addr().(*net.TCPAddr); c.isLocal() && (!ok || !tcp.IP.IsLoopback()) {
			ln.Close()
			return nil, usagef("admin.addr: localhost is %s here, which other machines may reach: write 127.0.0.1", ln.Addr())
		}
		return ln, nil
	}
	ln, err := listenAtSocket(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("admin.addr: %w", err)
	}
	return ln, nil
}

// serve answers requests until close.
func (a *admin) serve() error {
	a.server.log.Info("the admin listener is open", slog.String("addr", a.ln.Addr().String()))
	if a.config.isLocal() {
		return a.srv.Serve(a.ln)
	}
	a.srv.TLSConfig = a.server.certificate.config()
	return a.srv.ServeTLS(a.ln, "", "")
}

// stop finishes the answers under way, like [shutDown]. It may be called on nil.
func (a *admin) stop(ctx context.Context, limit time.Duration) error {
	if a == nil {
		return nil
	}
	return shutDown(ctx, a.srv, limit)
}

// close ends the listener and its connections.
func (a *admin) close() {
	a.ln.Close() // if serve has not begun
	a.srv.Close()
}

// handler answers the routes of the admin listener. Those that need no secret tell
// nothing, or have a signature of their own.
func (a *admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", a.server.readyz)
	mux.Handle("POST "+logoutPath, a.server.auth.LogoutHandler())
	if a.config.OpenMetrics {
		mux.Handle("GET /metrics", a.server.metrics)
	} else {
		mux.Handle("GET /metrics", a.authorized(a.server.metrics.ServeHTTP))
	}
	mux.Handle("POST /v1/revocations", a.authorized(a.revoke))
	return a.server.untilStopped(a.notForPages(mux))
}

// notForPages refuses what a page in somebody's browser sends, which can reach what no
// other machine does: what names its origin, and on the loopback interface what was
// sent to a name, since any name may be led there.
func (a *admin) notForPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		switch {
		case len(r.Header["Origin"]) > 0, site != "" && site != "none":
			writeJSON(w, http.StatusForbidden, apiError{"forbidden", "the admin listener is not for pages"})
		case a.isTCPLoopback() && !isLocalHost(r.Host):
			writeJSON(w, http.StatusMisdirectedRequest, apiError{"misdirected_request", "ask at the listener's address, or at localhost"})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isTCPLoopback reports whether the listener is at a port of the loopback interface.
func (a *admin) isTCPLoopback() bool {
	return a.config.isLocal() && !strings.HasPrefix(a.config.addr(), unixPrefix)
}

// isLocalHost reports whether the host of a request's address is this machine's own, or
// an address, which no name server had a say in. None is what a check by HTTP/1.0 sends,
// as HAProxy's does, and no browser.
func isLocalHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	return host == "" || host == "localhost" || net.ParseIP(host) != nil
}

// authorized lets requests pass that bring the secret, or a token of an admin.
func (a *admin) authorized(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := a.whoAsks(r)
		switch {
		case errors.Is(err, errSecret):
			a.refuseSecret(w, r)
			return
		case err != nil:
			a.server.auth.Refuse(w, r, err)
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), adminKey{}, who)))
	})
}

// adminKey is of the context's value that names the admin, for the log.
type adminKey struct{}

// whoAsks returns how the log names the sender of a request, who must be an admin. The
// token stands in the Authorization header, wherever else tokens may stand: no browser
// sends that by itself.
func (a *admin) whoAsks(r *http.Request) (string, error) {
	token, err := oidcauth.BearerToken(r)
	if err != nil {
		return "", err
	}
	secret := a.secret.Load()
	switch {
	case secret.is(token):
		return "the secret", nil
	case a.rule == nil, secret != nil && !a.isToken(token, secret):
		return "", errSecret
	case !a.isToken(token, secret):
		return "", refusal.New(refusal.Form, oidcauth.ErrMalformedToken, "an opaque token", "a JWT, or an opaque token of an admin's issuer")
	}
	claims, err := a.server.auth.Authenticate(a.server.auth.CallerContext(r), token)
	if err != nil {
		return "", err
	}
	if err := a.rule(claims); err != nil {
		return "", refusal.Because(refusal.Caller, oidcauth.ErrForbidden, err)
	}
	return claims.Issuer() + " " + claims.Subject(), nil
}

// errSecret is why a request is refused that brings no token, and another secret.
var errSecret = errors.New("the admin listener's secret is another one")

// refuseSecret says so to the sender and to the log, in the form of other refusals.
func (a *admin) refuseSecret(w http.ResponseWriter, r *http.Request) {
	client, _ := netip.ParseAddrPort(r.RemoteAddr)
	a.server.log.LogAttrs(r.Context(), slog.LevelInfo, "request refused", append([]slog.Attr{
		slog.Int("status", http.StatusUnauthorized), slog.String("reason", errSecret.Error()),
	}, requestlog.Attrs(r, client.Addr().Unmap())...)...)
	const description = "this is not the secret of the admin listener"
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token", error_description="`+description+`"`)
	writeJSON(w, http.StatusUnauthorized, apiError{"invalid_token", description})
}

// apiError is the body of an answer that is no success.
type apiError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// logoutPath is where issuers send logout tokens.
const logoutPath = "/v1/backchannel-logout"

// revokeTime bounds how long a revocation may take to be shared before it is answered.
const revokeTime = 10 * time.Second
