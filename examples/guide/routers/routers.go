// Package routers is for routers whose middleware is no func(http.Handler) http.Handler.
package routers

import (
	"net/http"

	"github.com/oidcauth/oidcauth"
)

// Authenticate returns the request to go on with, or answers it and returns nil: then
// nothing may come after it.
func Authenticate(auth *oidcauth.Authenticator, w http.ResponseWriter, r *http.Request) *http.Request {
	claims, err := auth.AuthenticateRequest(r)
	if err != nil {
		auth.Refuse(w, r, err)
		return nil
	}
	return r.WithContext(oidcauth.NewContext(auth.CallerContext(r), claims))
}
