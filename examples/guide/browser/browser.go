// Package browser lets a page in by each way onto a WebSocket that pages have.
package browser

import (
	"embed"
	"fmt"
	"net/http"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// Ways is the script that a page uses.
//
//go:embed ways.js
var Ways embed.FS

// New accepts the tokens of issuer where pages put them, and tickets of local. The
// page at origin alone may come with a cookie.
func New(issuer oidcauth.Issuer, local *localissuer.Issuer, origin string) (*oidcauth.Authenticator, error) {
	return oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{issuer, local.Issuer()},
		Extract: oidcauth.FirstOf(
			oidcauth.BearerToken,
			oidcauth.SubprotocolToken,
			oidcauth.CookieToken("session", origin),
		),
	})
}

// Routes sells tickets to whoever has a token, and lets their bearers in.
func Routes(auth *oidcauth.Authenticator, local *localissuer.Issuer, subscribe http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /ticket", auth.Middleware(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			claims, _ := oidcauth.FromContext(r.Context())
			ticket, err := local.Ticket(r, claims, "notes")
			if err != nil {
				auth.Refuse(w, r, err)
				return
			}
			w.Header().Set("Cache-Control", "no-store")
			fmt.Fprint(w, ticket)
		})))
	mux.Handle("GET /subscribe", auth.Middleware(subscribe))
	mux.Handle("GET /subscribe/ticket", withTicket(auth, subscribe))
	return mux
}

func withTicket(auth *oidcauth.Authenticator, next http.Handler) http.Handler {
	extract := oidcauth.QueryToken("ticket")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ticket, err := extract(r) // and out of the address
		if err != nil {
			auth.Refuse(w, r, err)
			return
		}
		claims, err := auth.AuthenticateTicket(r, ticket, "notes")
		if err != nil {
			auth.Refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(oidcauth.NewContext(auth.CallerContext(r), claims)))
	})
}

// Elsewhere lets pages of another origin buy tickets: their browser asks first whether they
// may send a token, and has none then.
func Elsewhere(origin string, routes http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if r.Header.Get("Origin") == origin {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Headers", "Authorization")
			if r.Method == http.MethodOptions {
				return
			}
		}
		routes.ServeHTTP(w, r)
	})
}
