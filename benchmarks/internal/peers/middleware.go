package peers

import (
	"context"
	"net/http"
	"strings"
)

type userKey struct{}

// byHand makes a verifier whose middleware is what a user of a library
// without one writes: cut the token from the header, authenticate, put the
// user into the context.
func byHand(authenticate func(context.Context, string, *User) error, close func()) *Verifier {
	return &Verifier{
		Authenticate: authenticate,
		Middleware: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
				if !found {
					w.Header().Set("WWW-Authenticate", "Bearer")
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				user := new(User)
				if err := authenticate(r.Context(), token, user); err != nil {
					w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				ctx := context.WithValue(r.Context(), userKey{}, user)
				next.ServeHTTP(w, r.WithContext(ctx))
			})
		},
		FromContext: func(ctx context.Context, user *User) bool {
			u, found := ctx.Value(userKey{}).(*User)
			if found {
				*user = *u
			}
			return found
		},
		Close: close,
	}
}
