// Package routers is for routers whose middleware is no func(http.Handler) http.Handler.
package routers

import (
	"net/http"

	"github.com/oidcauth/oidcauth"
)

// Authenticate returns the request to go on with, or answers it and returns nil: then
// nothing may come after it.
func Authenticate(auth *oidcauth.Authenticator, w http.ResponseWriter, r *http.Request) (next *http.Request) {
	auth.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { next = r })).ServeHTTP(w, r)
	return next
}
