package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
)

const maxBody = 64 << 10

// Server lets callers in by HTTP and WebSocket.
//
//	POST /v1/call/{reducer}     arguments in the body
//	GET  /v1/view/{view}
//	POST /v1/run/{procedure}    arguments in the body
//	GET  /v1/connect            WebSocket, subprotocol "messages.v1"
//	POST /v1/logout             OpenID Connect Back-Channel Logout
//	GET  /readyz                503 until every issuer's keys are in hand
type Server struct {
	// WarnBefore is how long before its token expires a WebSocket client is told
	// so. Zero means that clients, who know when their tokens expire, are not
	// told. Set it before the first request.
	WarnBefore time.Duration

	db      *Database
	auth    *oidcauth.Authenticator
	logger  *slog.Logger
	sockets sync.WaitGroup
}

// NewServer returns a server of db for the callers that auth knows. The logger
// gets a line for each request; nil means no logging.
func NewServer(db *Database, auth *oidcauth.Authenticator, logger *slog.Logger) *Server {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Server{db: db, auth: auth, logger: logger}
}

// Wait returns when the last WebSocket has been told why it ends. An HTTP server
// neither ends them nor waits for them when it shuts down: end its base context
// first.
func (s *Server) Wait() { s.sockets.Wait() }

// Handler returns the routes. Callers without a token pass, since there are
// public views; each function decides what it demands.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/call/{name}", s.answer(func(r *http.Request, args json.RawMessage) (any, error) {
		return s.db.Call(r.Context(), r.PathValue("name"), args)
	}))
	mux.HandleFunc("GET /v1/view/{name}", s.answer(func(r *http.Request, _ json.RawMessage) (any, error) {
		return s.db.View(r.Context(), r.PathValue("name"))
	}))
	mux.HandleFunc("POST /v1/run/{name}", s.answer(func(r *http.Request, args json.RawMessage) (any, error) {
		return s.db.Run(r.Context(), r.PathValue("name"), args)
	}))
	mux.HandleFunc("GET /v1/connect", s.connect)

	outer := http.NewServeMux()
	outer.HandleFunc("GET /readyz", s.ready)
	outer.Handle("/v1/logout", s.auth.LogoutHandler())
	outer.Handle("/", s.auth.Optional(s.log(s.admit(mux))))
	return outer
}

// admit runs the database's own check of callers before every route, so that no
// way in goes round it.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.db.Connect(r.Context()); err != nil {
			s.auth.Refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// answer turns a function of the database into a handler.
func (s *Server) answer(invoke func(*http.Request, json.RawMessage) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		args, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			r.SetPathValue("name", "") // not for the log: there may be no such function
			writeFault(w, faultOf(fmt.Errorf("%w: %w", ErrArguments, err)))
			return
		}
		result, err := invoke(r, args)
		switch {
		case err == nil:
			writeJSON(w, http.StatusOK, map[string]any{"result": result})
		case errors.Is(err, oidcauth.ErrNoToken), errors.Is(err, oidcauth.ErrForbidden):
			s.auth.Refuse(w, r, err)
		default:
			s.report(r.Context(), err)
			writeFault(w, faultOf(err))
		}
	}
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.auth.Ready(r.Context()); err != nil {
		s.auth.Refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"result": "ready"})
}

// fault is what a caller is told about an error.
type fault struct {
	Status      int    `json:"-"`
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func faultOf(err error) fault {
	switch {
	case errors.Is(err, ErrNoFunction):
		return fault{http.StatusNotFound, "not_found", err.Error()}
	case errors.Is(err, ErrArguments):
		return fault{http.StatusBadRequest, "invalid_arguments", err.Error()}
	}
	status, code, description := oidcauth.Answer(err)
	return fault{status, code, description}
}

// report logs errors that are the server's own.
func (s *Server) report(ctx context.Context, err error) {
	if faultOf(err).Status == http.StatusInternalServerError {
		s.logger.LogAttrs(ctx, slog.LevelError, "function failed", slog.String("reason", err.Error()))
	}
}

func writeFault(w http.ResponseWriter, f fault) { writeJSON(w, f.Status, f) }

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The only error left is a caller that went away.
	_ = json.NewEncoder(w).Encode(body)
}

// log writes a line for each request that got past the authenticator, which
// logs the others itself. Nothing in the line is of the client's choice: in an
// address or a header may be what a careless client put there, a token for
// instance.
func (s *Server) log(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		function := r.PathValue("name")
		if recorder.status == http.StatusNotFound {
			function = ""
		}
		s.logger.LogAttrs(r.Context(), slog.LevelInfo, "request",
			slog.String("route", r.Pattern),
			slog.String("function", function),
			slog.Int("status", recorder.status),
			slog.String("caller", callerName(r.Context())),
			slog.Duration("took", time.Since(began)))
	})
}

func callerName(ctx context.Context) string {
	if claims, ok := oidcauth.FromContext(ctx); ok {
		return claims.Identity().String()
	}
	return "nobody"
}

// statusRecorder remembers the status that a handler wrote.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets the WebSocket take over the connection.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
