package hostile

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
)

// supplementRows are tokens of an issuer about which a program's table is asked.
func supplementRows(t testing.TB, w *World) []Row {
	answers := map[string]string{"alice": `{}`, "down": "", "array": `[]`, "claimant": `{"sub":"alice"}`, "twice": `{"roles":1,"roles":2}`}
	asking := authtest.NewAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{
			URL: "https://other.test", Audiences: []string{authtest.Audience},
			Supplement: func(_ context.Context, c *oidcauth.Claims, _ string) (json.RawMessage, error) {
				switch c.Subject() {
				case "down":
					return nil, errors.New("down")
				case "gone":
					return nil, oidcauth.ErrRevoked
				}
				return json.RawMessage(answers[c.Subject()]), nil
			},
		}},
		Client: w.By["other"].Client(),
	})
	of := func(subject string) func() (*oidcauth.Claims, error) {
		token := w.Of("other", func(h, c Members) (Members, Members) { return h, c.Set("sub", `"`+subject+`"`) })
		return func() (*oidcauth.Claims, error) { return asking.Authenticate(context.Background(), token) }
	}
	rows := []Row{{Name: "supplement: gone", Want: oidcauth.ErrRevoked, Bad: of("gone"), Good: of("alice")}}
	for _, subject := range []string{"down", "array", "claimant", "twice"} {
		rows = append(rows, Row{Name: "supplement: " + subject, Want: oidcauth.ErrAnswerUnavailable, Bad: of(subject), Good: of("alice")})
	}
	return rows
}
