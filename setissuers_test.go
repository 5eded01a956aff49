package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// typed returns a token with that "typ" in its header.
func typed(i *oidctest.Issuer, typ string, claims map[string]any) string {
	now := time.Now()
	full := map[string]any{"iss": i.URL(), "sub": "alice", "aud": testAudience, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	maps.Copy(full, claims)
	return i.Sign(map[string]any{"typ": typ}, full)
}

// setIssuers replaces the issuers, which must work.
func setIssuers(t testing.TB, a *oidcauth.Authenticator, issuers ...oidcauth.Issuer) {
	t.Helper()
	if err := a.SetIssuers(issuers...); err != nil {
		t.Fatalf("SetIssuers() error = %v", err)
	}
}

// refuses checks what Authenticate says of a token; nil is that it is accepted.
func refuses(t testing.TB, a *oidcauth.Authenticator, token string, want error) {
	t.Helper()
	if _, err := a.Authenticate(context.Background(), token); !errors.Is(err, want) {
		t.Errorf("Authenticate() error = %v, want %v", err, want)
	}
}

// What a change of a description does to a live session and to the token that it
// began with.
func TestSetIssuers_Changed(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*oidcauth.Issuer)
		session error // why it ends, nil if it goes on
		token   error // what Authenticate says of the token afterwards
		role    string
	}{
		{"nothing", func(*oidcauth.Issuer) {}, nil, nil, "reader"},
		{"roles are elsewhere", func(i *oidcauth.Issuer) { i.Roles = []oidcauth.Path{{"groups"}} }, nil, nil, "admin"},
		{"one audience more", func(i *oidcauth.Issuer) { i.Audiences = append(i.Audiences, "other") }, nil, nil, "reader"},
		{"another audience", func(i *oidcauth.Issuer) { i.Audiences = []string{"other"} }, oidcauth.ErrAudience, oidcauth.ErrAudience, ""},
		{"one type more", func(i *oidcauth.Issuer) { i.TokenTypes = []string{"x+jwt", "at+jwt"} }, nil, nil, "reader"},
		{"another type", func(i *oidcauth.Issuer) { i.TokenTypes = []string{"JWT"} }, oidcauth.ErrTokenType, oidcauth.ErrTokenType, ""},
		{"one algorithm", func(i *oidcauth.Issuer) { i.Algorithms = []string{"ES256"} }, nil, nil, "reader"},
		{"another algorithm", func(i *oidcauth.Issuer) { i.Algorithms = []string{"RS256"} }, oidcauth.ErrAlgorithm, oidcauth.ErrAlgorithm, ""},
		{"a demand that it satisfies", func(i *oidcauth.Issuer) {
			i.ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"org"}, In: []string{"acme"}}}
		}, nil, nil, "reader"},
		{"a demand that it does not", func(i *oidcauth.Issuer) {
			i.ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"org"}, In: []string{"x"}}}
		}, oidcauth.ErrRule, oidcauth.ErrRule, ""},
		{"a rule that it satisfies", func(i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{oidcauth.HasRole("reader")} }, nil, nil, "reader"},
		{"a rule that it does not", func(i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{oidcauth.HasRole("x")} }, oidcauth.ErrRule, oidcauth.ErrRule, ""},
		{"another subject", func(i *oidcauth.Issuer) { i.Subject = []oidcauth.Path{{"employee"}} }, oidcauth.ErrIdentityMismatch, nil, "reader"},
		{"a prefix for the subject", func(i *oidcauth.Issuer) { i.SubjectPrefix = "x:" }, oidcauth.ErrIdentityMismatch, nil, "reader"},
		{"a subject that the token does not have", func(i *oidcauth.Issuer) { i.Subject = []oidcauth.Path{{"x"}} }, oidcauth.ErrClaim, oidcauth.ErrClaim, ""},
		{"a name", func(i *oidcauth.Issuer) { i.Name = "people" }, nil, nil, "reader"},
		{"an alias", func(i *oidcauth.Issuer) { i.Aliases = []string{"https://old.test"} }, nil, nil, "reader"},
		{"key IDs are required", func(i *oidcauth.Issuer) { i.Keys.RequireKeyID = true }, nil, nil, "reader"},
		{"key IDs are reused", func(i *oidcauth.Issuer) { i.Keys.ReusesKeyIDs = true }, nil, nil, "reader"},
		{"keys from elsewhere", func(i *oidcauth.Issuer) { i.Keys.JWKSURL = "https://elsewhere.test/jwks.json" }, oidcauth.ErrKeysUnavailable, nil, "reader"},
		{"another issuer in its place", func(i *oidcauth.Issuer) { i.URL = "https://elsewhere.test" }, oidcauth.ErrUnknownIssuer, oidcauth.ErrUnknownIssuer, ""},
		{"the same in other letters", func(i *oidcauth.Issuer) { i.URL = "https://ISSUER.test" }, oidcauth.ErrUnknownIssuer, oidcauth.ErrUnknownIssuer, ""},
		{"with a slash behind it", func(i *oidcauth.Issuer) { i.URL += "/" }, oidcauth.ErrUnknownIssuer, oidcauth.ErrUnknownIssuer, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
				elsewhere := oidctest.NewIssuer(t, oidctest.Config{URL: "https://elsewhere.test"})
				elsewhere.RemoveKeys()
				elsewhere.AddJWK(issuer.Key().JWK())
				trusted.TokenTypes = []string{"at+jwt"}
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: oidctest.Client(issuer, elsewhere)})
				token := typed(issuer, "at+jwt", map[string]any{"roles": "reader", "groups": "admin", "org": "acme", "employee": "E1"})
				before := authenticate(t, a, token)
				s := a.NewSession(t.Context(), before)
				fetches := issuer.Fetches()

				tt.change(&trusted)
				setIssuers(t, a, trusted)
				if cause := context.Cause(s.Context()); !errors.Is(cause, tt.session) {
					t.Errorf("when SetIssuers returns the session has ended with %v, want %v", cause, tt.session)
				}
				expectEnd(t, s, tt.session)
				if tt.session == nil && (!s.Claims().HasRole(tt.role) || s.Claims().Identity() != before.Identity()) {
					t.Errorf("the session goes on with the roles %v", s.Claims().Roles())
				}
				refuses(t, a, token, tt.token)
				if tt.token == nil {
					if c := authenticate(t, a, token); !c.HasRole(tt.role) || c.Description() != trusted.Name {
						t.Errorf("accepted without the role %q, by description %q", tt.role, c.Description())
					}
				}
				if issuer.Fetches() != fetches {
					t.Errorf("keys were fetched again: %+v, before %+v", issuer.Fetches(), fetches)
				}
				late := tt.session
				if errors.Is(late, oidcauth.ErrKeysUnavailable) {
					late = nil // they are in hand by now
				}
				expectEnd(t, a.NewSession(t.Context(), before), late)
			})
		})
	}
}

// What says the same as before keeps what was made of it, the very claims included.
func TestSetIssuers_Unchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
		other, trustedToo := newIssuer(t, oidctest.Config{URL: "https://other.test"})
		trusted.ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"sub"}, In: []string{"alice"}}}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: oidctest.Client(issuer, other)})
		token := issuer.Token(nil)
		before := authenticate(t, a, token)
		s := a.NewSession(t.Context(), before)

		again := trusted
		again.Audiences = append([]string{}, trusted.Audiences...)
		again.ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"sub"}, In: []string{"alice"}}}
		setIssuers(t, a, trustedToo, again)
		if after := authenticate(t, a, token); after != before || s.Claims() != before {
			t.Error("an issuer that is described as before was judged anew")
		}
		expectEnd(t, s, nil)
		refuses(t, a, other.Token(nil), nil)
		if n := issuer.Fetches().JWKS; n != 1 {
			t.Errorf("%d fetches of the keys, want 1", n)
		}
		// The caller's slices are theirs: what they do to them changes nothing.
		again.Audiences, again.ClaimRules = []string{testAudience}, []oidcauth.ClaimRule{{Claim: oidcauth.Path{"sub"}, In: []string{"alice"}}}
		trusted.Audiences[0], trusted.ClaimRules[0].In[0] = "x", "x"
		setIssuers(t, a, again)
		if after := authenticate(t, a, token); after != before {
			t.Error("the description was compared with one that was changed afterwards")
		}
		refuses(t, a, other.Token(nil), oidcauth.ErrUnknownIssuer)
	})
}

// All or nothing: an error leaves everything as it was.
func TestSetIssuers_Refuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		token := issuer.Token(nil)
		before := authenticate(t, a, token)
		s := a.NewSession(t.Context(), before)
		changed := trusted
		changed.Audiences = []string{"x"}
		named := func(i oidcauth.Issuer, name, prefix string) oidcauth.Issuer {
			i.Name, i.SubjectPrefix = name, prefix
			return i
		}
		elsewhere := named(trusted, "b", "")
		elsewhere.Keys.JWKSURL = "https://elsewhere.test/"
		otherSubject := named(trusted, "b", "")
		otherSubject.Subject = []oidcauth.Path{{"employee"}}
		numeric := named(trusted, "b", "")
		numeric.NumericSubject = true
		renamed := named(trusted, "b", "")
		renamed.Aliases = []string{"https://x.test"}
		aliased := trusted
		aliased.URL, aliased.Aliases = "https://other.test", []string{trusted.URL}
		follows := trusted
		follows.URL, follows.Keys.Source = "https://source.test", brokenSource{}
		for name, issuers := range map[string][]oidcauth.Issuer{
			"a description that is not valid":           {changed, {URL: "https://x.test"}},
			"the same URL twice":                        {changed, changed},
			"two descriptions with one name":            {named(changed, "a", ""), named(changed, "a", "")},
			"other keys without a prefix":               {named(changed, "a", ""), elsewhere},
			"another subject without a prefix":          {named(changed, "a", ""), otherSubject},
			"numbers beside text":                       {named(changed, "a", ""), numeric},
			"other aliases":                             {named(changed, "a", ""), renamed},
			"an alias that is another's URL":            {changed, aliased},
			"a source of keys that has none":            {changed, follows},
			"a prefix that is no text":                  {named(changed, "a", "a\x00")},
			"a prefix that leaves nothing to a subject": {named(changed, "a", string(make([]byte, 65)))},
			"a URL that nothing is fetched from":        {changed, {URL: "http://x.test", Audiences: []string{"a"}}},
			"a template of which there are two and one": {changed, {URL: "https://x.test/{id}", TenantClaim: "tid", Audiences: []string{"a"}}},
		} {
			if err := a.SetIssuers(issuers...); err == nil {
				t.Errorf("%s: no error", name)
			}
			if after := authenticate(t, a, token); after != before {
				t.Errorf("%s: the token was judged anew", name)
			}
			expectEnd(t, s, nil)
		}
		setIssuers(t, a, changed)
		expectEnd(t, s, oidcauth.ErrAudience)
		a.Close()
		if err := a.SetIssuers(trusted); !errors.Is(err, oidcauth.ErrClosed) {
			t.Errorf("SetIssuers() after Close() error = %v, want %v", err, oidcauth.ErrClosed)
		}
	})
}

var errBrokenSource = errors.New("no keys")

type brokenSource struct{}

func (brokenSource) Follow(func(oidcauth.Keys) error) (func(), error) { return nil, errBrokenSource }
func (brokenSource) Refresh()                                         {}

// An issuer that is removed and added again revives nothing: no session, and nothing
// that was revoked.
func TestSetIssuers_Revives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		revoked, good := issuer.Token(map[string]any{"jti": "1"}), issuer.Token(map[string]any{"jti": "2"})
		first, second := a.NewSession(t.Context(), authenticate(t, a, revoked)), a.NewSession(t.Context(), authenticate(t, a, good))
		claims := authenticate(t, a, good)
		revoke(t, a, oidcauth.Revocation{Issuer: trusted.URL, TokenID: "1"})
		setIssuers(t, a)
		expectEnd(t, first, oidcauth.ErrRevoked)
		expectEnd(t, second, oidcauth.ErrUnknownIssuer)
		refuses(t, a, good, oidcauth.ErrUnknownIssuer)
		if n := len(a.Unready()); n != 0 {
			t.Errorf("%d issuers are missing, want none", n)
		}
		setIssuers(t, a, trusted)
		refuses(t, a, revoked, oidcauth.ErrRevoked)
		refuses(t, a, good, nil)
		expectEnd(t, second, oidcauth.ErrUnknownIssuer)
		if after := authenticate(t, a, good); after == claims {
			t.Error("a verdict of before the issuer was removed counts again")
		}
		// Claims of before are judged by the issuer of now.
		expectEnd(t, a.NewSession(t.Context(), claims), nil)
	})
}

// A verification that began before and ends after a change decides nothing by what
// was before: neither at once, nor from the cache, nor by a session.
func TestSetIssuers_WhileVerifying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
		began, goOn := make(chan struct{}, 10), make(chan struct{})
		slow := trusted
		slow.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
			began <- struct{}{}
			<-goOn
			return nil
		}}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{slow}, Client: issuer.Client()})
		token := issuer.Token(nil)
		result := make(chan error)
		go func() {
			_, err := a.Authenticate(t.Context(), token)
			result <- err
		}()
		<-began
		trusted.Audiences = []string{"x"}
		setIssuers(t, a, trusted)
		close(goOn)
		if err := <-result; !errors.Is(err, oidcauth.ErrAudience) {
			t.Errorf("Authenticate() that was under way: error = %v, want %v", err, oidcauth.ErrAudience)
		}
		refuses(t, a, token, oidcauth.ErrAudience)
	})
}

// A verification that waits for keys which are let go of is made again, instead of
// being refused because of that.
func TestSetIssuers_WhileFetching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
		elsewhere := oidctest.NewIssuer(t, oidctest.Config{URL: "https://elsewhere.test"})
		elsewhere.RemoveKeys()
		elsewhere.AddJWK(issuer.Key().JWK())
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: oidctest.Client(issuer, elsewhere)})
		issuer.Fail(oidctest.JWKS, oidctest.Fault{Delay: 5 * time.Second})
		token := issuer.Token(nil)
		result := make(chan error)
		go func() {
			_, err := a.Authenticate(t.Context(), token)
			result <- err
		}()
		synctest.Wait()
		trusted.Keys.JWKSURL = "https://elsewhere.test/jwks.json"
		setIssuers(t, a, trusted)
		if err := <-result; err != nil {
			t.Errorf("Authenticate() error = %v", err)
		}
	})
}

// So is that of a logout token, which the issuer may never send again.
func TestSetIssuers_WhileFetchingForLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
		elsewhere := oidctest.NewIssuer(t, oidctest.Config{URL: "https://elsewhere.test"})
		elsewhere.RemoveKeys()
		elsewhere.AddJWK(issuer.Key().JWK())
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: oidctest.Client(issuer, elsewhere)})
		issuer.Fail(oidctest.JWKS, oidctest.Fault{Delay: 5 * time.Second})
		token, logout := issuer.Token(nil), logoutToken(issuer, nil)
		result := make(chan int)
		go func() { result <- postLogout(a, logout).StatusCode }()
		synctest.Wait()
		trusted.Keys.JWKSURL = "https://elsewhere.test/jwks.json"
		setIssuers(t, a, trusted)
		if status := <-result; status != 200 {
			t.Errorf("the logout was answered with %d", status)
		}
		refuses(t, a, token, oidcauth.ErrRevoked)
	})
}

// A name that goes from one issuer to another takes nothing along.
func TestSetIssuers_AliasMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, a1 := newIssuer(t, oidctest.Config{URL: "https://first.test"})
		second, a2 := newIssuer(t, oidctest.Config{URL: "https://second.test"})
		const alias = "https://alias.test"
		a1.Aliases = []string{alias}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{a1, a2}, Client: oidctest.Client(first, second)})
		byFirst, bySecond := first.Token(map[string]any{"iss": alias}), second.Token(map[string]any{"iss": alias})
		s := a.NewSession(t.Context(), authenticate(t, a, byFirst))
		own := a.NewSession(t.Context(), authenticate(t, a, first.Token(nil)))
		refuses(t, a, bySecond, oidcauth.ErrUnknownKey)

		a1.Aliases, a2.Aliases = nil, []string{alias}
		setIssuers(t, a, a1, a2)
		if cause := context.Cause(s.Context()); cause == nil {
			t.Error("the session of the former owner of the name goes on")
		}
		expectEnd(t, own, nil)
		if c, err := a.Authenticate(t.Context(), byFirst); err == nil {
			t.Errorf("accepted as a token of %s", c.Issuer())
		}
		if c := authenticate(t, a, bySecond); c.Issuer() != a2.URL {
			t.Errorf("issuer %q, want %q", c.Issuer(), a2.URL)
		}
	})
}

// What is said anew of an issuer counts for the keys that it keeps: a name that its
// discovery document may state, and whether it uses key IDs again.
func TestSetIssuers_KeptKeys(t *testing.T) {
	t.Run("a name in the document", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
			issuer.SetDiscovery(map[string]any{"issuer": "https://other.test"})
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
			refuses(t, a, issuer.Token(nil), oidcauth.ErrKeysUnavailable)
			trusted.Aliases = []string{"https://other.test"}
			setIssuers(t, a, trusted)
			time.Sleep(time.Minute)
			refuses(t, a, issuer.Token(nil), nil)
		})
	})
	for _, reused := range []bool{true, false} {
		t.Run(fmt.Sprint("key IDs are used again: ", reused), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				refuses(t, a, issuer.Token(nil), nil)
				time.Sleep(time.Minute)
				issuer.ReuseKeyID()
				trusted.Keys.ReusesKeyIDs = reused
				setIssuers(t, a, trusted)
				want := oidcauth.ErrSignature
				if reused {
					want = nil
				}
				refuses(t, a, issuer.Token(nil), want)
			})
		})
	}
}

// An issuer that is renamed takes along what was revoked under its former name.
func TestSetIssuers_Renamed(t *testing.T) {
	const former, now = "https://former.test", "https://now.test"
	for name, r := range map[string]oidcauth.Revocation{
		"a token":  {Issuer: former, TokenID: "1"},
		"a login":  {Issuer: former, SessionID: "s"},
		"a person": {Issuer: former, Subject: "alice"},
		"all":      {Issuer: former, IssuedBefore: time.Now().Add(time.Second)},
	} {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{URL: former})
			trusted.Keys.JWKS = issuer.KeySet()
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
			token := issuer.Token(map[string]any{"jti": "1", "sid": "s"})
			other := issuer.Token(map[string]any{"jti": "2", "sid": "t", "sub": "bob"})
			refuses(t, a, token, nil)
			revoke(t, a, r)
			trusted.URL, trusted.Aliases = now, []string{former}
			setIssuers(t, a, trusted)
			refuses(t, a, token, oidcauth.ErrRevoked)
			if name != "all" {
				refuses(t, a, other, nil)
			}
		})
	}
}

// Where both issuers have the same keys, the session of a name that moves would become
// another caller's.
func TestSetIssuers_AliasMovesWithKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, a1 := newIssuer(t, oidctest.Config{URL: "https://first.test"})
		const alias = "https://alias.test"
		a1.Keys.JWKS = issuer.KeySet()
		a2 := a1
		a1.Aliases, a2.URL = []string{alias}, "https://second.test"
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{a1, a2}})
		token := issuer.Token(map[string]any{"iss": alias})
		before := authenticate(t, a, token)
		s := a.NewSession(t.Context(), before)
		a1.Aliases, a2.Aliases = nil, []string{alias}
		setIssuers(t, a, a1, a2)
		expectEnd(t, s, oidcauth.ErrIdentityMismatch)
		if c := authenticate(t, a, token); c.Identity() == before.Identity() || c.Issuer() != a2.URL {
			t.Errorf("identity and issuer %q are the former ones", c.Issuer())
		}
	})
}

// A tenant that gets a description of its own is the template's no more, and is again
// when it has none.
func TestSetIssuers_TemplateAndName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
		i := oidctest.NewIssuer(t, oidctest.Config{URL: "https://issuer.test/" + tenant})
		template := oidcauth.Issuer{
			URL: "https://issuer.test/{tenantid}", TenantClaim: "tid", Audiences: []string{testAudience},
			Keys: oidcauth.KeysFrom{JWKS: keysOfTenant(t, i, "https://issuer.test/{tenantid}")},
		}
		exact := oidcauth.Issuer{URL: i.URL(), Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{JWKS: i.KeySet()}}
		exact.Roles = []oidcauth.Path{{"own_roles"}}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{template}})
		token := i.Token(map[string]any{"aud": testAudience, "tid": tenant, "roles": "by template", "own_roles": "by name"})
		s := a.NewSession(t.Context(), authenticate(t, a, token))
		for range 2 {
			for _, step := range []struct {
				role    string
				issuers []oidcauth.Issuer
			}{
				{"by name", []oidcauth.Issuer{template, exact}},
				{"by template", []oidcauth.Issuer{template}},
			} {
				setIssuers(t, a, step.issuers...)
				if c := authenticate(t, a, token); !c.HasRole(step.role) {
					t.Errorf("a cached verdict without the role %q", step.role)
				}
				if expectEnd(t, s, nil); !s.Claims().HasRole(step.role) {
					t.Errorf("a session without the role %q", step.role)
				}
			}
		}
		exact.Audiences = []string{"x"}
		setIssuers(t, a, template, exact)
		expectEnd(t, s, oidcauth.ErrAudience)
		refuses(t, a, token, oidcauth.ErrAudience)
	})
}

// keysOfTenant returns an issuer's keys as those of a template.
func keysOfTenant(t *testing.T, i *oidctest.Issuer, template string) json.RawMessage {
	t.Helper()
	var key map[string]any
	if err := json.Unmarshal(i.Key().JWK(), &key); err != nil {
		t.Fatal(err)
	}
	key["issuer"] = template
	set, err := json.Marshal(map[string]any{"keys": []any{key}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}
