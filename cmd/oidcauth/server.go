package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
)

// Limits of the HTTP server. A request has no body that anybody reads, so only
// its header needs time; an answer may have to wait for an issuer's keys.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	headerBytes    = 32 << 10
	mostTokenBytes = 1 << 30 // as more counts for the library; an int may hold hardly more
	readyWait      = 2 * time.Second
)

// server answers the routes of "oidcauth serve".
type server struct {
	auth         *oidcauth.Authenticator
	live         atomic.Pointer[live]
	reloads      reloads
	certificate  certificate
	admin        *admin             // nil without a listener for operators
	revocations  *sharedRevocations // nil if they are not shared
	keeps        bool               // revocations hold after a restart
	keepsWaiting bool               // so do those that wait to be shared
	metadata     *metadata          // nil when there is none to serve
	local        *localRoutes       // nil without a local issuer
	forward      forwarding         // answers proxies
	proofs       *dpop.Verifier     // nil if none is taken
	metrics      *metrics
	log          *slog.Logger
	headerBytes  int
	logout       bool               // takes logout tokens from everybody
	gate         gate               // of all requests
	waiting      waiting            // of those who ask whether it is ready
	stopWarming  context.CancelFunc // of warmUp
}

// newServer returns a server for an address that clients know as resource;
// empty means that they get no metadata. It does not use the network.
func newServer(cfg oidcauth.Config, file *fileConfig, resource string) (*server, error) {
	s := &server{
		metrics:      newMetrics(countedIssuers(cfg)),
		log:          cfg.Logger,
		headerBytes:  headerBytes + min(max(cfg.MaxTokenBytes, 0), mostTokenBytes),
		logout:       file.BackchannelLogout,
		proofs:       cfg.DPoP,
		keeps:        cfg.Revocations != nil || cfg.RevocationDir != "",
		keepsWaiting: cfg.RevocationDir != "",
	}
	s.live.Store(newLive(cfg, file))
	s.reloads.started()
	s.metrics.more = append(s.metrics.more, s.reloads.write, s.certificate.write)
	pair, err := file.TLS.read()
	if err != nil {
		return nil, err
	}
	s.certificate.clientAuth = file.clientAuth()
	s.certificate.pair.Store(pair)
	if resource != "" {
		if s.metadata, err = newMetadata(resource); err != nil {
			return nil, err
		}
		s.metadata.ProofAlgorithms, s.metadata.Certificates = cfg.DPoP.Algorithms(), cfg.Certificate != nil
		cfg.ResourceMetadataURL = s.metadata.url
	}
	cfg.Trace = s.metrics.trace()
	forward, err := file.Forward.forwarder(file, cfg)
	if err != nil {
		return nil, err
	}
	s.forward.put(forward)
	if s.auth, err = oidcauth.New(cfg); err != nil {
		return nil, err
	}
	s.metrics.observed.watch(s.auth, s.live.Load)
	return s, nil
}

// addresses returns the issuers that a client can go to. A local issuer's name need not be
// an address, and a template is none.
func addresses(issuers []string) []string {
	return slices.DeleteFunc(slices.Clone(issuers), func(name string) bool {
		return !strings.HasPrefix(name, "https://") && !strings.HasPrefix(name, "http://") || strings.Contains(name, "{")
	})
}

// countedIssuers returns the issuers whose fetches are counted one by one, and
// the name under which those of strangers are.
func countedIssuers(cfg oidcauth.Config) []string {
	issuers := issuerURLs(cfg.Issuers)
	if cfg.AnyIssuer != nil {
		issuers = append(issuers, otherLabel)
	}
	return issuers
}

// route is a pattern of [http.ServeMux] and what answers it.
type route struct {
	pattern string
	handler http.Handler
}

// routes returns everything that is served. A pattern without a method stands
// for all; with one, another method is answered 405.
func (s *server) routes() []route {
	routes := []route{
		{"GET /v1/whoami", s.authenticated(whoami)},
		{"GET /healthz", http.HandlerFunc(healthz)},
		{"GET /readyz", http.HandlerFunc(s.readyz)},
	}
	if s.admin == nil {
		routes = append(routes, route{"GET /metrics", s.metrics})
	}
	if s.logout {
		routes = append(routes, route{"POST " + logoutPath, s.auth.LogoutHandler()})
	}
	routes = append(routes, s.forwardRoutes()...)
	routes = append(routes, s.local.routes()...)
	if s.metadata != nil {
		routes = append(routes, route{"GET " + s.metadata.path, http.HandlerFunc(s.serveMetadata)})
	}
	return routes
}

// checkRoutes reports two documents at one path, of which the one follows the address of
// the server and the other the name of the local issuer.
func (s *server) checkRoutes() error {
	known := make(map[string]bool)
	for _, route := range s.routes() {
		if known[route.pattern] {
			return usagef(`"resource" and the "url" of "local_issuer" both have a document at %s: want others`, routeOf(route.pattern))
		}
		known[route.pattern] = true
	}
	return nil
}

// handler answers every request, and counts it.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	var paths []string
	for _, route := range s.routes() {
		mux.Handle(route.pattern, route.handler)
		paths = append(paths, routeOf(route.pattern))
	}
	return s.metrics.countRequests(s.untilStopped(s.aboveMux(mux)), paths)
}

// authenticated lets requests with an accepted token pass to next, as the
// library's own middleware does, and counts how each fared.
func (s *server) authenticated(next func(http.ResponseWriter, *http.Request, *oidcauth.Claims)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := s.auth.AuthenticateRequest(r)
		s.metrics.countOutcome(err)
		if err != nil {
			s.auth.Refuse(w, r, err)
			return
		}
		s.offerNonce(w.Header(), claims)
		next(w, r, claims)
	})
}

// accept answers requests on the connections of ln, encrypted if there is a certificate.
func (s *server) accept(srv *http.Server, ln net.Listener) error {
	if srv.TLSConfig = s.certificate.config(); srv.TLSConfig != nil {
		return srv.ServeTLS(ln, "", "")
	}
	return srv.Serve(ln)
}

// serve answers requests until ctx ends, then finishes those it has. Meanwhile reload
// runs, which ends with ctx.
func (s *server) serve(ctx context.Context, ln net.Listener, reload func(context.Context)) error {
	srv := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    s.headerBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 2)
	if s.admin != nil {
		go func() { failed <- s.admin.serve() }() // ends with its listener
		defer s.admin.close()
	}
	go func() { failed <- s.accept(srv, ln) }() // ends with shutDown, if not before
	s.warmUp(ctx)
	go reload(ctx)
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = s.stop(srv, ln, stopGrace)
	}
	return errors.Join(err, s.auth.Close())
}

// warmUp asks every issuer for its keys, so that the first token of each need
// not wait for them. It ends with ctx, or when it is called again, after a reload; the
// library goes on asking those that did not answer.
func (s *server) warmUp(ctx context.Context) {
	if s.stopWarming != nil {
		s.stopWarming()
	}
	ctx, s.stopWarming = context.WithCancel(ctx)
	go func() {
		_ = s.auth.Ready(ctx) // which may be about revocations, too
		if ctx.Err() == nil && len(s.auth.Unready()) == 0 {
			s.log.Info("the keys of every issuer are in hand", "issuers", len(s.live.Load().issuers))
		}
	}()
}

// writeJSON answers with a JSON body that nobody may store.
func writeJSON(w http.ResponseWriter, status int, body any) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	// The only error left is that of a client that has gone.
	_ = enc.Encode(body)
}
