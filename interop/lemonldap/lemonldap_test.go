package lemonldap_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/interop/internal/browser"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
	"github.com/oidcauth/oidcauth/issuers"
)

func authenticator(t *testing.T, described ...oidcauth.Issuer) *oidcauth.Authenticator {
	t.Helper()
	for n := range described {
		described[n].Keys.InsecureHTTP = true
	}
	auth, err := oidcauth.New(oidcauth.Config{Issuers: described})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return auth
}

func TestLemonLDAP(t *testing.T) {
	p := start(t)
	t.Run("published", func(t *testing.T) {
		tried.Published(t, p.url, p.url+".well-known/openid-configuration")
		tried.Saw(t, trial.Logout, "none")
	})
	t.Run("tokens", p.tokens)
	t.Run("rotation", p.rotation) // the last one: it withdraws a key
}

// The descriptions in package issuers accept what each is for, for the same caller.
func (p portal) tokens(t *testing.T) {
	auth := authenticator(t, issuers.LemonLDAPAccess(p.url, "my-db", "app"), issuers.LemonLDAPID(p.url, "app"),
		issuers.LemonLDAPService(p.url, "my-db", "importer"))
	person := p.signIn(t, "app")
	idToken := browser.IDToken(t, person)
	caller := tried.Accepts(t, trial.AccessToken, auth, person.AccessToken)
	signedIn := tried.Accepts(t, trial.IDToken, auth, idToken)
	service := tried.Accepts(t, trial.ServiceToken, auth, p.service(t, "importer"))
	if caller.Description() != "access" || signedIn.Description() != "id" || service.Description() != "services" {
		t.Errorf("accepted by %q, %q, %q", caller.Description(), signedIn.Description(), service.Description())
	}
	if service.Subject() != "client:importer" {
		t.Errorf("the service is %q", service.Subject())
	}
	if caller.Subject() != "dwho" || caller.Identity() != signedIn.Identity() || !caller.HasScope("email") {
		t.Errorf("the caller is %q, and %q by the ID token", caller.Subject(), signedIn.Subject())
	}
	ordinary := p.signIn(t, "ordinary")
	people := issuers.LemonLDAPAccess(p.url, "my-db", "app", "ordinary", "elsewhere")
	people.Audiences = append(people.Audiences, "app", "ordinary")
	access := authenticator(t, people)
	tried.Refuses(t, access, []trial.Refusal{
		{Name: "access token", Token: person.AccessToken},
		{Name: "ID token of the same sign-in", Token: idToken, Want: oidcauth.ErrRule},
		{Name: "opaque access token, as clients get it unless told otherwise", Token: ordinary.AccessToken, Want: oidcauth.ErrMalformedToken},
		{Name: "ID token with a MAC", Token: browser.IDToken(t, ordinary), Want: oidcauth.ErrAlgorithm},
		{Name: "access token of a client that took the person's name", Token: p.service(t, "dwho"), Want: oidcauth.ErrRule},
		{Name: "access token for another server", Token: p.service(t, "elsewhere"), Want: oidcauth.ErrAudience},
		{Name: "signature with another character", Token: trial.Tampered(person.AccessToken), Want: oidcauth.ErrSignature},
	})
	ids := authenticator(t, issuers.LemonLDAPID(p.url, "app", "my-db"))
	if _, err := ids.Authenticate(t.Context(), person.AccessToken); !errors.Is(err, oidcauth.ErrRule) {
		t.Errorf("access token where ID tokens are sent: Authenticate() error = %v, want %v", err, oidcauth.ErrRule)
	}
}

// The portal's own program replaces the key at once: what was signed before is good
// no more once the new key is known.
func (p portal) rotation(t *testing.T) {
	tried.Saw(t, trial.Rotation, "accepted at once")
	auth := authenticator(t, issuers.LemonLDAPService(p.url, "my-db", "importer"))
	before := p.service(t, "importer")
	if _, err := auth.Authenticate(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	p.rotate(t)
	after := p.awaitKeyID(t)
	if _, err := auth.Authenticate(t.Context(), after); err != nil {
		t.Errorf("token of the new key: Authenticate() error = %v", err)
	}
	if _, err := auth.Authenticate(t.Context(), before); err == nil {
		t.Error("a token of the withdrawn key is accepted")
	}
}

// awaitKeyID gets tokens until one has a key ID, which the first key has not: the
// portal reads its configuration once a second.
func (p portal) awaitKeyID(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		token := p.service(t, "importer")
		if !strings.Contains(trial.Header(t, token), "no kid") {
			return token
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	t.Fatal("the portal signs with the old key")
	return ""
}
