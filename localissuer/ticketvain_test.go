package localissuer_test

import (
	"crypto"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// While what a local issuer signs is revoked it sells no ticket, which would be refused as if
// the token that bought it were bad, and renews no token.
func TestTicket_InVain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		revoke func(l *localissuer.Issuer) oidcauth.Revocation
		sells  error // for a token of another issuer
		renews error // a token under a former key
	}{
		{"the key that signs", func(l *localissuer.Issuer) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: l.URL(), KeyID: signingKey(l)}
		}, oidcauth.ErrKeysUnavailable, oidcauth.ErrKeysUnavailable},
		{"a key of that ID", func(l *localissuer.Issuer) oidcauth.Revocation {
			return oidcauth.Revocation{KeyID: signingKey(l)}
		}, oidcauth.ErrKeysUnavailable, oidcauth.ErrKeysUnavailable},
		{"all for a minute", func(l *localissuer.Issuer) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: l.URL(), IssuedBefore: time.Now().Add(time.Minute)}
		}, oidcauth.ErrKeysUnavailable, oidcauth.ErrRevoked}, // as the token itself is
		{"all until now", func(l *localissuer.Issuer) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: l.URL(), IssuedBefore: time.Now()}
		}, oidcauth.ErrKeysUnavailable, oidcauth.ErrRevoked}, // a token says in which second it was issued
		{"all until this second", func(l *localissuer.Issuer) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: l.URL(), IssuedBefore: time.Now().Truncate(time.Second)}
		}, nil, oidcauth.ErrRevoked},
		{"the key that signs, until now", func(l *localissuer.Issuer) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: l.URL(), KeyID: signingKey(l), IssuedBefore: time.Now()}
		}, oidcauth.ErrKeysUnavailable, oidcauth.ErrKeysUnavailable},
		{"a key of another issuer", func(l *localissuer.Issuer) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: "https://issuer.test", KeyID: signingKey(l)}
		}, nil, nil},
		{"somebody's tokens under the key", func(l *localissuer.Issuer) oidcauth.Revocation {
			return oidcauth.Revocation{Issuer: l.URL(), KeyID: signingKey(l), Subject: "bob"}
		}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				former := newKey(t)
				was := newLocal(t, localissuer.Config{Signer: former})
				l := newLocal(t, localissuer.Config{
					Signer: newKey(t), RetiredKeys: []crypto.PublicKey{former.Public()}, TicketSecret: []byte("0123456789abcdef0123456789abcdef"),
				})
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, l.Issuer()}, Client: issuer.Client()})
				claims := authenticate(t, a, issuer.Token(nil))
				own := authenticate(t, a, issue(t, was, localissuer.Request{}))
				time.Sleep(time.Minute + 300*time.Millisecond)
				revoke(t, a, tt.revoke(l))
				text, err := l.Ticket(from(), claims, "chat")
				if !errors.Is(err, tt.sells) || (text == "") != (tt.sells != nil) {
					t.Errorf("Ticket() error = %v, want %v", err, tt.sells)
				}
				if _, _, err := l.Renew(t.Context(), own); !errors.Is(err, tt.renews) {
					t.Errorf("Renew() error = %v, want %v", err, tt.renews)
				}
				if refused, ok := errors.AsType[*oidcauth.Refusal](err); ok && refused.RetryAfter() <= 0 {
					t.Errorf("%v does not say when to try again", err)
				}
				if text != "" {
					if _, err := a.AuthenticateTicket(from(), text, "chat"); err != nil {
						t.Errorf("a ticket that was sold is refused: %v", err)
					}
				}
			})
		})
	}
}

// signingKey returns the ID of the key that signs.
func signingKey(l *localissuer.Issuer) string {
	keys := l.Keys()
	return keys[slices.IndexFunc(keys, func(k localissuer.Key) bool { return k.State == "active" })].ID
}
