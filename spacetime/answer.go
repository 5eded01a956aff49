package spacetime

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/reply"
)

// ErrNoDatabase is what [Config.Database] returns where there is no database of
// that name. HTTP status 404.
var ErrNoDatabase = errors.New("spacetime: no such database")

// An answer is a refusal of this package's own, or a failure, in the form of those of
// [oidcauth.Authenticator.Refuse], which logs its own.
type answer struct {
	status  int
	code    string
	text    string            // for the caller
	headers map[string]string // beside those of every refusal
	reason  error             // for the log
}

func (a *answer) Error() string { return a.reason.Error() }

// malformed is a refusal of the request, with status 400.
func malformed(got, want string) error {
	return &oidcauth.Refusal{Check: "request", Got: got, Want: want, Err: oidcauth.ErrMalformedRequest}
}

// refuse answers a request that err stands against.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrNoDatabase):
		err = &answer{status: http.StatusNotFound, code: "not_found", text: "there is no such database", reason: err}
	case errors.Is(err, errOwnRevoked):
		err = &answer{status: http.StatusServiceUnavailable, code: "temporarily_unavailable", text: "nobody can be given an identity at present",
			headers: map[string]string{"Retry-After": "5"}, reason: err}
	}
	if own, ok := errors.AsType[*answer](err); ok {
		s.answer(w, r, own)
		return
	}
	if status, code, text := oidcauth.Answer(err); status == http.StatusInternalServerError {
		s.answer(w, r, &answer{status: status, code: code, text: text, reason: err})
		return
	}
	s.cfg.Auth.Refuse(w, r, err)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, a *answer) {
	level, line := slog.LevelInfo, "request refused"
	if a.status >= http.StatusInternalServerError {
		level, line = slog.LevelError, "request failed"
	}
	s.cfg.Logger.LogAttrs(r.Context(), level, line, append([]slog.Attr{
		slog.Int("status", a.status), slog.String("reason", a.reason.Error()),
	}, reply.Attrs(r, netip.Addr{})...)...) // who is behind a proxy is not known here
	for name, value := range a.headers {
		w.Header().Set(name, value)
	}
	writeJSON(w, r, a.status, map[string]string{"error": a.code, "error_description": a.text})
}

// writeJSON answers with a body that nobody may store.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		json.NewEncoder(w).Encode(body)
	}
}
