package spring_test

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/interop/internal/browser"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
	"github.com/oidcauth/oidcauth/issuers"
)

// authenticator returns one that has the descriptions given.
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

// One start serves all, for it takes seconds.
func TestSpring(t *testing.T) {
	i := start(t)
	t.Run("published", func(t *testing.T) {
		tried.Published(t, string(i), string(i)+"/.well-known/openid-configuration")
		tried.Saw(t, trial.Logout, "none")
	})
	t.Run("accepts", i.accepts)
	t.Run("refuses", i.refuses)
	t.Run("command", i.command)
	t.Run("rotation", i.rotation) // the last one: it withdraws a key
}

// The descriptions in package issuers accept what each is for, for the same caller.
func (i issuer) accepts(t *testing.T) {
	access := issuers.SpringAccess(string(i), "app")
	access.Roles = []oidcauth.Path{{"roles"}}
	auth := authenticator(t, access, issuers.SpringID(string(i), "app"), issuers.SpringService(string(i), "importer"))
	person := i.alice(t, "openid")
	caller := tried.Accepts(t, trial.AccessToken, auth, person.AccessToken)
	signedIn := tried.Accepts(t, trial.IDToken, auth, browser.IDToken(t, person))
	service := tried.Accepts(t, trial.ServiceToken, auth, i.service(t, "importer"))

	if caller.Description() != "access" || signedIn.Description() != "id" || service.Description() != "services" {
		t.Errorf("accepted by %q, %q, %q", caller.Description(), signedIn.Description(), service.Description())
	}
	if caller.Subject() != "alice" || caller.Identity() != signedIn.Identity() || service.Subject() != "client:importer" {
		t.Errorf("subjects %q, %q by the ID token, and %q of the service", caller.Subject(), signedIn.Subject(), service.Subject())
	}
	if !caller.HasScope("openid") || caller.HasScope("profile") || !service.HasScope("write") {
		t.Errorf("scopes %q and %q", slices.Collect(caller.Scopes()), slices.Collect(service.Scopes()))
	}
	// How somebody signed in is an authority like any other to Spring Security 7.
	if got := slices.Sorted(caller.Roles()); !slices.Equal(got, []string{"FACTOR_PASSWORD", "ROLE_player"}) {
		t.Errorf("Roles() = %q", got)
	}
}

func (i issuer) refuses(t *testing.T) {
	auth := authenticator(t, issuers.SpringAccess(string(i), "app"))
	person := i.alice(t, "openid")
	tried.Refuses(t, auth, []trial.Refusal{
		{Name: "access token", Token: person.AccessToken},
		{Name: "ID token of the same sign-in", Token: browser.IDToken(t, person), Want: oidcauth.ErrRule},
		{Name: "refresh token, which is opaque", Token: person.RefreshToken, Want: oidcauth.ErrMalformedToken},
		{Name: "access token of another client", Token: i.service(t, "importer"), Want: oidcauth.ErrAudience},
		{Name: "access token of a client that took the person's name", Token: i.service(t, "alice"), Want: oidcauth.ErrAudience},
		{Name: "signature with another character", Token: trial.Tampered(person.AccessToken), Want: oidcauth.ErrSignature},
	})
	only := authenticator(t, issuers.SpringID(string(i), "app"))
	if _, err := only.Authenticate(t.Context(), person.AccessToken); !errors.Is(err, oidcauth.ErrRule) {
		t.Errorf("access token where ID tokens are sent: Authenticate() error = %v, want %v", err, oidcauth.ErrRule)
	}
}

// command gets the token of a client that is registered for one way to send its secret,
// while the discovery document lists two, and the server takes no other.
func (i issuer) command(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "oidcauth")
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/oidcauth/oidcauth/cmd/oidcauth").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	token := func(flags ...string) (string, error) {
		args := append([]string{"token", "client-credentials", "--issuer", string(i), "--allow-insecure-http", "--client-id", "post", "--scope", "write"}, flags...)
		command := exec.CommandContext(t.Context(), binary, args...)
		command.Env = append(os.Environ(), "OIDCAUTH_CLIENT_SECRET=post-secret")
		printed, err := command.Output()
		return strings.TrimSuffix(string(printed), "\n"), err
	}
	var refused *exec.ExitError
	if _, err := token(); !errors.As(err, &refused) || !strings.Contains(string(refused.Stderr), "--client-auth") {
		t.Errorf("by basic: error = %v, want one that names the flag", err)
	}
	got, err := token("--client-auth", "client_secret_post")
	if err != nil {
		t.Fatal(err)
	}
	auth := authenticator(t, issuers.SpringService(string(i), "post"))
	if claims, err := auth.Authenticate(t.Context(), got); err != nil || claims.Subject() != "client:post" {
		t.Errorf("by post: Authenticate() error = %v", err)
	}
}

// rotation has a new key sign, and then withdraws the old one.
func (i issuer) rotation(t *testing.T) {
	tried.Saw(t, trial.Rotation, "accepted at once")
	auth := authenticator(t, issuers.SpringService(string(i), "importer"))
	before := i.service(t, "importer")
	if _, err := auth.Authenticate(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	i.tell(t, http.MethodPost, "/test/keys")
	after := i.service(t, "importer")
	for name, token := range map[string]string{"old": before, "new": after} {
		if _, err := auth.Authenticate(t.Context(), token); err != nil {
			t.Errorf("token of the %s key: Authenticate() error = %v", name, err)
		}
	}
	i.tell(t, http.MethodDelete, "/test/keys")
	fresh := authenticator(t, issuers.SpringService(string(i), "importer"))
	if _, err := fresh.Authenticate(t.Context(), before); !errors.Is(err, oidcauth.ErrUnknownKey) {
		t.Errorf("token of the withdrawn key: Authenticate() error = %v, want %v", err, oidcauth.ErrUnknownKey)
	}
	if _, err := fresh.Authenticate(t.Context(), after); err != nil {
		t.Errorf("token of the new key: Authenticate() error = %v", err)
	}
}
