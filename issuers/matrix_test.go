package issuers_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
)

// Each provider's description accepts the tokens it is meant for and finds the
// caller in them.
func TestAccepts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range providers {
		t.Run(p.name(), func(t *testing.T) {
			issuer := p.issuer(t)
			a := w.authenticator(t, p, issuer)
			if len(p.accepts) == 0 {
				t.Fatal("accepts no token")
			}
			for name, want := range p.accepts {
				s := sampleOf(t, p.tokens, name)
				c, err := a.Authenticate(t.Context(), w.sign(t, s))
				if err != nil {
					t.Errorf("%s: Authenticate() error = %v", name, err)
					continue
				}
				got := caller{c.Subject(), slices.Collect(c.Roles()), slices.Collect(c.Scopes())}
				if got.subject != want.subject || !slices.Equal(got.roles, want.roles) || !slices.Equal(got.scopes, want.scopes) {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
				canonical := issuer.URL
				if issuer.TenantClaim != "" {
					canonical = s.Payload["iss"].(string)
				}
				if c.Issuer() != canonical || c.Identity() != identity.New(canonical, want.subject) {
					t.Errorf("%s: issuer %q, want %q", name, c.Issuer(), canonical)
				}
			}
		})
	}
}

// Each provider's description refuses every other token in testdata, although
// the key that signed it is one of the provider's.
func TestRefusesOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tokens := make(map[[2]string]string)
	for _, p := range providers {
		for _, s := range samples(t, p.tokens) {
			tokens[[2]string{p.tokens, s.Name}] = w.sign(t, s)
		}
	}
	for _, p := range providers {
		t.Run(p.name(), func(t *testing.T) {
			a := w.authenticator(t, p, p.issuer(t))
			for id, token := range tokens {
				if _, its := p.accepts[id[1]]; its && id[0] == p.tokens {
					continue
				}
				_, err := a.Authenticate(t.Context(), token)
				if !refusedForContents(err) {
					t.Errorf("%s, %s: Authenticate() error = %v, want a refusal for its contents", id[0], id[1], err)
				}
			}
		})
	}
}

// refusedForContents reports whether it was the token's words that kept it out,
// and not a key, a time or a fault.
func refusedForContents(err error) bool {
	return slices.ContainsFunc([]error{
		oidcauth.ErrUnknownIssuer, oidcauth.ErrAlgorithm, oidcauth.ErrAudience,
		oidcauth.ErrTokenType, oidcauth.ErrClaim, oidcauth.ErrRule,
	}, func(want error) bool { return errors.Is(err, want) })
}

// What no provider may be fooled by, one change to a token that is accepted.
func TestRefusesChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range providers {
		t.Run(p.name(), func(t *testing.T) {
			issuer := p.issuer(t)
			a := w.authenticator(t, p, issuer)
			audience := "aud"
			if issuer.AudienceClaim != "" {
				audience = issuer.AudienceClaim
			}
			for name := range p.accepts {
				s := sampleOf(t, p.tokens, name)
				iss := s.Payload["iss"].(string)
				tests := []struct {
					name            string
					header, payload map[string]any
					want            error
				}{
					{"nothing changed", nil, nil, nil},
					{"another audience", nil, map[string]any{audience: "another"}, oidcauth.ErrAudience},
					{"no expiry", nil, map[string]any{"exp": nil}, oidcauth.ErrClaim},
					{"a logout token", map[string]any{"typ": "logout+jwt"}, nil, oidcauth.ErrTokenType},
					{"a type of its own", map[string]any{"typ": "example+jwt"}, nil, oidcauth.ErrTokenType},
					{"bound to a key", nil, map[string]any{"cnf": map[string]any{"jkt": "x"}}, oidcauth.ErrTokenType},
					{"algorithm none", map[string]any{"alg": "none"}, nil, oidcauth.ErrAlgorithm},
					{"a shared secret", map[string]any{"alg": "HS256"}, nil, oidcauth.ErrAlgorithm},
					{"an algorithm that the provider does not use", map[string]any{"alg": unused(issuer)}, nil, oidcauth.ErrAlgorithm},
					{"another host", nil, map[string]any{"iss": strings.Replace(iss, ".", ".evil.", 1)}, oidcauth.ErrUnknownIssuer},
					{"a longer path", nil, map[string]any{"iss": iss + "/x"}, oidcauth.ErrUnknownIssuer},
				}
				for _, tt := range tests {
					_, err := a.Authenticate(t.Context(), w.sign(t, s.changed(tt.header, tt.payload)))
					if !errors.Is(err, tt.want) {
						t.Errorf("%s, %s: Authenticate() error = %v, want %v", name, tt.name, err, tt.want)
					}
				}
			}
		})
	}
}

// unused returns an algorithm that a description leaves out, or one that nobody
// accepts if it leaves out none.
func unused(issuer oidcauth.Issuer) string {
	for _, alg := range []string{"RS512", "PS512", "ES512", "EdDSA"} {
		if len(issuer.Algorithms) > 0 && !slices.Contains(issuer.Algorithms, alg) {
			return alg
		}
	}
	return "ES256K"
}
