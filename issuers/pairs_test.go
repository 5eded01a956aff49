package issuers_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// pairs are the functions that describe the same issuer.
var pairs = [][2]string{
	{"Auth0Access", "Auth0ID"},
	{"CognitoAccess", "CognitoID"},
	{"GitLabCI", "GitLabUser"},
	{"Google", "GoogleServiceAccount"},
	{"Keycloak", "KeycloakID"},
	{"LemonLDAPAccess", "LemonLDAPID"},
	{"LemonLDAPAccess", "LemonLDAPService"},
	{"LemonLDAPID", "LemonLDAPService"},
	{"OryHydra", "OryHydraService"},
	{"RFC9068", "RFC9068Service"},
	{"SpringAccess", "SpringID"},
	{"SpringAccess", "SpringService"},
	{"SpringID", "SpringService"},
}

// Both descriptions of an issuer together accept what each accepts alone, by that one
// and for the same caller, whichever is first; and refuse what each refuses.
func TestPairs(t *testing.T) {
	for _, names := range pairs {
		for _, order := range [][2]int{{0, 1}, {1, 0}} {
			t.Run(names[order[0]]+", "+names[order[1]], func(t *testing.T) {
				w := newWorld(t)
				var described []oidcauth.Issuer
				var alone []*oidcauth.Authenticator
				for _, n := range order {
					p := providerOf(t, names[n])
					i := p.issuer(t)
					alone = append(alone, w.authenticator(t, p, i))
					described = append(described, i)
				}
				both, err := oidcauth.New(oidcauth.Config{Issuers: described, Client: &http.Client{Transport: w}})
				if err != nil {
					t.Fatal(err)
				}
				defer both.Close()
				accepted := make([]int, 2)
				for _, s := range pairSamples(t, w, names) {
					by := -1
					for n, a := range alone {
						if _, err := a.Authenticate(t.Context(), s); err == nil {
							if by >= 0 {
								t.Fatal("both accept one token: their order would matter")
							}
							by = n
						}
					}
					got, err := both.Authenticate(t.Context(), s)
					if by < 0 {
						if err == nil {
							t.Errorf("both together accept, by %q, what neither accepts", got.Description())
						}
						continue
					}
					accepted[by]++
					want, _ := alone[by].Authenticate(t.Context(), s)
					if err != nil || got.Description() != described[by].Name || got.Identity() != want.Identity() ||
						!slices.Equal(slices.Collect(got.Roles()), slices.Collect(want.Roles())) {
						t.Errorf("by %q: error = %v, want as by %q alone", got.Description(), err, described[by].Name)
					}
				}
				if accepted[0] == 0 || accepted[1] == 0 {
					t.Errorf("%d and %d tokens accepted, want some of each", accepted[0], accepted[1])
				}
			})
		}
	}
}

// pairSamples returns the tokens of both, and all that must be refused of them.
func pairSamples(t *testing.T, w *world, names [2]string) []string {
	t.Helper()
	var all []string
	for _, name := range names {
		p := providerOf(t, name)
		for _, s := range samples(t, p.tokens) {
			all = append(all, w.sign(t, s))
		}
		for _, l := range lookalikes {
			if l.call == name {
				all = append(all, w.sign(t, sampleOf(t, p.tokens, l.sample).changed(l.header, l.change)))
			}
		}
	}
	return all
}
