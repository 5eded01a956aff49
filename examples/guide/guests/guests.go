// Package guests gives callers without an account an identity, and its next token to
// whoever has one.
package guests

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// Routes has two routes, of which the first makes somebody new each time.
func Routes(auth *oidcauth.Authenticator, local *localissuer.Issuer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /guest", func(w http.ResponseWriter, r *http.Request) {
		token, _, err := local.Issue(r.Context(), localissuer.Request{})
		if err != nil {
			auth.Refuse(w, r, err)
			return
		}
		claims, err := auth.Authenticate(r.Context(), token) // which says until when
		if errors.Is(err, oidcauth.ErrRevoked) {
			// So is all that is issued now, which is no fault of the caller's: 503.
			err = fmt.Errorf("%w: a new guest's: %v", oidcauth.ErrKeysUnavailable, err)
		}
		if err != nil {
			auth.Refuse(w, r, err)
			return
		}
		writeToken(w, token, claims.Expiry())
	})
	mux.Handle("POST /guest/renew", auth.Middleware(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			claims, _ := oidcauth.FromContext(r.Context())
			token, expires, err := local.Renew(r.Context(), claims)
			if err != nil {
				auth.Refuse(w, r, err) // 403 for another issuer's callers
				return
			}
			writeToken(w, token, expires)
		})))
	return mux
}

func writeToken(w http.ResponseWriter, token string, expires time.Time) {
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires,omitzero"`
	}{token, expires})
}
