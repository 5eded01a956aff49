package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

// A slowLog takes its time to say whether something was used, in which something happens.
type slowLog struct {
	oidcauth.RevocationLog
	meanwhile func()
}

func (l *slowLog) FirstUse(ctx context.Context, id [32]byte, until time.Time) (bool, error) {
	first, err := l.RevocationLog.FirstUse(ctx, id, until)
	if l.meanwhile != nil {
		l.meanwhile()
		l.meanwhile = nil
	}
	return first, err
}

// What becomes of a token while a log is asked whether its proof, or its ticket, was used
// before counts: the answer is by what is known when it is given.
func TestAuthenticate_WhileALogIsAsked(t *testing.T) {
	type scene struct {
		issuer  *oidctest.Issuer
		trusted oidcauth.Issuer
		local   oidcauth.Issuer
		auth    *oidcauth.Authenticator
	}
	for _, tt := range []struct {
		name      string
		meanwhile func(t *testing.T, s scene)
		want      error
	}{
		{"nothing", func(*testing.T, scene) { time.Sleep(time.Second) }, nil},
		{"it is revoked", func(t *testing.T, s scene) { revoke(t, s.auth, oidcauth.Revocation{TokenID: "token-1"}) }, oidcauth.ErrRevoked},
		{"another is revoked", func(t *testing.T, s scene) { revoke(t, s.auth, oidcauth.Revocation{TokenID: "token-2"}) }, nil},
		{"it expires", func(*testing.T, scene) { time.Sleep(2 * time.Hour) }, oidcauth.ErrExpired},
		{"its key goes", func(t *testing.T, s scene) {
			former := s.issuer.Key().ID()
			s.issuer.Rotate()
			s.issuer.RemoveKey(former)
			time.Sleep(time.Minute) // in which nobody looks
			if _, err := s.auth.Authenticate(t.Context(), s.issuer.Token(nil)); err != nil {
				t.Errorf("by the new key: %v", err)
			}
		}, oidcauth.ErrUnknownKey},
		{"its issuer goes", func(t *testing.T, s scene) {
			setIssuers(t, s.auth, s.local)
		}, oidcauth.ErrUnknownIssuer},
		{"its issuer is described otherwise", func(t *testing.T, s scene) {
			s.trusted.Audiences = []string{"another"}
			setIssuers(t, s.auth, s.local, s.trusted)
		}, oidcauth.ErrAudience},
		{"its issuer is described anew, and it is good still", func(t *testing.T, s scene) {
			s.trusted.Roles = []oidcauth.Path{{"groups"}}
			setIssuers(t, s.auth, s.local, s.trusted)
		}, nil},
		{"all is closed", func(_ *testing.T, s scene) { s.auth.Close() }, oidcauth.ErrClosed},
	} {
		for _, ticket := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, ticket %t", tt.name, ticket), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					log := &slowLog{RevocationLog: newMemoryLog()}
					verifier, err := dpop.New(dpop.Config{PublicURL: publicURL, Replays: log})
					if err != nil {
						t.Fatal(err)
					}
					local := newLocal(t, localissuer.Config{})
					s := scene{local: local.Issuer()}
					s.issuer, s.trusted = newIssuer(t, oidctest.Config{})
					s.auth = newAuthenticator(t, oidcauth.Config{
						Issuers: []oidcauth.Issuer{s.trusted, s.local}, Client: s.issuer.Client(), DPoP: verifier, Revocations: log,
					})
					client := oidctest.NewProver(t, "")
					token := s.issuer.Token(map[string]any{"jti": "token-1", "groups": []string{"g"}, "cnf": map[string]any{"jkt": client.Thumbprint()}})
					prove := func() (*oidcauth.Claims, error) {
						return s.auth.Authenticate(possession.NewContext(t.Context(), possession.Proof{
							Scheme: "DPoP", DPoP: client.Proof("POST", callURL, token, nil), Method: "POST", URL: callURL,
						}), token)
					}
					ask := prove
					c, err := prove()
					if err != nil {
						t.Fatal(err)
					}
					if ticket {
						text, err := local.Ticket(from("https://app.example.com"), c, "chat")
						if err != nil {
							t.Fatal(err)
						}
						ask = func() (*oidcauth.Claims, error) {
							return s.auth.AuthenticateTicket(from("https://app.example.com"), text, "chat")
						}
					}
					log.meanwhile = func() { tt.meanwhile(t, s) }
					c, err = ask()
					if !errors.Is(err, tt.want) || (err == nil) != (c != nil) {
						t.Errorf("got %v, %v, want error %v", c, err, tt.want)
					}
					if c == nil {
						return
					}
					if !oidcauth.IsProved(c) || c.HasRole("g") != strings.Contains(tt.name, "good still") {
						t.Errorf("proved %t, with role %t", oidcauth.IsProved(c), c.HasRole("g"))
					}
					if session := s.auth.NewSession(t.Context(), c); session.Context().Err() != nil {
						t.Errorf("a session under the claims: %v", context.Cause(session.Context()))
					}
				})
			})
		}
	}
}

// An answer about a token that has become too old by the time that a log has said whether a
// proof was used before counts no longer: the program is asked again.
func TestSupplement_WhileALogIsAsked(t *testing.T) {
	for _, tt := range []struct {
		name  string
		later string // what the program says then
		fails error
		role  string
		want  error
	}{
		{"another role", `{"roles":["later"]}`, nil, "later", nil},
		{"revoked", "", oidcauth.ErrRevoked, "", oidcauth.ErrRevoked},
		{"no answer", "", errors.New("directory down"), "", oidcauth.ErrAnswerUnavailable},
	} {
		synctest.Test(t, func(t *testing.T) {
			log := &slowLog{RevocationLog: newMemoryLog()}
			verifier, err := dpop.New(dpop.Config{PublicURL: publicURL, Replays: log})
			if err != nil {
				t.Fatal(err)
			}
			answer, fails := `{"roles":["first"]}`, error(nil)
			issuer, trusted := newIssuer(t, oidctest.Config{})
			trusted.AnswerAge = 10 * time.Second
			trusted.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
				return json.RawMessage(answer), fails
			}
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), DPoP: verifier})
			client := oidctest.NewProver(t, "")
			token := issuer.Token(map[string]any{"cnf": map[string]any{"jkt": client.Thumbprint()}})
			log.meanwhile = func() {
				time.Sleep(15 * time.Second)
				answer, fails = tt.later, tt.fails
			}
			c, err := a.Authenticate(possession.NewContext(t.Context(), possession.Proof{
				Scheme: "DPoP", DPoP: client.Proof("POST", callURL, token, nil), Method: "POST", URL: callURL,
			}), token)
			if !errors.Is(err, tt.want) || c.HasRole(tt.role) != (tt.role != "") || c.HasRole("first") || c != nil && !oidcauth.IsProved(c) {
				t.Errorf("%s: Authenticate() = %v, %v, want error %v and role %q", tt.name, c, err, tt.want, tt.role)
			}
		})
	}
}
