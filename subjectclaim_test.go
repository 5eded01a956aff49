package oidcauth_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// "sub" is revoked where it is not the subject, too: however a token writes it,
// before the token comes and after, for sessions, for remembered tokens, and for
// what a ticket gives back.
func TestRevoke_SubjectClaim(t *testing.T) {
	spellings := map[string]string{
		"plain":         `"sub":"alice"`,
		"escaped value": `"sub":"al\u0069ce"`,
		"escaped name":  `"s\u0075b":"alice"`,
		"beside others": `"":"x","ub":"bob","xsub":"bob","\"sub":"bob","sub":"alice"`,
		"far away":      `"x":"` + strings.Repeat("x", 1<<16) + `","sub":"alice"`,
	}
	revocations := []struct {
		name    string
		subject string
		want    error
	}{
		{"sub", "alice", oidcauth.ErrRevoked},
		{"subject", "object-1", oidcauth.ErrRevoked},
		{"somebody else", "bob", nil},
	}
	for name, spelling := range spellings {
		for _, tt := range revocations {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					issuer, trusted := newIssuer(t, oidctest.Config{})
					trusted.Subject = []oidcauth.Path{{"oid"}}
					local := newLocal(t, localissuer.Config{})
					a := newAuthenticator(t, oidcauth.Config{
						Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client(), MaxTokenBytes: 1 << 20,
					})
					token := func(id string) string {
						return issuer.Sign(nil, fmt.Sprintf(`{"iss":%q,"aud":%q,"exp":%d,"iat":%d,"oid":"object-1","jti":%q,%s}`,
							issuer.URL(), testAudience, time.Now().Add(time.Hour).Unix(), time.Now().Unix(), id, spelling))
					}
					remembered, later := token("remembered"), token("later")
					c := authenticate(t, a, remembered)
					s := a.NewSession(t.Context(), c)
					var tickets [2]string
					for i := range tickets {
						var err error
						if tickets[i], err = local.Ticket(from(), c, localissuer.AnyDatabase); err != nil {
							t.Fatal(err)
						}
					}
					fromTicket, err := a.AuthenticateTicket(from(), tickets[0], localissuer.AnyDatabase)
					if err != nil {
						t.Fatal(err)
					}
					if sub, _ := fromTicket.LookupString("sub"); sub != "alice" || fromTicket.Subject() != "object-1" {
						t.Errorf("the ticket gives sub %q, subject %q", sub, fromTicket.Subject())
					}
					second := a.NewSession(t.Context(), fromTicket)

					revoke(t, a, oidcauth.Revocation{Issuer: issuer.URL(), Subject: tt.subject})
					expectEnd(t, s, tt.want)
					expectEnd(t, second, tt.want)
					wants(t, a, remembered, tt.want)
					wants(t, a, later, tt.want)
					if _, err := a.AuthenticateTicket(from(), tickets[1], localissuer.AnyDatabase); !errors.Is(err, tt.want) {
						t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
					}
				})
			})
		}
	}
}
