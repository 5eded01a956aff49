package oidcauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// What a directory keeps of one cluster's keys says nothing of another's that is called
// the same, and whose keys have the same address: through another client, or with another
// credential, that leads elsewhere.
func TestDescriptions_KeyCacheDir(t *testing.T) {
	t.Parallel()
	var clusters []*oidctest.Issuer
	for n := range 2 {
		i := oidctest.NewIssuer(t, oidctest.Config{URL: "https://kubernetes.test"})
		i.RemoveKeys()
		k := i.NewKey(oidctest.KeyConfig{ID: fmt.Sprint("key of ", n)})
		i.Publish(k)
		i.SignWith(k)
		clusters = append(clusters, i)
	}
	credential := func(n int) string {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(fmt.Sprint("credential-", n)), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	credentials := []string{credential(0), credential(1)}
	byCredential := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		n := strings.Count(r.Header.Get("Authorization"), "1")
		return clusters[n].Client().Transport.RoundTrip(r)
	})}
	down := func() *http.Client {
		return &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) { return nil, errors.New("down") })}
	}
	for _, tt := range []struct {
		name   string
		client *http.Client // of all
		keys   func(n int, k *oidcauth.KeysFrom)
	}{
		{"a client each", nil, func(n int, k *oidcauth.KeysFrom) { k.Client = clusters[n].Client() }},
		{"a client of the second", clusters[0].Client(), func(n int, k *oidcauth.KeysFrom) {
			if n == 1 {
				k.Client = clusters[n].Client()
			}
		}},
		{"a credential each", byCredential, func(n int, k *oidcauth.KeysFrom) { k.TokenFile = credentials[n] }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			start := func(outage bool) *oidcauth.Authenticator {
				cfg := oidcauth.Config{Client: tt.client, KeyCacheDir: dir}
				for n, i := range clusters {
					d := oidcauth.Issuer{
						URL: i.URL(), Name: fmt.Sprint(n), SubjectPrefix: fmt.Sprint(n, ":"), Audiences: []string{testAudience},
						Keys: oidcauth.KeysFrom{JWKSURL: i.JWKSURL()},
					}
					tt.keys(n, &d.Keys)
					if outage && d.Keys.Client != nil {
						d.Keys.Client = down()
					}
					cfg.Issuers = append(cfg.Issuers, d)
				}
				if outage {
					cfg.Client = down()
				}
				return newAuthenticator(t, cfg)
			}
			for _, outage := range []bool{false, true} {
				a := start(outage)
				for n, i := range clusters {
					c, err := a.Authenticate(t.Context(), i.Token(map[string]any{"aud": testAudience}))
					if err != nil || c.Description() != fmt.Sprint(n) {
						t.Errorf("in an outage: %v: a token of cluster %d is that of %q, error = %v", outage, n, c.Description(), err)
					}
				}
				a.Close()
			}
		})
	}
}
