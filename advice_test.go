package oidcauth_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Advice goes by what is known: documents that arrived are not the network's fault.
func TestExplain_AdviceOnKeys(t *testing.T) {
	fail := func(at oidctest.Endpoint, f oidctest.Fault) func(*oidctest.Issuer) {
		return func(i *oidctest.Issuer) { i.Fail(at, f) }
	}
	const network = "reaches the issuer's address"
	rows := []struct {
		name  string
		spoil func(*oidctest.Issuer)
		want  string
	}{
		{"another issuer's document", func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"issuer": "https://sso.test"}) }, "Issuer.Aliases"},
		{"keys over http", func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"jwks_uri": "http://issuer.test/jwks"}) }, "Issuer.Keys.JWKSURL"},
		{"a document without keys", func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"jwks_uri": nil}) }, "Issuer.Keys.JWKSURL"},
		{"a document that is not JSON", fail(oidctest.Discovery, oidctest.Fault{Body: []byte("hello")}), "Issuer.Keys.JWKSURL"},
		{"a web page", fail(oidctest.Discovery, oidctest.HTMLPage(200)), "web page"},
		{"a redirect", fail(oidctest.Discovery, oidctest.Fault{Redirect: "https://sso.test/"}), "redirect"},
		{"no document", fail(oidctest.Discovery, oidctest.Fault{Status: 404}), "has no document at this address"},
		{"a document that is not public", fail(oidctest.Discovery, oidctest.Fault{Status: 403}), "public"},
		{"a document for those who log in", fail(oidctest.JWKS, oidctest.Fault{Status: 401}), "public"},
		{"a server in trouble", fail(oidctest.JWKS, oidctest.Fault{Status: 502}), "answers that it cannot"},
		{"a server with too much to do", fail(oidctest.JWKS, oidctest.Fault{Status: 429}), "answers that it cannot"},
		{"an odd status", fail(oidctest.JWKS, oidctest.Fault{Status: 402}), "not with a document"},
		{"no key yet", func(i *oidctest.Issuer) { i.RemoveKeys() }, "first key"},
		{"a key set that is none", fail(oidctest.JWKS, oidctest.Fault{Body: []byte(`{"key":1}`)}), "no key set"},
		{"a key set that is cut off", fail(oidctest.JWKS, oidctest.Fault{Body: []byte(`{"keys":[`)}), "no key set"},
		{"a key set that is too large", fail(oidctest.JWKS, oidctest.Fault{Pad: 2 << 20}), "larger"},
		{"a connection that breaks", fail(oidctest.JWKS, oidctest.Fault{Cut: true}), network},
		{"no connection", func(i *oidctest.Issuer) { i.Close() }, network},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				token := issuer.Token(nil)
				row.spoil(issuer)
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				step := stepOf(t, a.Explain(t.Context(), token), "key")
				if !strings.Contains(step.Advice, row.want) || strings.Contains(step.Advice, "resh token") {
					t.Errorf("advice on %s = %q, want %q", step.Got, step.Advice, row.want)
				}
				if row.want != network && strings.Contains(step.Advice, network) {
					t.Errorf("advice on %s blames the network: %q", step.Got, step.Advice)
				}
			})
		})
	}
	t.Run("a caller who has left", func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		ctx, leave := context.WithCancel(t.Context())
		leave()
		if step := stepOf(t, a.Explain(ctx, issuer.Token(nil)), "key"); !strings.Contains(step.Advice, "left") {
			t.Errorf("advice = %q", step.Advice)
		}
	})
}

// A fresh token is no advice where it would be refused like this one.
func TestExplain_AdviceOnSignatures(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	rsa := issuer.AddKey("RS256")
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	bare := func(token string) string { return token[:strings.LastIndexByte(token, '.')+1] }
	good := rsa.Token(nil)
	withNonce := rsa.Sign(map[string]any{"alg": "RS256", "typ": "JWT", "kid": rsa.ID(), "nonce": "abc"}, map[string]any{
		"iss": issuer.URL(), "sub": "alice", "aud": testAudience, "exp": 4e9,
	})
	stranger := issuer.NewKey(oidctest.KeyConfig{Algorithm: "RS256", ID: rsa.ID()})
	rows := []struct{ name, token, got, advice string }{
		{"taken out by Cloud Run", bare(good) + "SIGNATURE_REMOVED_BY_GOOGLE", "SIGNATURE_REMOVED_BY_GOOGLE", "Cloud Run"},
		{"for Microsoft Graph", bare(withNonce) + good[strings.LastIndexByte(good, '.')+1:], "", "Microsoft Graph"},
		{"cut", good[:len(good)-42], "a signature of", "cut or replaced"},
		{"replaced by a word", bare(good) + "removed0", "a signature of 6 bytes", "cut or replaced"},
		{"by another key", stranger.Token(nil), "a signature by another key", "changed after it was signed"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			step := stepOf(t, a.Explain(t.Context(), row.token), "signature")
			if !strings.Contains(step.Got, row.got) || !strings.Contains(step.Advice, row.advice) {
				t.Errorf("step = %+v, want got %q, advice %q", step, row.got, row.advice)
			}
			if fresh := strings.Contains(step.Advice, "resh token"); fresh != (row.name == "by another key") {
				t.Errorf("advice = %q", step.Advice)
			}
			wants(t, a, row.token, oidcauth.ErrSignature)
		})
	}
	wants(t, a, withNonce, nil) // a nonce alone is no fault
}

// An issuer that was renamed states its new name, and keeps its identities.
func TestAliases_Renamed(t *testing.T) {
	const before, now = "https://www.issuer.test", "https://www.issuer.test/oauth"
	rows := []struct {
		name   string
		stated string
		change func(*oidcauth.Issuer)
		want   error
	}{
		{"the new name is an alias", now, func(i *oidcauth.Issuer) { i.Aliases = []string{now} }, nil},
		{"the old name is an alias", before, func(i *oidcauth.Issuer) { i.URL, i.Aliases = now, []string{before} }, nil},
		{"the new name is unknown", now, func(*oidcauth.Issuer) {}, oidcauth.ErrKeysUnavailable},
		{"it states a third name", now + "/", func(i *oidcauth.Issuer) { i.Aliases = []string{now} }, oidcauth.ErrKeysUnavailable},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			issuer, _ := newIssuer(t, oidctest.Config{URL: before})
			issuer.SetDiscovery(map[string]any{"issuer": row.stated})
			description := oidcauth.Issuer{
				URL: before, Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{DiscoveryURL: issuer.DiscoveryURL()},
			}
			row.change(&description)
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{description}, Client: issuer.Client()})
			var identities []string
			for _, name := range append([]string{description.URL}, description.Aliases...) {
				token := issuer.Token(map[string]any{"iss": name})
				wants(t, a, token, row.want)
				if c, err := a.Authenticate(t.Context(), token); err == nil {
					identities = append(identities, c.Identity().String())
				}
			}
			if row.want == nil && (len(identities) != 2 || identities[0] != identities[1] ||
				identities[0] != identity.New(description.URL, "alice").String()) {
				t.Errorf("identities = %q, want the same by both names", identities)
			}
		})
	}
}
