package hostile

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A World is one Authenticator and the issuers that it trusts, each described
// in another way, and a host that it must never ask.
type World struct {
	t      testing.TB
	Auth   *oidcauth.Authenticator
	Config oidcauth.Config             // of Auth
	Main   *oidctest.Issuer            // one key of each kind, none with its algorithm stated
	Keys   map[string]*oidctest.Key    // of Main, by the algorithm that they sign with
	By     map[string]*oidctest.Issuer // the other issuers, by their hosts' first names
	Evil   *oidctest.Issuer
}

// URL is the main issuer's.
const URL = "https://issuer.test"

// NewWorld starts the issuers and the Authenticator.
func NewWorld(t testing.TB) *World {
	w := &World{t: t, Keys: map[string]*oidctest.Key{}, By: map[string]*oidctest.Issuer{}}
	w.Main = oidctest.NewIssuer(t, oidctest.Config{URL: URL})
	w.Main.RemoveKeys()
	for _, alg := range []string{"ES256", "ES384", "ES512", "EdDSA", "RS256"} {
		k := w.Main.NewKey(oidctest.KeyConfig{Algorithm: alg, ID: "main-" + alg, JWK: map[string]any{"alg": nil}})
		w.Main.Publish(k)
		w.Keys[alg] = k
	}
	w.Main.SignWith(w.Keys["ES256"])
	w.Evil = oidctest.NewIssuer(t, oidctest.Config{URL: "https://evil.test"})

	descriptions := w.descriptions()
	servers := []*oidctest.Issuer{w.Main, w.Evil}
	for i := range descriptions {
		host, _, _ := strings.Cut(strings.TrimPrefix(descriptions[i].URL, "https://"), ".")
		if host != "issuer" {
			w.By[host] = oidctest.NewIssuer(t, oidctest.Config{URL: descriptions[i].URL})
			servers = append(servers, w.By[host])
		}
	}
	w.By["down"].Fail(oidctest.JWKS, oidctest.Fault{Status: http.StatusInternalServerError})
	w.Config = oidcauth.Config{Issuers: descriptions, Client: oidctest.Client(servers...)}
	w.Auth = authtest.NewAuthenticator(t, w.Config)
	return w
}

// Judge returns the Authenticator to present a token to that is to be refused so.
// One that has just looked for another unknown key does not know yet about this.
func (w *World) Judge(want error) *oidcauth.Authenticator {
	if want == oidcauth.ErrUnknownKey {
		return authtest.NewAuthenticator(w.t, w.Config)
	}
	return w.Auth
}

// descriptions lists what the Authenticator is told about its issuers.
func (w *World) descriptions() []oidcauth.Issuer {
	named := func(name string, change func(*oidcauth.Issuer)) oidcauth.Issuer {
		i := oidcauth.Issuer{URL: "https://" + name + ".test", Audiences: []string{authtest.Audience, "my-other-db"}}
		if change != nil {
			change(&i)
		}
		return i
	}
	return []oidcauth.Issuer{
		named("issuer", nil),
		named("other", nil),
		named("many", nil),
		named("down", nil),
		named("access", func(i *oidcauth.Issuer) { i.TokenTypes = []string{"at+jwt"} }),
		named("both", func(i *oidcauth.Issuer) { i.TokenTypes = []string{"JWT", "at+jwt"} }),
		named("narrow", func(i *oidcauth.Issuer) { i.Algorithms = []string{"ES384"} }),
		named("client", func(i *oidcauth.Issuer) { i.AudienceClaim = "client_id" }),
		named("anyone", func(i *oidcauth.Issuer) { i.Audiences, i.InsecureAnyAudience = nil, true }),
		named("tuple", func(i *oidcauth.Issuer) { i.Subject = []oidcauth.Path{{"tid"}, {"user", "oid"}} }),
		named("ruled", func(i *oidcauth.Issuer) { i.ClaimRules = ClaimRules }),
		named("program", func(i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{oidcauth.HasRole("writer")} }),
	}
}

// Authenticate is the usual way to present a token.
func (w *World) Authenticate(tok string) func() (*oidcauth.Claims, error) {
	return func() (*oidcauth.Claims, error) { return w.Auth.Authenticate(context.Background(), tok) }
}

// Row makes a row of two tokens.
func (w *World) Row(name string, want error, bad, good string) Row {
	presentBad := func() (*oidcauth.Claims, error) { return w.Judge(want).Authenticate(context.Background(), bad) }
	return Row{name, want, presentBad, w.Authenticate(good), bad, good}
}

// Sign signs a header and claims just as they are.
func Sign(k *oidctest.Key, header, claims Members) string {
	return k.Sign([]byte(header.String()), claims.String())
}

// Key is the key that most rows use.
func (w *World) Key() *oidctest.Key { return w.Keys["ES256"] }

// WithClaims signs claims as the main issuer does.
func (w *World) WithClaims(claims Members) string {
	return Sign(w.Key(), Header(w.Key()), claims)
}

// WithHeader signs the good claims under a header.
func (w *World) WithHeader(header Members) string {
	return Sign(w.Key(), header, Claims(URL))
}

// Of signs with the current key of another issuer, whose name the claims bear
// unless they are changed.
func (w *World) Of(host string, change func(header, claims Members) (Members, Members)) string {
	i := w.By[host]
	header, claims := Header(i.Key()), Claims(i.URL())
	if change != nil {
		header, claims = change(header, claims)
	}
	return Sign(i.Key(), header, claims)
}

// Unix writes the time some way from now as a claim.
func Unix(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }

// Parts takes a token apart.
func Parts(tok string) (header, payload, signature string) {
	p := strings.Split(tok, ".")
	return p[0], p[1], p[2]
}

// Decode returns what a part of a token stands for.
func Decode(t testing.TB, part string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Encode returns a text as a part of a token.
func Encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
