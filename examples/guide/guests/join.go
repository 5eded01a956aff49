package guests

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// Join has what a guest owns become an account's. The account's token comes with the
// request, and the guest's is its body: whoever has both is both.
//
// The function give does it in the program's tables, in one transaction: it moves the
// rows, and notes whose the guest is, so that a call of the guest that is under way
// writes the account's. A guest of another account is an error of its own.
func Join(auth *oidcauth.Authenticator, local *localissuer.Issuer, give func(ctx context.Context, guest, account oidcauth.Identity) error) http.Handler {
	return auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		account, _ := oidcauth.FromContext(r.Context())
		token, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<10))
		if err != nil {
			http.Error(w, "at most 16 KiB", http.StatusBadRequest)
			return
		}
		guest, err := auth.Authenticate(r.Context(), string(token))
		switch status, _, description := oidcauth.Answer(err); {
		case err == nil:
		case status == http.StatusUnauthorized:
			http.Error(w, "guest: "+description, http.StatusConflict) // 401 would be the account's token
			return
		default:
			auth.Refuse(w, r, err)
			return
		}
		if guest.Issuer() != local.URL() || account.Issuer() == local.URL() {
			auth.Refuse(w, r, oidcauth.ErrForbidden)
			return
		}
		if err := give(r.Context(), guest.Identity(), account.Identity()); err != nil {
			auth.Refuse(w, r, err)
			return
		}
		// Only now: without its tokens a guest whose rows did not move could never come again.
		err = auth.Revoke(r.Context(), oidcauth.Revocation{Issuer: guest.Issuer(), Subject: guest.Subject()})
		if err != nil && !errors.Is(err, oidcauth.ErrRevocationWaits) { // which is on its way
			auth.Refuse(w, r, err)
		}
	}))
}
