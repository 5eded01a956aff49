package keycloak_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/interop/internal/programs"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
)

var tried = trial.New("keycloak", "Keycloak", programs.KeycloakVersion)

// fixture is what the tests share, for a Keycloak takes half a minute to start.
// It is set before the first test and not changed afterwards.
var fixture struct {
	server *keycloak
	signer *clientKey
	reason error // why there is no server
}

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() || programs.Keycloak.Missing() != nil {
		fixture.reason = errors.New("a Keycloak takes longer than -short allows")
		os.Exit(tried.Done(programs.Main(m, programs.Keycloak)))
	}
	os.Exit(tried.Done(startAndRun(m)))
}

func startAndRun(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "keycloak-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	fixture.reason = startFixture(dir)
	if s := fixture.server; s != nil {
		defer func() {
			if err := s.stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}()
	}
	return m.Run()
}

func startFixture(dir string) error {
	home, err := programs.KeycloakHome()
	if err != nil {
		return err
	}
	if fixture.signer, err = newClientKey(dir); err != nil {
		return err
	}
	s, err := newServer(home, dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if err := s.start(ctx); err != nil {
		return err
	}
	fixture.server = s
	return s.importRealm(ctx, "testdata/realm.json", fixture.signer.public)
}

// running returns the server, or skips the test where -short is set.
func running(t *testing.T) *keycloak {
	t.Helper()
	switch err := fixture.reason; {
	case err == nil:
	case testing.Short():
		t.Skip(err)
	default:
		t.Fatal(err)
	}
	return fixture.server
}

func TestAuthenticate_Person(t *testing.T) {
	s := running(t)
	auth, _ := s.authenticator(t)
	claims, err := auth.Authenticate(t.Context(), s.alice(t).AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	wantRoles(t, claims, "player", "writer", "/staff/referees")
	if claims.Identity() != identity.New(s.issuer(), claims.Subject()) {
		t.Errorf("Identity() = %v, not that of issuer and subject", claims.Identity())
	}
	for _, scope := range []string{"openid", "profile", "email"} {
		if !claims.HasScope(scope) {
			t.Errorf("Scopes() = %q, want %q among them", slices.Collect(claims.Scopes()), scope)
		}
	}
	if claims.SessionID() == "" || claims.TokenID() == "" {
		t.Errorf("SessionID() = %q, TokenID() = %q, want both", claims.SessionID(), claims.TokenID())
	}
	again, err := auth.Authenticate(t.Context(), s.alice(t).AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if again.Identity() != claims.Identity() {
		t.Error("the same person has another identity after another sign-in")
	}
}

func TestAuthenticate_Service(t *testing.T) {
	s := running(t)
	auth, fetches := s.authenticator(t)
	claims, err := auth.Authenticate(t.Context(), s.service(t, "importer"))
	if err != nil {
		t.Fatal(err)
	}
	wantRoles(t, claims, "service", "reader", "writer")
	var decoded struct {
		Client string `json:"azp"`
		Name   string `json:"preferred_username"`
	}
	if err := claims.Decode(&decoded); err != nil {
		t.Fatal(err)
	}
	if decoded.Client != "importer" || decoded.Name != "service-account-importer" {
		t.Errorf("Decode() = %+v, want the service account of importer", decoded)
	}
	if got := fetches.keys.Load(); got != 1 {
		t.Errorf("the keys were fetched %d times, want 1", got)
	}
}

func wantRoles(t *testing.T, claims *oidcauth.Claims, want ...string) {
	t.Helper()
	got := slices.Sorted(claims.Roles())
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("Roles() = %q, want %q", got, want)
	}
}

// TestAuthenticate_Refused shows real tokens that are not for this server, or
// not access tokens. The ID token is for the right audience.
func TestAuthenticate_Refused(t *testing.T) {
	s := running(t)
	auth, _ := s.authenticator(t)
	person := s.alice(t)
	idToken, ok := person.Extra("id_token").(string)
	if !ok {
		t.Fatal("no ID token")
	}
	tried.Accepts(t, trial.AccessToken, auth, person.AccessToken)
	tried.Accepts(t, trial.ServiceToken, auth, s.service(t, "importer"))
	tried.Refuses(t, auth, []trial.Refusal{
		{Name: "access token", Token: person.AccessToken},
		{Name: "ID token of the same sign-in", Token: idToken, Want: oidcauth.ErrRule},
		{Name: "refresh token, which has a MAC", Token: person.RefreshToken, Want: oidcauth.ErrAlgorithm},
		{Name: "access token for another server", Token: s.service(t, "accountant"), Want: oidcauth.ErrAudience},
		{Name: "access token of the master realm", Token: s.masterToken(t), Want: oidcauth.ErrUnknownIssuer},
		{Name: "signature with another character", Token: trial.Tampered(person.AccessToken), Want: oidcauth.ErrSignature},
	})
}

func TestPublished(t *testing.T) {
	s := running(t)
	tried.Published(t, s.issuer(), s.issuer()+"/.well-known/openid-configuration")
}

// TestAuthenticate_Rotation rotates the realm's key as an administrator would:
// a new key takes over, the old one stays for a while, then goes.
func TestAuthenticate_Rotation(t *testing.T) {
	s := running(t)
	tried.Saw(t, trial.Rotation, "accepted at once")
	auth, fetches := s.authenticator(t)
	before := s.service(t, "importer")
	accepts(t, auth, before)
	oldKey := s.signingKey(t)

	s.rotate(t, 200)
	s.retire(t, oldKey)
	newKey := s.signingKey(t)
	if newKey.KeyID == oldKey.KeyID {
		t.Fatal("the realm still signs with the old key")
	}
	after := s.service(t, "importer")
	if claims := accepts(t, auth, after); claims.KeyID() != newKey.KeyID {
		t.Errorf("KeyID() = %q, want the new key %q", claims.KeyID(), newKey.KeyID)
	}
	if got := fetches.keys.Load(); got != 2 {
		t.Errorf("the keys were fetched %d times, want 2: at first, and for the new key", got)
	}
	accepts(t, auth, before)

	s.remove(t, oldKey)
	fresh, _ := s.authenticator(t)
	if _, err := fresh.Authenticate(t.Context(), before); !errors.Is(err, oidcauth.ErrUnknownKey) {
		t.Errorf("token of the deleted key: Authenticate() error = %v, want %v", err, oidcauth.ErrUnknownKey)
	}
	accepts(t, fresh, after)
	s.secondRotation(t, auth, before, after)
}

// secondRotation has the running authenticator fetch the keys again: the key
// that was deleted is then trusted no more, although its token was cached.
func (s *keycloak) secondRotation(t *testing.T, auth *oidcauth.Authenticator, deleted, current string) {
	t.Helper()
	s.rotate(t, 300)
	newest := s.service(t, "importer")
	// Unknown keys cost the issuer two fetches in ten seconds at most, so that
	// this one may have to wait. It is not refused meanwhile.
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err := auth.Authenticate(t.Context(), newest)
		if err == nil {
			break
		}
		if !errors.Is(err, oidcauth.ErrKeysUnavailable) || time.Now().After(deadline) {
			t.Fatalf("Authenticate() error = %v with the newest key", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if _, err := auth.Authenticate(t.Context(), deleted); !errors.Is(err, oidcauth.ErrUnknownKey) {
		t.Errorf("token of the deleted key: Authenticate() error = %v, want %v", err, oidcauth.ErrUnknownKey)
	}
	accepts(t, auth, current)
}

func accepts(t *testing.T, auth *oidcauth.Authenticator, token string) *oidcauth.Claims {
	t.Helper()
	claims, err := auth.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatalf("Authenticate() error = %v", err)
	}
	return claims
}

// TestAuthenticate_Outage stops the server: its tokens are good all the same,
// and nobody waits for it. Then it comes back.
func TestAuthenticate_Outage(t *testing.T) {
	s := running(t)
	auth, fetches := s.authenticator(t)
	shown, kept := s.service(t, "importer"), s.alice(t).AccessToken
	accepts(t, auth, shown)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	accepts(t, auth, shown)
	accepts(t, auth, kept)
	late, _ := s.authenticator(t)
	if _, err := late.Authenticate(t.Context(), shown); !errors.Is(err, oidcauth.ErrKeysUnavailable) {
		t.Errorf("without keys: Authenticate() error = %v, want %v", err, oidcauth.ErrKeysUnavailable)
	}
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	accepts(t, auth, s.service(t, "importer"))
	accepts(t, auth, shown)
	if got := fetches.keys.Load(); got != 1 {
		t.Errorf("the keys were fetched %d times, want 1 for an outage that nobody noticed", got)
	}
}
