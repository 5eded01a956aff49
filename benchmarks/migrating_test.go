package benchmarks_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	jwtmiddleware "github.com/auth0/go-jwt-middleware/v3"
	"github.com/auth0/go-jwt-middleware/v3/jwks"
	"github.com/auth0/go-jwt-middleware/v3/validator"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// beginnings are the libraries as programs have them that come from there: set up as the
// documentation of each begins, with an issuer and an audience.
func beginnings(t *testing.T, issuer *oidctest.Issuer) map[string]func(token string) error {
	t.Helper()
	return map[string]func(string) error{
		"oidcauth":          beginOidcauth(t, issuer),
		"go-oidc":           beginGoOIDC(t, issuer),
		"golang-jwt":        beginGolangJWT(t, issuer),
		"jwx":               beginJWX(t, issuer),
		"go-jwt-middleware": beginGoJWTMiddleware(t, issuer),
	}
}

func beginOidcauth(t *testing.T, issuer *oidctest.Issuer) func(string) error {
	t.Helper()
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{
		URL: issuer.URL(), Audiences: []string{"a"}, Keys: oidcauth.KeysFrom{InsecureHTTP: true},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return func(token string) error {
		_, err := auth.Authenticate(t.Context(), token)
		return err
	}
}

func beginGoOIDC(t *testing.T, issuer *oidctest.Issuer) func(string) error {
	t.Helper()
	provider, err := oidc.NewProvider(context.Background(), issuer.URL())
	if err != nil {
		t.Fatal(err)
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: "a"})
	return func(token string) error {
		_, err := verifier.Verify(t.Context(), token)
		return err
	}
}

func beginGolangJWT(t *testing.T, issuer *oidctest.Issuer) func(string) error {
	t.Helper()
	keys, err := keyfunc.NewDefaultCtx(t.Context(), []string{issuer.JWKSURL()})
	if err != nil {
		t.Fatal(err)
	}
	return func(token string) error {
		_, err := jwt.Parse(token, keys.Keyfunc, jwt.WithIssuer(issuer.URL()), jwt.WithAudience("a"))
		return err
	}
}

func beginJWX(t *testing.T, issuer *oidctest.Issuer) func(string) error {
	t.Helper()
	keys, err := jwk.Fetch(t.Context(), issuer.JWKSURL())
	if err != nil {
		t.Fatal(err)
	}
	return func(token string) error {
		_, err := jwxjwt.Parse([]byte(token), jwxjwt.WithKeySet(keys), jwxjwt.WithIssuer(issuer.URL()), jwxjwt.WithAudience("a"))
		return err
	}
}

func beginGoJWTMiddleware(t *testing.T, issuer *oidctest.Issuer) func(string) error {
	t.Helper()
	address, err := url.Parse(issuer.URL())
	if err != nil {
		t.Fatal(err)
	}
	provider, err := jwks.NewCachingProvider(jwks.WithIssuerURL(address))
	if err != nil {
		t.Fatal(err)
	}
	v, err := validator.New(validator.WithKeyFunc(provider.KeyFunc), validator.WithAlgorithm(validator.RS256),
		validator.WithIssuer(issuer.URL()), validator.WithAudience("a"))
	if err != nil {
		t.Fatal(err)
	}
	middleware, err := jwtmiddleware.New(jwtmiddleware.WithValidator(v))
	if err != nil {
		t.Fatal(err)
	}
	return func(token string) error {
		passed := false
		r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+token)
		middleware.CheckJWT(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true })).ServeHTTP(w, r)
		if !passed {
			return fmt.Errorf("%d %s", w.Code, w.Body)
		}
		return nil
	}
}

// TestMigrating holds what the guide says of tokens that passed before, and pass now, to
// what happens.
func TestMigrating(t *testing.T) {
	issuer := oidctest.NewIssuer(t, oidctest.Config{Algorithm: "RS256", Claims: map[string]any{"aud": "a"}})
	issuer.Start()
	tokens := migrating(issuer)
	libraries := beginnings(t, issuer)
	for name, verify := range libraries {
		if err := verify(issuer.Token(nil)); err != nil {
			t.Fatalf("%s: a good token: %v", name, err)
		}
	}
	guide, err := os.ReadFile("../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "\n### What is refused now\n")
	section, _, _ = strings.Cut(section, "\n### ")
	refused, passing, found := strings.Cut(section, "| refused by |")
	if !found {
		t.Fatal("docs/guide.md: the tables are not there")
	}
	rows := 0
	for _, table := range []struct {
		text   string
		passes bool // here
	}{{refused, false}, {passing, true}} {
		for line := range strings.Lines(table.text) {
			cells := strings.Split(line, " | ")
			token, known := tokens[strings.TrimPrefix(cells[0], "| ")]
			if !known {
				if strings.Count(line, "go") > 0 && strings.HasPrefix(line, "| ") {
					t.Errorf("no token is made for the row %q", line)
				}
				continue
			}
			rows++
			if err := libraries["oidcauth"](token); (err == nil) != table.passes {
				t.Errorf("%s: oidcauth: error = %v, want that it passes: %v", cells[0], err, table.passes)
			}
			var other []string
			for name, verify := range libraries {
				if name != "oidcauth" && (verify(token) == nil) != table.passes {
					other = append(other, name)
				}
			}
			slices.Sort(other)
			if got := strings.Join(other, ", "); got != cells[1] {
				t.Errorf("%s: the guide says %q, got %q", cells[0], cells[1], got)
			}
		}
	}
	if rows != len(tokens) {
		t.Errorf("rows: got %d, want %d", rows, len(tokens))
	}
}

// migrating has the tokens by what the guide calls them.
func migrating(issuer *oidctest.Issuer) map[string]string {
	es := issuer.AddKey("ES256")
	encrypts := issuer.NewKey(oidctest.KeyConfig{JWK: map[string]any{"use": "enc"}})
	issuer.Publish(encrypts)
	claims := func(more map[string]any) map[string]any {
		all := map[string]any{"iss": issuer.URL(), "sub": "alice", "aud": "a", "exp": time.Now().Add(time.Hour).Unix()}
		for name, value := range more {
			all[name] = value
		}
		return all
	}
	with := func(name string, value any) string { return issuer.Token(map[string]any{name: value}) }
	header := func(name string, value any) string {
		return issuer.Sign(map[string]any{name: value, "exp2": 1}, claims(nil))
	}
	text := func(in string) string {
		return issuer.Sign(map[string]any{}, fmt.Sprintf(`{"iss":%q,"sub":"alice","aud":"a","exp":%d,%s}`,
			issuer.URL(), time.Now().Add(time.Hour).Unix(), in))
	}
	return map[string]string{
		"of type `at+jwt`":                                   header("typ", "at+jwt"),
		"for a logout":                                       issuer.LogoutToken(map[string]any{"sub": "alice"}),
		"bound to a key, with no proof":                      with("cnf", map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
		"without `exp`":                                      with("exp", nil),
		"without `sub`":                                      with("sub", nil),
		"with a number for `sub`":                            with("sub", 7),
		"with a string for `exp`":                            with("exp", fmt.Sprint(time.Now().Add(time.Hour).Unix())),
		"with a number for `scope`":                          with("scope", 7),
		"with `iat` two minutes ahead":                       with("iat", time.Now().Add(2*time.Minute)),
		"with `nbf` two minutes ahead":                       with("nbf", time.Now().Add(2*time.Minute)),
		"with a claim that is there twice":                   text(`"email":"a@example.com","email":"b@example.com"`),
		"with text that is not UTF-8":                        text("\"name\":\"\xff\""),
		"with an unknown critical header":                    header("crit", []string{"exp2"}),
		"by a key that is for encryption":                    encrypts.Sign(map[string]any{}, claims(nil)),
		"of 20 KB":                                           with("groups", strings.Repeat("x", 15_000)),
		"that expired ten seconds ago":                       with("exp", time.Now().Add(-10*time.Second)),
		"without a key ID":                                   issuer.Sign(map[string]any{"kid": nil}, claims(nil)),
		"signed with ES256, where the issuer has such a key": es.Token(nil),
	}
}
