// Package guard refuses the requests whose handlers forget to say who may.
package guard

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/asked"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Handler returns a handler that lets next answer a request once that has asked
// [oidcauth.Require], which passed, or has said that the route is [Public], with the
// request's context or one made of it. Nothing
// of an answer leaves the server before: the header is held back, and the first byte
// of a body, a flush, an upgrade of the connection (http.Hijacker) or the end of the
// handler without either makes it 403 with [oidcauth.ErrForbidden], whatever next
// meant to answer. What next writes then is dropped, with an error.
//
// A caller whom Require or [oidcauth.Authenticator.Refuse] has refused gets the
// status that next then writes if that is 400 or more, and else 403 too: to ask and
// not to listen is to forget. Where a protocol has refusals of its own under the status
// 200, as gRPC and GraphQL do, say Public, and have each call judge for itself.
//
// Each such request is logged as an error with its route, since it is a mistake in
// the program; a nil logger logs nothing beside what auth does. A route that does
// not exist is no exception: have one for "/" that is public and answers 404.
//
// Put Handler directly around a [http.ServeMux], inside
// [oidcauth.Authenticator.Middleware]: it then knows the route by its pattern, and
// further out by method and path. It guards requests: what arrives on a connection after an upgrade is for
// its handler to judge, message by message. It is against forgetting, and no wall
// against a handler that takes the writer apart by its Unwrap method, which is there
// for [http.ResponseController].
//
// A library that wants interfaces of its own of the writer gets, behind Require, what
// Unwrap returns: that of WebTransport panics where it is given the one of the guard.
//
// Handler panics where next is nil.
func Handler(auth *oidcauth.Authenticator, logger *slog.Logger, next http.Handler) http.Handler {
	mustServe(next)
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.From(r.Context()) != nil {
			next.ServeHTTP(w, r) // guarded already
			return
		}
		note := new(asked.Note)
		r = r.WithContext(asked.NewContext(r.Context(), note))
		held := &writer{under: w, ctx: r.Context(), note: note, header: w.Header().Clone()}
		held.forbid = func(what string) {
			route := r.Pattern
			if route == "" {
				route = r.Method + " " + r.URL.Path
			}
			fault, want := mistake(note)
			logger.LogAttrs(r.Context(), slog.LevelError, fault, slog.String("route", refusal.Quote(route)), slog.String("did", what))
			auth.Refuse(w, r, refusal.New(refusal.Caller, oidcauth.ErrForbidden, "route "+refusal.Quote(route)+" that "+what, want))
		}
		next.ServeHTTP(held, r)
		held.end()
	})
}

// mistake says what a handler has done wrong whose answer is held back, and what to do.
func mistake(note *asked.Note) (fault, want string) {
	if note.Refused() {
		return "a route answers a caller whom it has refused: not with a status of 400 or more", "a status that refuses, as Authenticator.Refuse writes"
	}
	return "a route answers nobody in particular: it asks neither Require nor Public", "one that asks Require, or says that it is public"
}

// Public says that everybody may have the answer to the request of this context.
func Public(ctx context.Context) { asked.From(ctx).Grant() }

// mustServe panics while a server is set up whose every request would.
func mustServe(next http.Handler) {
	if next == nil {
		panic("guard: the handler to be guarded, or to be public, is nil")
	}
}

// PublicHandler returns next as a public route: everybody may have its answers. It
// panics where next is nil.
func PublicHandler(next http.Handler) http.Handler {
	mustServe(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Public(r.Context())
		next.ServeHTTP(w, r)
	})
}
