package oidcauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/oidctest"
)

// people and machines are two descriptions of one issuer, of tokens that differ in
// their claims alone.
func peopleAndMachines(url string) []oidcauth.Issuer {
	return []oidcauth.Issuer{
		{
			URL: url, Name: "people", Audiences: []string{"web"}, Roles: []oidcauth.Path{{"groups"}},
			ClaimRules: []oidcauth.ClaimRule{{Claim: oidcauth.Path{"nonce"}, Present: true}},
		},
		{
			URL: url, Name: "machines", Audiences: []string{"web", "api"}, TokenTypes: []string{"JWT", "at+jwt"},
			Roles:      []oidcauth.Path{{"roles"}},
			ClaimRules: []oidcauth.ClaimRule{{Claim: oidcauth.Path{"nonce"}, Absent: true}},
		},
	}
}

// The first description that fits decides alone. If none does, the refusal is that of
// the one with which the token came furthest.
func TestDescriptions(t *testing.T) {
	issuer := oidctest.NewIssuer(t, oidctest.Config{URL: "https://issuer.test", Claims: map[string]any{"sub": "alice", "groups": "g", "roles": "r"}})
	described := peopleAndMachines(issuer.URL())
	described[1].Rules = []oidcauth.Rule{func(c *oidcauth.Claims) error {
		if c.HasRole("banned") {
			return errors.New("banned")
		}
		return nil
	}}
	catchAll := oidcauth.Issuer{URL: issuer.URL(), Name: "others", Audiences: []string{"others", "api"}, TokenTypes: []string{"JWT", "at+jwt"}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: append(described, catchAll), Client: issuer.Client()})
	stranger := oidctest.NewIssuer(t, oidctest.Config{URL: "https://issuer.test"})
	for _, tt := range []struct {
		name, token string
		by          string // the description that decides
		role        string
		want        error
		check       string
	}{
		{"the first fits", issuer.Token(map[string]any{"aud": "web", "nonce": "n"}), "people", "g", nil, ""},
		{"the second fits", issuer.Token(map[string]any{"aud": "web"}), "machines", "r", nil, ""},
		{"the second fits by its type", typed(issuer, "at+jwt", map[string]any{"aud": "web", "roles": "r"}), "machines", "r", nil, ""},
		{"the third fits", issuer.Token(map[string]any{"aud": "others", "nonce": "n"}), "others", "r", nil, ""},
		{"one decides alone: another's rules do not help", issuer.Token(map[string]any{"aud": "api", "roles": "banned"}), "machines", "", oidcauth.ErrRule, "rules"},
		{"no audience fits, and the first counts", issuer.Token(map[string]any{"aud": "x"}), "people", "", oidcauth.ErrAudience, "audience"},
		{"furthest by its type", typed(issuer, "x+jwt", map[string]any{"aud": "others"}), "others", "", oidcauth.ErrTokenType, "type"},
		{"furthest by its claims", typed(issuer, "at+jwt", map[string]any{"aud": "web", "nonce": "n"}), "machines", "", oidcauth.ErrRule, "rules"},
		{"expired", issuer.Token(map[string]any{"aud": "web", "exp": time.Now().Add(-time.Hour)}), "people", "", oidcauth.ErrExpired, "expiry"},
		{"signed by another", stranger.Key().WithID("x").Token(map[string]any{"aud": "api"}), "people", "", oidcauth.ErrUnknownKey, "key"},
		{"signed by another under a known key ID", stranger.Key().WithID(issuer.Key().ID()).Token(map[string]any{"aud": "api"}), "people", "", oidcauth.ErrSignature, "signature"},
		{"no subject", issuer.Token(map[string]any{"aud": "web", "sub": ""}), "machines", "", oidcauth.ErrClaim, "subject"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // from the cache, too
				c, err := a.Authenticate(t.Context(), tt.token)
				if !errors.Is(err, tt.want) {
					t.Fatalf("Authenticate() error = %v, want %v", err, tt.want)
				}
				if err == nil && (c.Description() != tt.by || !slices.Equal(slices.Collect(c.Roles()), []string{tt.role})) {
					t.Errorf("by %q with the roles %v, want by %q with %q", c.Description(), slices.Collect(c.Roles()), tt.by, tt.role)
				}
			}
			report := a.Explain(t.Context(), tt.token)
			if report.Accepted != (tt.want == nil) || !errors.Is(report.Err, tt.want) || report.Description != tt.by {
				t.Errorf("Explain() by %q: error = %v, want by %q: %v", report.Description, report.Err, tt.by, tt.want)
			}
			failed := slices.IndexFunc(report.Steps, func(s explain.Step) bool { return s.Verdict == explain.Failed })
			if tt.check != "" && (failed < 0 || report.Steps[failed].Check != tt.check) {
				t.Errorf("the first failure is not in %q:\n%v", tt.check, report)
			}
			if !strings.Contains(report.String(), `described as "`+tt.by+`", one of ["people" "machines" "others"]`) {
				t.Errorf("the report does not name the description, and that there are others:\n%v", report)
			}
		})
	}
	if n := issuer.Fetches().JWKS; n != 2 {
		t.Errorf("%d fetches of the keys, want one, and one for an unknown key ID", n)
	}
}

// Two clusters that call themselves the same are told apart by their keys. A token of
// one is never the other's, and the same account in both is two callers.
func TestDescriptions_Clusters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const name = "https://kubernetes.default.svc.cluster.local"
		var clusters []*oidctest.Issuer
		var described []oidcauth.Issuer
		for _, n := range []string{"a", "b"} {
			i := oidctest.NewIssuer(t, oidctest.Config{URL: "https://" + n + ".test"})
			i.RemoveKeys()
			k := i.NewKey(oidctest.KeyConfig{ID: "key of " + n})
			i.Publish(k)
			i.SignWith(k)
			clusters = append(clusters, i)
			described = append(described, oidcauth.Issuer{
				URL: name, Name: n, SubjectPrefix: n + ":", Audiences: []string{testAudience},
				Keys: oidcauth.KeysFrom{JWKSURL: i.JWKSURL()},
			})
		}
		a := newAuthenticator(t, oidcauth.Config{Issuers: described, Client: oidctest.Client(clusters...)})
		account := map[string]any{"iss": name, "aud": testAudience, "sub": "system:serviceaccount:default:app"}
		ids := map[oidcauth.Identity]bool{}
		for range 2 {
			for n, i := range clusters {
				c := authenticate(t, a, i.Token(account))
				if c.Description() != described[n].Name || c.Subject() != described[n].SubjectPrefix+"system:serviceaccount:default:app" || c.Issuer() != name {
					t.Errorf("a token of %q is that of %q, %q at %q", described[n].Name, c.Description(), c.Subject(), c.Issuer())
				}
				ids[c.Identity()] = true
			}
		}
		if len(ids) != 2 {
			t.Errorf("%d callers, want 2", len(ids))
		}
		for n, i := range clusters {
			if f := i.Fetches(); f.JWKS > 2 {
				t.Errorf("cluster %d: %d fetches, want one, and one for the other's first token", n, f.JWKS)
			}
		}
		// Once both have their keys, nobody's token has the other asked.
		for n, i := range clusters {
			time.Sleep(time.Minute)
			other := clusters[1-n].Fetches()
			for range 3 {
				time.Sleep(15 * time.Second)
				refuses(t, a, i.Token(account), nil)
				refuses(t, a, i.Token(map[string]any{"iss": name, "aud": "x"}), oidcauth.ErrAudience)
				refuses(t, a, i.Sign(map[string]any{"kid": nil}, map[string]any{"iss": name, "aud": testAudience, "sub": "x", "exp": time.Now().Add(time.Hour).Unix()}), nil)
			}
			if clusters[1-n].Fetches() != other {
				t.Errorf("cluster %d was asked for the other's tokens", 1-n)
			}
		}
		// Without key ID, and while one cannot be reached.
		for n, i := range clusters {
			header := map[string]any{"kid": nil}
			token := i.Sign(header, map[string]any{"iss": name, "aud": testAudience, "sub": "x", "exp": time.Now().Add(time.Hour).Unix()})
			if c := authenticate(t, a, token); c.Description() != described[n].Name {
				t.Errorf("a token of %q without key ID is that of %q", described[n].Name, c.Description())
			}
		}
		for _, forged := range []string{
			clusters[0].Key().WithID("key of b").Token(account),
			clusters[1].Key().WithID("key of a").Token(account),
		} {
			refuses(t, a, forged, oidcauth.ErrSignature)
		}
		clusters[0].RemoveKeys()
		clusters[0].AddKey("ES256")
		time.Sleep(25 * time.Hour)
		refuses(t, a, clusters[1].Token(account), nil)
	})
}

// Where the keys of the first have signed a token, nobody asks for those of the second.
func TestDescriptions_KeysDecide(t *testing.T) {
	const name = "https://cluster.test"
	first, second := oidctest.NewIssuer(t, oidctest.Config{URL: "https://first.test"}), oidctest.NewIssuer(t, oidctest.Config{URL: "https://second.test"})
	var described []oidcauth.Issuer
	for _, i := range []*oidctest.Issuer{first, second} {
		described = append(described, oidcauth.Issuer{
			URL: name, Name: i.URL(), SubjectPrefix: i.URL(), Audiences: []string{testAudience},
			Keys: oidcauth.KeysFrom{JWKSURL: i.JWKSURL()},
		})
	}
	a := newAuthenticator(t, oidcauth.Config{Issuers: described, Client: oidctest.Client(first, second)})
	refuses(t, a, first.Token(map[string]any{"iss": name, "aud": "x"}), oidcauth.ErrAudience)
	if n := second.Fetches().JWKS; n != 0 {
		t.Errorf("the second was asked %d times for its keys", n)
	}
}

// A cluster that cannot be asked for its keys says nothing of a token that is not known
// to be another's; and one whose token it is goes on meanwhile.
func TestDescriptions_OneUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, down := oidctest.NewIssuer(t, oidctest.Config{URL: "https://up.test"}), oidctest.NewIssuer(t, oidctest.Config{URL: "https://down.test"})
		down.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
		const name = "https://cluster.test"
		var described []oidcauth.Issuer
		for _, i := range []*oidctest.Issuer{down, up} {
			i.RemoveKeys()
			k := i.NewKey(oidctest.KeyConfig{ID: i.URL()})
			i.Publish(k)
			i.SignWith(k)
			described = append(described, oidcauth.Issuer{
				URL: name, Name: i.URL(), SubjectPrefix: i.URL(), Audiences: []string{testAudience},
				Keys: oidcauth.KeysFrom{JWKSURL: i.JWKSURL()},
			})
		}
		a := newAuthenticator(t, oidcauth.Config{Issuers: described, Client: oidctest.Client(up, down)})
		account := map[string]any{"iss": name, "aud": testAudience}
		refuses(t, a, down.Token(account), oidcauth.ErrKeysUnavailable)
		refuses(t, a, up.Token(account), nil)
		keyless := func(i *oidctest.Issuer) string {
			return i.Sign(map[string]any{"kid": nil}, map[string]any{"iss": name, "aud": testAudience, "sub": "x", "exp": time.Now().Add(time.Hour).Unix()})
		}
		refuses(t, a, keyless(up), nil)
		refuses(t, a, keyless(down), oidcauth.ErrKeysUnavailable)
		if got := a.Unready(); len(got) != 1 || got[0] != name {
			t.Errorf("Unready() = %q", got)
		}
		if report, err := a.Keys(t.Context(), name+"|https://up.test"); err != nil || report.JWKSURL != up.JWKSURL() {
			t.Errorf("Keys() = %q, error %v", report.JWKSURL, err)
		}
		if _, err := a.Keys(t.Context(), name+"|x"); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
			t.Errorf("Keys() of no description: error = %v", err)
		}
	})
}

// Without a prefix of its own the callers of one description stay who they were, and
// cannot be those of the other's prefix.
func TestDescriptions_ReservedPrefix(t *testing.T) {
	old, added := oidctest.NewIssuer(t, oidctest.Config{URL: "https://old.test"}), oidctest.NewIssuer(t, oidctest.Config{URL: "https://added.test"})
	const name = "https://cluster.test"
	first := oidcauth.Issuer{URL: name, Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{JWKSURL: old.JWKSURL()}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{first}, Client: oidctest.Client(old, added)})
	token := func(i *oidctest.Issuer, sub string) string {
		return i.Token(map[string]any{"iss": name, "aud": testAudience, "sub": sub})
	}
	plain, hostile := token(old, "alice"), token(old, "b:alice")
	before := authenticate(t, a, plain).Identity()
	taken := authenticate(t, a, hostile)
	s := a.NewSession(t.Context(), taken)

	first.Name = "old"
	second := oidcauth.Issuer{URL: name, Name: "added", SubjectPrefix: "b:", Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{JWKSURL: added.JWKSURL()}}
	setIssuers(t, a, first, second)
	if authenticate(t, a, plain).Identity() != before {
		t.Error("the caller became another")
	}
	if c := authenticate(t, a, token(added, "alice")); c.Identity() != taken.Identity() || c.Subject() != "b:alice" {
		t.Errorf("subject %q", c.Subject())
	}
	refuses(t, a, hostile, oidcauth.ErrClaim)
	if s.Context().Err() == nil {
		t.Error("the session under a subject that is another's goes on")
	}

	// The same where the description is not changed at all, only its neighbour is.
	second.SubjectPrefix = "c:"
	setIssuers(t, a, first, second)
	refuses(t, a, hostile, nil)
	second.SubjectPrefix = "b:"
	setIssuers(t, a, first, second)
	refuses(t, a, hostile, oidcauth.ErrClaim)
}

// Of descriptions that share their keys one may go: the other keeps them.
func TestDescriptions_SharedKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.NewIssuer(t, oidctest.Config{URL: "https://issuer.test"})
		both := peopleAndMachines(issuer.URL())
		a := newAuthenticator(t, oidcauth.Config{Issuers: both, Client: issuer.Client()})
		person, machine := issuer.Token(map[string]any{"aud": "web", "nonce": "n"}), issuer.Token(map[string]any{"aud": "web"})
		s, gone := a.NewSession(t.Context(), authenticate(t, a, machine)), a.NewSession(t.Context(), authenticate(t, a, person))
		cached := authenticate(t, a, machine)
		setIssuers(t, a, both[1])
		expectEnd(t, s, nil)
		expectEnd(t, gone, oidcauth.ErrRule)
		if authenticate(t, a, machine) != cached {
			t.Error("the description that stays was judged anew")
		}
		refuses(t, a, person, oidcauth.ErrRule)
		issuer.Rotate()
		refuses(t, a, issuer.Token(map[string]any{"aud": "web"}), nil)
		if n := issuer.Fetches().JWKS; n != 2 {
			t.Errorf("%d fetches of the keys, want 2", n)
		}
		setIssuers(t, a)
		expectEnd(t, s, oidcauth.ErrUnknownIssuer)
	})
}

// The order decides; to change it is a change like any other.
func TestDescriptions_OrderChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.NewIssuer(t, oidctest.Config{URL: "https://issuer.test"})
		one := oidcauth.Issuer{URL: issuer.URL(), Name: "one", Audiences: []string{"a"}, Roles: []oidcauth.Path{{"one"}}}
		two := one
		two.Name, two.Roles = "two", []oidcauth.Path{{"two"}}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{one, two}, Client: issuer.Client()})
		token := issuer.Token(map[string]any{"aud": "a", "one": "x", "two": "y"})
		s := a.NewSession(t.Context(), authenticate(t, a, token))
		setIssuers(t, a, two, one)
		if c := authenticate(t, a, token); c.Description() != "two" || !c.HasRole("y") {
			t.Errorf("by %q", c.Description())
		}
		if c := s.Claims(); c.Description() != "two" {
			t.Errorf("the session goes on by %q", c.Description())
		}
		// One more in front of those that stay as they are.
		zero := one
		zero.Name = "zero"
		setIssuers(t, a, zero, two, one)
		if c := authenticate(t, a, token); c.Description() != "zero" || s.Claims().Description() != "zero" {
			t.Errorf("by %q, the session by %q", c.Description(), s.Claims().Description())
		}
	})
}

// A logout or a revocation of one description's callers does not reach the other's.
func TestDescriptions_Revocations(t *testing.T) {
	const name = "https://cluster.test"
	type world struct {
		*oidcauth.Authenticator
		issuers [2]*oidctest.Issuer
		live    [2]*oidcauth.Session
	}
	start := func(t *testing.T) *world {
		w := new(world)
		var described []oidcauth.Issuer
		for n, prefix := range []string{"", "b:"} {
			w.issuers[n] = oidctest.NewIssuer(t, oidctest.Config{URL: []string{"https://a.test", "https://b.test"}[n]})
			described = append(described, oidcauth.Issuer{
				URL: name, Name: "description " + prefix, SubjectPrefix: prefix, Audiences: []string{testAudience},
				Keys: oidcauth.KeysFrom{JWKSURL: w.issuers[n].JWKSURL()},
			})
		}
		w.Authenticator = newAuthenticator(t, oidcauth.Config{Issuers: described, Client: oidctest.Client(w.issuers[:]...)})
		for n, i := range w.issuers {
			k := i.NewKey(oidctest.KeyConfig{ID: "same"})
			i.RemoveKeys()
			i.Publish(k)
			i.SignWith(k)
			token := i.Token(map[string]any{"iss": name, "aud": testAudience, "sub": "alice", "sid": "login", "jti": "token"})
			w.live[n] = w.NewSession(t.Context(), authenticate(t, w.Authenticator, token))
		}
		return w
	}
	logout := func(t *testing.T, w *world, n int, claims map[string]any) {
		t.Helper()
		all := map[string]any{"iss": name, "aud": testAudience, "iat": time.Now(), "jti": "logout", "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
		for k, v := range claims {
			all[k] = v
		}
		form := url.Values{"logout_token": {w.issuers[n].Token(all)}}
		r := httptest.NewRequest(http.MethodPost, "/logout", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		w.LogoutHandler().ServeHTTP(answer, r)
		if answer.Code != http.StatusOK {
			t.Errorf("the logout was answered with %d: %s", answer.Code, answer.Body)
		}
	}
	for _, tt := range []struct {
		name string
		do   func(*testing.T, *world)
		ends [2]bool
	}{
		{"a logout of a subject of the first", func(t *testing.T, w *world) { logout(t, w, 0, map[string]any{"sub": "alice"}) }, [2]bool{true, false}},
		{"a logout of a subject of the second", func(t *testing.T, w *world) { logout(t, w, 1, map[string]any{"sub": "alice"}) }, [2]bool{false, true}},
		{"a logout of a login of the first", func(t *testing.T, w *world) { logout(t, w, 0, map[string]any{"sub": nil, "sid": "login"}) }, [2]bool{true, false}},
		{"a logout of a login of the second", func(t *testing.T, w *world) { logout(t, w, 1, map[string]any{"sub": nil, "sid": "login"}) }, [2]bool{false, true}},
		{"a logout of each, with the same ID", func(t *testing.T, w *world) {
			logout(t, w, 0, map[string]any{"sub": "alice"})
			logout(t, w, 1, map[string]any{"sub": "alice"})
		}, [2]bool{true, true}},
		{"the issuer and the subject of claims", func(t *testing.T, w *world) {
			c := w.live[1].Claims()
			revoke(t, w.Authenticator, oidcauth.Revocation{Issuer: c.Issuer(), Subject: c.Subject()})
		}, [2]bool{false, true}},
		{"the same of the other", func(t *testing.T, w *world) {
			c := w.live[0].Claims()
			revoke(t, w.Authenticator, oidcauth.Revocation{Issuer: c.Issuer(), Subject: c.Subject()})
		}, [2]bool{true, false}},
		{"the issuer's token of an ID is that of all", func(t *testing.T, w *world) {
			revoke(t, w.Authenticator, oidcauth.Revocation{Issuer: name, TokenID: "token"})
		}, [2]bool{true, true}},
		{"the token of an ID in one prefix", func(t *testing.T, w *world) {
			revoke(t, w.Authenticator, oidcauth.Revocation{Issuer: name + "|b:", TokenID: "token"})
		}, [2]bool{false, true}},
		{"all of the empty prefix", func(t *testing.T, w *world) {
			revoke(t, w.Authenticator, oidcauth.Revocation{Issuer: name + "|", IssuedBefore: time.Now().Add(time.Second)})
		}, [2]bool{true, false}},
		{"all of one prefix", func(t *testing.T, w *world) {
			revoke(t, w.Authenticator, oidcauth.Revocation{Issuer: name + "|b:", IssuedBefore: time.Now().Add(time.Second)})
		}, [2]bool{false, true}},
		{"all of the issuer", func(t *testing.T, w *world) {
			revoke(t, w.Authenticator, oidcauth.Revocation{Issuer: name, IssuedBefore: time.Now().Add(time.Second)})
		}, [2]bool{true, true}},
		{"of a prefix that is not there", func(t *testing.T, w *world) {
			if err := w.Revoke(t.Context(), oidcauth.Revocation{Issuer: name + "|x", Subject: "alice"}); !errors.Is(err, oidcauth.ErrMalformedRequest) {
				t.Errorf("Revoke() error = %v", err)
			}
		}, [2]bool{false, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				tt.do(t, w)
				for n, ended := range tt.ends {
					want := error(nil)
					if ended {
						want = oidcauth.ErrRevoked
					}
					expectEnd(t, w.live[n], want)
				}
			})
		})
	}
}

// A payload does not say which description it was accepted by: whoever replays a log
// does.
func TestUnverifiedClaims_Descriptions(t *testing.T) {
	issuer := oidctest.NewIssuer(t, oidctest.Config{URL: "https://issuer.test"})
	a := newAuthenticator(t, oidcauth.Config{Issuers: peopleAndMachines(issuer.URL()), Client: issuer.Client()})
	for _, claims := range []map[string]any{{"aud": "web", "nonce": "n", "groups": "g"}, {"aud": "api", "roles": "r"}} {
		c := authenticate(t, a, issuer.Token(claims))
		again, err := a.UnverifiedClaims(c.Payload(), nil, c.Description())
		if err != nil || again.Description() != c.Description() || !slices.Equal(slices.Collect(again.Roles()), slices.Collect(c.Roles())) {
			t.Errorf("UnverifiedClaims() by %q: error = %v", c.Description(), err)
		}
		for _, name := range [][]string{nil, {""}, {"x"}} {
			if _, err := a.UnverifiedClaims(c.Payload(), nil, name...); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
				t.Errorf("UnverifiedClaims() by %q: error = %v, want %v", name, err, oidcauth.ErrUnknownIssuer)
			}
		}
	}
}

// A logout token does not say which description's tokens the login gave: it is of all
// that have the issuer's same keys and its audience.
func TestDescriptions_LogoutOfAll(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	jobs, people, others := trusted, trusted, trusted
	jobs.Name, jobs.TokenTypes, jobs.Subject, jobs.SubjectPrefix = "jobs", []string{"at+jwt"}, []oidcauth.Path{{"client_id"}}, "job:"
	people.Name = "people"
	others.Name, others.SubjectPrefix, others.Audiences, others.LogoutAudiences = "others", "other:", []string{"other"}, []string{"other"}
	for name, says := range map[string]map[string]any{"the subject": {"sub": "alice"}, "the login": {"sub": nil, "sid": "login"}} {
		t.Run(name, func(t *testing.T) {
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{jobs, people, others}, Client: issuer.Client()})
			claims := map[string]any{"sub": "alice", "sid": "login", "client_id": "tool"}
			begin := func(token string) *oidcauth.Session {
				return a.NewSession(t.Context(), authenticate(t, a, token))
			}
			tool, person := begin(typed(issuer, "at+jwt", claims)), begin(typed(issuer, "JWT", claims))
			claims["aud"] = "other"
			other := begin(typed(issuer, "JWT", claims))
			if answer := postLogout(a, logoutToken(issuer, says)); answer.StatusCode != http.StatusOK {
				t.Fatalf("the logout was answered with %d", answer.StatusCode)
			}
			for _, s := range []struct {
				*oidcauth.Session
				want error
			}{{tool, oidcauth.ErrRevoked}, {person, oidcauth.ErrRevoked}, {other, nil}} {
				if cause := context.Cause(s.Context()); !errors.Is(cause, s.want) {
					t.Errorf("the session of %q has ended with %v, want %v", s.Claims().Description(), cause, s.want)
				}
			}
		})
	}
}

// Of two descriptions, too, a report is by the one that decides.
func TestDescriptions_ExplainTwo(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	jobs, people := trusted, trusted
	jobs.Name, jobs.TokenTypes, jobs.SubjectPrefix = "jobs", []string{"at+jwt"}, "job:"
	people.Name = "people"
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{jobs, people}, Client: issuer.Client()})
	for typ, want := range map[string]string{"at+jwt": "jobs", "JWT": "people"} {
		token := typed(issuer, typ, map[string]any{"sub": "alice"})
		if report := a.Explain(t.Context(), token); report.Err != nil || report.Description != want {
			t.Errorf("Explain() of a token of type %s by %q, error = %v, want by %q", typ, report.Description, report.Err, want)
		}
		if c := authenticate(t, a, token); c.Description() != want {
			t.Errorf("a token of type %s is accepted by %q, want %q", typ, c.Description(), want)
		}
	}
}
