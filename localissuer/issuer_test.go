package localissuer_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

func TestIssuer(t *testing.T) {
	t.Parallel()
	l := newLocal(t, localissuer.Config{})
	a := trusting(t, l)
	token, id, err := l.Issue(t.Context(), localissuer.Request{Claims: map[string]any{"roles": []string{"guest"}}})
	if err != nil {
		t.Fatalf("Issue() error = %v", err)
	}
	c, err := a.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatalf("Authenticate() error = %v", err)
	}
	if c.Identity() != id || id != identity.New("localhost", c.Subject()) {
		t.Errorf("Identity() = %v, Issue gave %v", c.Identity(), id)
	}
	if hex, _ := c.Lookup("hex_identity"); string(hex) != `"`+id.String()+`"` {
		t.Errorf("hex_identity is %s, want %v", hex, id)
	}
	if life := time.Until(c.Expiry()); life < 23*time.Hour || life > 24*time.Hour {
		t.Errorf("the token lives %v, want 24h", life)
	}
	if !c.HasAudience(testAudience) || !c.HasRole("guest") || c.TokenID() == "" || c.KeyID() != l.Keys()[0].ID || c.IssuedAt().IsZero() {
		t.Errorf("got claims %s under key %q", c.Payload(), c.KeyID())
	}
	alice := issue(t, l, localissuer.Request{Subject: "alice", Lifetime: time.Minute, Audiences: []string{testAudience, "b"}})
	c, err = a.Authenticate(t.Context(), alice)
	if err != nil || c.Subject() != "alice" || !c.HasAudience("b") || time.Until(c.Expiry()) > time.Minute {
		t.Errorf("Authenticate(alice) = %v, error %v", c, err)
	}
}

// Whoever has no name gets one that nobody else has: a random UUID.
func TestIssuer_NewSubjects(t *testing.T) {
	t.Parallel()
	l := newLocal(t, localissuer.Config{})
	a := trusting(t, l)
	random := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 50 { // by chance some bits are right
		subject := authenticate(t, a, issue(t, l, localissuer.Request{})).Subject()
		if !random.MatchString(subject) || seen[subject] {
			t.Fatalf("Subject() = %q, want a random UUID, which was not given before: %t", subject, !seen[subject])
		}
		seen[subject] = true
	}
}

func TestIssuer_Issue_Refused(t *testing.T) {
	t.Parallel()
	l := newLocal(t, localissuer.Config{MaxLifetime: 48 * time.Hour})
	tests := []struct {
		name string
		r    localissuer.Request
		want string // empty: accepted
	}{
		{"the longest lifetime", localissuer.Request{Lifetime: 48 * time.Hour}, ""},
		{"a longer lifetime", localissuer.Request{Lifetime: 48*time.Hour + 1}, "lifetime"},
		{"a negative lifetime", localissuer.Request{Lifetime: -1}, "lifetime"},
		{"a lifetime of no second", localissuer.Request{Lifetime: 999 * time.Millisecond}, "want a second at least"},
		{"a lifetime without unit", localissuer.Request{Lifetime: 3600}, "lifetime"},
		{"no expiry", localissuer.Request{NoExpiry: true}, "never expires"},
		{"an empty audience", localissuer.Request{Audiences: []string{"a", ""}}, "Audiences"},
		{"the longest subject", localissuer.Request{Subject: strings.Repeat("x", 2048)}, ""},
		{"a longer subject", localissuer.Request{Subject: strings.Repeat("x", 2049)}, "subject"},
		{"a subject that is no text", localissuer.Request{Subject: "\xff"}, "subject"},
		{"another's audience", localissuer.Request{Audiences: []string{"archive"}}, ""},
		{"a claim", localissuer.Request{Claims: map[string]any{"name": "<&>"}}, ""},
		{"a claim that is no JSON", localissuer.Request{Claims: map[string]any{"f": func() {}}}, "Claims"},
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "hex_identity", "events", "cnf", "original_token", "org"} {
		want := `"` + name + `"`
		if name == "org" { // the twin
			want = ""
		}
		tests = append(tests, struct {
			name string
			r    localissuer.Request
			want string
		}{"the claim " + name, localissuer.Request{Claims: map[string]any{name: "x"}}, want})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token, _, err := l.Issue(t.Context(), tt.r)
			switch {
			case tt.want == "" && (err != nil || token == ""):
				t.Errorf("Issue() error = %v, want none", err)
			case tt.want != "" && (err == nil || token != "" || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Issue() error = %v, want one about %q", err, tt.want)
			}
		})
	}
}

// Who is new is named by a UUID, all of whose bits are random but those that say so (RFC
// 9562, section 5.4).
func TestIssue_UUID(t *testing.T) {
	t.Parallel()
	l, ctx := newLocal(t, localissuer.Config{}), t.Context()
	var ever, always [16]byte
	for i := range always {
		always[i] = 0xff
	}
	for range 64 {
		token, _, err := l.Issue(ctx, localissuer.Request{})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		var claims struct{ Sub string }
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Fatal(err)
		}
		uuid, err := hex.DecodeString(strings.ReplaceAll(claims.Sub, "-", ""))
		if err != nil || len(uuid) != 16 || len(claims.Sub) != 36 {
			t.Fatalf("got subject %q, want a UUID", claims.Sub)
		}
		for i, b := range uuid {
			ever[i] |= b
			always[i] &= b
		}
	}
	if want := "ffffffffffff4fffbfffffffffffffff"; hex.EncodeToString(ever[:]) != want {
		t.Errorf("bits that are ever set: %x, want %s", ever, want)
	}
	if want := "00000000000040008000000000000000"; hex.EncodeToString(always[:]) != want {
		t.Errorf("bits that are always set: %x, want %s", always, want)
	}
}

// A token lives for as long as the configuration says, where its request says nothing.
func TestConfig_Lifetime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		cfg  localissuer.Config
		want time.Duration
	}{
		{"nothing", localissuer.Config{}, 24 * time.Hour},
		{"a lifetime", localissuer.Config{Lifetime: time.Hour}, time.Hour},
		{"a longer one", localissuer.Config{Lifetime: 36 * time.Hour}, 36 * time.Hour},
		{"the longest", localissuer.Config{MaxLifetime: 48 * time.Hour}, 24 * time.Hour},
		{"the longest, a short one", localissuer.Config{MaxLifetime: time.Hour}, time.Hour},
		{"both", localissuer.Config{Lifetime: time.Hour, MaxLifetime: 48 * time.Hour}, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLocal(t, tt.cfg)
				if got := time.Until(authenticate(t, trusting(t, l), issue(t, l, localissuer.Request{})).Expiry()); got != tt.want {
					t.Errorf("the token lives %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestNew_Refused(t *testing.T) {
	t.Parallel()
	taken := filepath.Join(t.TempDir(), "keys")
	newLocal(t, localissuer.Config{Dir: taken})
	fresh := func() string { return filepath.Join(t.TempDir(), "keys") }
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	audiences := []string{"a"}
	tests := []struct {
		name string
		cfg  localissuer.Config
		want string // empty: accepted
	}{
		{"a new directory", localissuer.Config{URL: "localhost", Dir: fresh(), Audiences: audiences}, ""},
		{"a directory that has a name", localissuer.Config{Dir: taken, Audiences: audiences}, ""},
		{"a new directory without a name", localissuer.Config{Dir: fresh(), Audiences: audiences}, "URL"},
		{"another name", localissuer.Config{URL: "other", Dir: taken, Audiences: audiences}, `"other"`},
		{"a name with a bar", localissuer.Config{URL: "a|b", Dir: fresh(), Audiences: audiences}, `Config.URL: issuer "a|b"`},
		{"no keys", localissuer.Config{URL: "localhost", Audiences: audiences}, "Dir and Signer"},
		{"two sources of keys", localissuer.Config{URL: "localhost", Dir: fresh(), Signer: p384, Audiences: audiences}, "Dir and Signer"},
		{"no audience", localissuer.Config{URL: "localhost", Dir: fresh()}, "Audiences"},
		{"an empty audience", localissuer.Config{URL: "localhost", Dir: fresh(), Audiences: []string{""}}, "Audiences"},
		{"a lifetime above the longest", localissuer.Config{URL: "localhost", Dir: fresh(), Audiences: audiences, Lifetime: 2 * time.Second, MaxLifetime: time.Second}, "Lifetime"},
		{"a lifetime without unit", localissuer.Config{URL: "localhost", Dir: fresh(), Audiences: audiences, Lifetime: 3600}, "Lifetime"},
		{"a longest lifetime without unit", localissuer.Config{URL: "localhost", Dir: fresh(), Audiences: audiences, MaxLifetime: 3600}, "Lifetime"},
		{"the longest lifetime", localissuer.Config{URL: "localhost", Dir: fresh(), Audiences: audiences, Lifetime: time.Hour, MaxLifetime: time.Hour}, ""},
		{"a lifetime alone", localissuer.Config{URL: "localhost", Dir: fresh(), Audiences: audiences, Lifetime: time.Hour}, ""},
		{"a negative lifetime", localissuer.Config{URL: "localhost", Dir: fresh(), Audiences: audiences, Lifetime: -1}, "Lifetime"},
		{"a lifetime of no second", localissuer.Config{URL: "localhost", Dir: fresh(), Audiences: audiences, Lifetime: 999 * time.Millisecond}, "want a second at least"},
		{"a longest lifetime of no second", localissuer.Config{URL: "localhost", Dir: fresh(), Audiences: audiences, MaxLifetime: 999 * time.Millisecond}, "want a second at least"},
		{"a negative longest lifetime", localissuer.Config{URL: "localhost", Dir: fresh(), Audiences: audiences, MaxLifetime: -1}, "Lifetime"},
		{"a signer without a name", localissuer.Config{Signer: newKey(t), Audiences: audiences}, "Config.URL: "},
		{"a signer of another kind", localissuer.Config{URL: "x", Signer: edwards, Audiences: audiences}, "ed25519"},
		{"a signer of another curve", localissuer.Config{URL: "x", Signer: p384, Audiences: audiences}, "P-256"},
		{"a signer without a point", localissuer.Config{URL: "x", Signer: pointless{}, Audiences: audiences}, "point"},
		{"a retired key without a point", localissuer.Config{URL: "x", Signer: newKey(t), RetiredKeys: []crypto.PublicKey{pointless{}.Public()}, Audiences: audiences}, "point"},
		{"a retired key of another kind", localissuer.Config{URL: "x", Signer: newKey(t), RetiredKeys: []crypto.PublicKey{edwards.Public()}, Audiences: audiences}, "Config.RetiredKeys: got a key of type ed25519"},
		{"a retired key with a directory", localissuer.Config{URL: "localhost", Dir: fresh(), RetiredKeys: []crypto.PublicKey{newKey(t).Public()}, Audiences: audiences}, "Config.RetiredKeys: with Dir"},
		{"a secret of one byte with a directory", localissuer.Config{URL: "localhost", Dir: fresh(), TicketSecret: []byte{1}, Audiences: audiences}, "Config.TicketSecret: got 1 bytes"},
		{"a signer with a retired key", localissuer.Config{URL: "x", Signer: newKey(t), RetiredKeys: []crypto.PublicKey{newKey(t).Public()}, Audiences: audiences}, ""},
		{"a signer", localissuer.Config{URL: "x", Signer: newKey(t), Audiences: audiences}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := localissuer.New(tt.cfg)
			if err == nil {
				l.Close()
			}
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("New() error = %v, want none", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "localissuer: ")):
				t.Errorf("New() error = %v, want one about %q", err, tt.want)
			}
			if _, err := os.Stat(tt.cfg.Dir); (tt.want == "" || tt.cfg.Dir == taken) != (err == nil) && tt.cfg.Dir != "" {
				t.Errorf("New() leaves a directory: %t", err == nil)
			}
		})
	}
}

// hidden is a key in a KMS: it signs and shows its public half.
type hidden struct{ crypto.Signer }

func TestIssuer_Signer(t *testing.T) {
	t.Parallel()
	before, now := newKey(t), newKey(t)
	old := newLocal(t, localissuer.Config{Signer: hidden{before}})
	l := newLocal(t, localissuer.Config{Signer: hidden{now}, RetiredKeys: []crypto.PublicKey{before.Public()}})
	a := trusting(t, l)
	for _, issuer := range []*localissuer.Issuer{old, l} {
		if _, err := a.Authenticate(t.Context(), issue(t, issuer, localissuer.Request{})); err != nil {
			t.Errorf("Authenticate() error = %v", err)
		}
	}
	if _, err := trusting(t, old).Authenticate(t.Context(), issue(t, l, localissuer.Request{})); !errors.Is(err, oidcauth.ErrUnknownKey) {
		t.Errorf("Authenticate() under a key that is not there: error = %v, want %v", err, oidcauth.ErrUnknownKey)
	}
	if err := l.Rotate(t.Context()); err == nil {
		t.Error("Rotate() error = nil for a key that is not ours")
	}
}

// snapshotToken is from the snapshot tests of SpacetimeDB's C# client: its key is
// not known, so that it serves for its form alone.
const snapshotToken = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJoZXhfaWRlbnRpdHkiOiJjMjAwNDgzMTUyZDY0MmM3ZDQwMmRlMDZjYWNjMzZkY2IwYzJhMWYyYmJlYjhlN2Q1YTY3M2YyNDM1Y2NhOTc1Iiwic3ViIjoiNmQ0YjU0MzAtMDBjZi00YTk5LTkzMmMtYWQyZDA3YmFiODQxIiwiaXNzIjoibG9jYWxob3N0IiwiYXVkIjpbInNwYWNldGltZWRiIl0sImlhdCI6MTczNzY2NTc2OSwiZXhwIjpudWxsfQ.GaKhvswWYW6wpPpK70_-Tw8DKjKJ2qnidwwj1fTUf3mctcsm_UusPYSws_pSW3qGnMNnGjEXt7rRNvGvuWf9ow"

func TestUnverifiedClaims_SpacetimeDB(t *testing.T) {
	t.Parallel()
	payload := hostile.Decode(t, strings.Split(snapshotToken, ".")[1])
	l := newLocal(t, localissuer.Config{NoExpiry: true, Audiences: []string{"spacetimedb"}})
	c, err := oidcauth.UnverifiedClaims([]byte(payload), l.Issuer())
	if err != nil {
		t.Fatalf("UnverifiedClaims() error = %v", err)
	}
	if got, want := c.Identity().String(), "c200483152d642c7d402de06cacc36dcb0c2a1f2bbeb8e7d5a673f2435cca975"; got != want {
		t.Errorf("Identity() = %s, want %s", got, want)
	}
	if !c.Expiry().IsZero() || !c.HasAudience("spacetimedb") {
		t.Errorf("Expiry() = %v, Audience() = %q", c.Expiry(), slices.Collect(c.Audience()))
	}
	strict := newLocal(t, localissuer.Config{})
	if _, err := oidcauth.UnverifiedClaims([]byte(payload), strict.Issuer()); !errors.Is(err, oidcauth.ErrClaim) {
		t.Errorf("UnverifiedClaims() without NoExpiry: error = %v, want %v", err, oidcauth.ErrClaim)
	}
	// The same token under a key that is known.
	key := newKey(t)
	if _, err := l.Import(t.Context(), privatePEM(t, key)); err != nil {
		t.Fatal(err)
	}
	if c, err := trusting(t, l).Authenticate(t.Context(), signAs(t, key, "JWT", payload)); err != nil || c.Subject() != "6d4b5430-00cf-4a99-932c-ad2d07bab841" {
		t.Errorf("Authenticate() error = %v", err)
	}
	forged := strings.Replace(payload, "c200483152", "c200483153", 1)
	if _, err := trusting(t, l).Authenticate(t.Context(), signAs(t, key, "JWT", forged)); !errors.Is(err, oidcauth.ErrClaim) {
		t.Errorf("Authenticate() with another's hex_identity: error = %v, want %v", err, oidcauth.ErrClaim)
	}
}

// The local issuer's key is no other issuer's.
func TestIssuer_VouchesForItselfOnly(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	l := newLocal(t, localissuer.Config{Signer: key})
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, l.Issuer()}, Client: issuer.Client()})
	claims := func(iss string) string {
		return `{"iss":"` + iss + `","sub":"alice","aud":["my-db"],"exp":4102444800}`
	}
	if _, err := a.Authenticate(t.Context(), signAs(t, key, "JWT", claims("localhost"))); err != nil {
		t.Errorf("Authenticate() error = %v", err)
	}
	if _, err := a.Authenticate(t.Context(), signAs(t, key, "JWT", claims(issuer.URL()))); !errors.Is(err, oidcauth.ErrSignature) {
		t.Errorf("Authenticate() for another issuer: error = %v, want %v", err, oidcauth.ErrSignature)
	}
	if _, err := a.Authenticate(t.Context(), signAs(t, key, "JWT", claims("https://elsewhere.test"))); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
		t.Errorf("Authenticate() for an unknown issuer: error = %v, want %v", err, oidcauth.ErrUnknownIssuer)
	}
}

func TestIssuer_Misused(t *testing.T) {
	t.Parallel()
	l := newLocal(t, localissuer.Config{})
	renamed, remote, good := l.Issuer(), l.Issuer(), l.Issuer()
	renamed.URL = "other"
	remote.Keys.JWKSURL = "https://keys.test"
	good.Aliases = []string{"former"}
	for _, issuer := range []oidcauth.Issuer{renamed, remote} {
		if a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{issuer}}); err == nil || !strings.Contains(err.Error(), "Source") {
			t.Errorf("New() error = %v, want one about Source", err)
			if err == nil {
				a.Close()
			}
		}
	}
	newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{good}})
}

// A retired key is there as long as its tokens can be, and no longer.
func TestIssuer_RetiredKeyGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := &leap{}
		l, a := clock.local(t, filepath.Join(t.TempDir(), "keys"), time.Hour)
		first := l.Keys()[0].ID
		token := issue(t, l, localissuer.Request{})
		if err := l.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if _, err := a.Authenticate(t.Context(), token); err != nil {
			t.Errorf("Authenticate() error = %v within the token's life and leeway", err)
		}
		clock.over(25 * time.Hour)
		for _, k := range l.Keys() {
			if k.ID == first {
				t.Errorf("the key is still there: %+v", k)
			}
		}
		if keys, err := a.Keys(context.Background(), "localhost"); err != nil || len(keys.Keys) != 2 {
			t.Errorf("the Authenticator has %d keys, error %v, want 2", len(keys.Keys), err)
		}
	})
}
