//lint:file-ignore SA1019 only by their coordinates can impossible keys be made

package keyring_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyring"
)

func TestRotate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r, err := keyring.New(now)
	must(t, err)
	r.Longest = time.Hour
	first, next := r.Keys[0], r.Keys[1]
	r, err = r.Rotate(now)
	must(t, err)
	if r.Active().ID != next.ID || len(r.Keys) != 3 {
		t.Fatalf("after Rotate %q of %d keys signs, want the one published before, %q of 3", r.Active().ID, len(r.Keys), next.ID)
	}
	old := r.Keys[0]
	if old.ID != first.ID || old.State != keyring.Retired || old.Private != nil || !old.KeepUntil.After(now.Add(time.Hour)) {
		t.Errorf("the former key: got %s, private half %t, kept until %v", old.State, old.Private != nil, old.KeepUntil)
	}
	if n := len(r.Current(old.KeepUntil).Keys); n != 3 {
		t.Errorf("%d keys while the last token is good, want 3", n)
	}
	if after := r.Current(old.KeepUntil.Add(time.Second)); len(after.Keys) != 2 || !slices.Equal(after.Gone, []string{first.ID}) {
		t.Errorf("%d keys after the last token, and %q gone, want 2, and the first gone", len(after.Keys), after.Gone)
	}
	r.NoExpiry = true
	r, err = r.Rotate(now)
	must(t, err)
	if n := len(r.Current(now.AddDate(50, 0, 0)).Keys); n != 3 {
		t.Errorf("%d keys in 50 years, want 3: one may have tokens that never expire", n)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	r, err := keyring.New(time.Now())
	must(t, err)
	first := r.Active().ID
	if _, err := r.Remove(first); !errors.Is(err, keyring.ErrRing) {
		t.Errorf("Remove(active) error = %v, want %v", err, keyring.ErrRing)
	}
	r, err = r.Rotate(time.Now())
	must(t, err)
	if _, err := r.Remove("other"); !errors.Is(err, keyring.ErrRing) {
		t.Errorf("Remove(unknown) error = %v, want %v", err, keyring.ErrRing)
	}
	if r, err = r.Remove(first); err != nil || len(r.Keys) != 2 {
		t.Errorf("Remove(retired) error = %v, %d keys left, want none and 2", err, len(r.Keys))
	}
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	r, changed, err := keyring.Ring{}.Admit("localhost", time.Hour, false)
	if err != nil || !changed {
		t.Fatalf("Admit() error = %v, changed %t", err, changed)
	}
	if _, changed, err := r.Admit("", time.Minute, false); err != nil || changed {
		t.Errorf("Admit() of the same: error = %v, changed %t", err, changed)
	}
	for _, tt := range []struct {
		name     string
		issuer   string
		longest  time.Duration
		noExpiry bool
		news     bool
	}{
		{"the same", "localhost", time.Hour, false, false},
		{"no issuer", "", time.Hour, false, false},
		{"shorter lives", "localhost", time.Minute, false, false},
		{"longer lives", "localhost", 2 * time.Hour, false, true},
		{"tokens that never expire", "localhost", time.Hour, true, true},
	} {
		next, changed, err := r.Admit(tt.issuer, tt.longest, tt.noExpiry)
		if err != nil || changed != tt.news || next.Issuer != "localhost" || next.Longest != max(time.Hour, tt.longest) || next.NoExpiry != tt.noExpiry {
			t.Errorf("%s: Admit() = %+v, changed %t, error %v, want a change: %t", tt.name, next, changed, err, tt.news)
		}
		if again, changed, err := next.Admit("localhost", time.Hour, false); err != nil || changed || again.NoExpiry != tt.noExpiry {
			t.Errorf("%s: Admit() of less: %+v, changed %t, error %v, want that nothing is forgotten", tt.name, again, changed, err)
		}
	}
	if _, changed, err := (keyring.Ring{Longest: time.Hour}).Admit("localhost", time.Hour, false); err != nil || !changed {
		t.Errorf("Admit() of an issuer alone: error = %v, changed %t", err, changed)
	}
	if _, _, err := r.Admit("other", time.Hour, false); !errors.Is(err, keyring.ErrRing) {
		t.Errorf("Admit() of another issuer: error = %v, want %v", err, keyring.ErrRing)
	}
}

func TestParsePEM(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	pkcs8, sec1, public := pkcs8PEM(t, key), sec1PEM(t, key), publicPEM(t, key.Public())
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	tests := []struct {
		name string
		text string
		want string // the error; empty for none
	}{
		{"PKCS #8", pkcs8, ""},
		{"SEC 1", sec1, ""},
		{"SEC 1 behind its parameters", "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + sec1, ""},
		{"public", public, ""},
		{"a pair", pkcs8 + public, ""},
		{"a pair that is none", pkcs8 + publicPEM(t, other.Public()), "the PEM blocks are of different keys"},
		{"nothing", "", "no PEM block found"},
		{"text", "hello", "no PEM block found"},
		{"a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", `PEM block of type "CERTIFICATE", want PRIVATE KEY, EC PRIVATE KEY or PUBLIC KEY`},
		{"damaged", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "PEM block PRIVATE KEY is damaged"},
		{"damaged behind a good one", public + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "PEM block PRIVATE KEY is damaged"},
		{"encrypted", "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n", "the private key is encrypted"},
		{"another curve", pkcs8PEM(t, p384), "got a key that is not on the curve P-256, which ES256 needs"},
		{"Ed25519", pkcs8PEM(t, edwards), "PEM block PRIVATE KEY: got ed25519.PrivateKey, want an ECDSA key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := keyring.ParsePEM([]byte(tt.text))
			switch {
			case tt.want != "":
				if !errors.Is(err, keyring.ErrRing) || err.Error() != tt.want {
					t.Errorf("ParsePEM() error = %v, want %q", err, tt.want)
				}
			case err != nil || !got.Equal(key.Public()):
				t.Errorf("ParsePEM() = %v, error %v, want the key", got, err)
			}
		})
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r, err := keyring.New(now)
	must(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	r, id, err := r.Import(&key.PublicKey, now)
	must(t, err)
	if k := r.Keys[0]; k.ID != id || !k.Imported || k.State != keyring.Retired || k.Private != nil || !k.KeepUntil.IsZero() {
		t.Errorf("imported key: got %+v, want one that verifies for good, before all others", k)
	}
	again, _, err := r.Import(&key.PublicKey, now.Add(time.Hour))
	if err != nil || len(again.Keys) != len(r.Keys) || !again.Keys[0].Created.Equal(now) {
		t.Errorf("Import() again: error = %v, %d keys, the first of %v, want none, %d and %v", err, len(again.Keys), again.Keys[0].Created, len(r.Keys), now)
	}
	for _, k := range r.Keys[1:] {
		want := fmt.Sprintf("key %q is %s here, and not another's", k.ID, k.State)
		if _, _, err := r.Import(k.Public, now); !errors.Is(err, keyring.ErrRing) || !strings.Contains(err.Error(), want) {
			t.Errorf("Import() of what is to sign here: error = %v, want %q", err, want)
		}
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	if _, _, err := r.Import(&other.PublicKey, now); !errors.Is(err, keyring.ErrRing) {
		t.Errorf("Import() of another curve's key: error = %v, want %v", err, keyring.ErrRing)
	}
}

// Eight keys may come from elsewhere, and stand in the order in which they came.
func TestImport_Many(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	var want, got []string
	for range 8 {
		want = append(want, h.add())
	}
	for _, k := range h.Keys {
		if k.Imported {
			got = append(got, k.ID)
		}
	}
	if !slices.Equal(got, want) || h.Keys[8].Imported {
		t.Errorf("imported %q, want %q, in front of all others", got, want)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	if _, _, err := h.Import(&key.PublicKey, h.now); !errors.Is(err, keyring.ErrRing) || !strings.Contains(err.Error(), "got 8 imported keys already, want 8 at most") {
		t.Errorf("Import() of a ninth: error = %v, want %v", err, keyring.ErrRing)
	}
}

// A ring that is full of keys that are kept is rotated no more.
func TestRotate_Full(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	for n := range 497 {
		h.Keys = append(h.Keys, keyring.Key{ID: fmt.Sprint(n), State: keyring.Retired})
	}
	h.rotate(1)
	if len(h.Keys) != 500 {
		t.Errorf("%d keys, want 500", len(h.Keys))
	}
	if r, err := h.Rotate(h.now); !errors.Is(err, keyring.ErrRing) || !strings.Contains(err.Error(), "got 500 keys, want less than 500: remove some that are retired") {
		t.Errorf("Rotate() = %d keys, error %v, want %v", len(r.Keys), err, keyring.ErrRing)
	}
}

// Others find what signs now in front, behind what was imported.
func TestPublished(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r, err := keyring.New(now)
	must(t, err)
	var own, imported []string
	for range 3 {
		own = append(own, r.Active().ID)
		r, err = r.Rotate(now)
		must(t, err)
	}
	active, next := r.Active().ID, r.Keys[len(r.Keys)-1].ID
	for range 2 {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		var id string
		r, id, err = r.Import(&key.PublicKey, now)
		must(t, err)
		imported = append(imported, id)
	}
	slices.Reverse(own)
	var got []string
	for _, k := range r.Published() {
		got = append(got, k.ID)
	}
	if want := slices.Concat(imported, []string{active, next}, own); !slices.Equal(got, want) {
		t.Errorf("Published() = %q, want %q", got, want)
	}
}

// Short tokens under keys that change every two minutes: their keys are kept for a day more
// as long as there is room, and then the oldest go, none before its own tokens.
func TestRotate_Often(t *testing.T) {
	t.Parallel()
	const lifetime, every = 10 * time.Minute, 2 * time.Minute
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r, err := keyring.New(now)
	must(t, err)
	r, _, err = r.Admit("https://a.test", lifetime, false)
	must(t, err)
	for range 720 {
		now = now.Add(every)
		r, err = r.Rotate(now)
		must(t, err)
	}
	if len(r.Keys) != 300 || len(r.Gone) != 722-300 {
		t.Errorf("%d keys, %d gone, want 300 and the others", len(r.Keys), len(r.Gone))
	}
	for i, k := range r.Keys[1:] {
		if k.Created.Before(r.Keys[i].Created) || slices.Contains(r.Gone, k.ID) {
			t.Fatalf("key %d is older than the one before, or gone", i+1)
		}
	}
}

// Early keys are let go of only when nothing that they signed can be good, here or
// in another copy of the directory.
func TestRotate_KeepsWhatTokensNeed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const longest = time.Hour
	end := now.Add(-longest - 10*time.Minute) // what was retired before has no tokens left
	for name, tt := range map[string]struct {
		retired, keepUntil time.Time
		imported, goes     bool
	}{
		"its tokens have expired":        {end.Add(-time.Second), now.Add(24*time.Hour - time.Second), false, true},
		"the last expires now":           {end, now.Add(24 * time.Hour), false, false},
		"another copy signed for longer": {end.Add(-time.Hour), now.Add(24 * time.Hour), false, false},
		"its tokens lived shorter once":  {end, now.Add(time.Hour), false, false},
		"for ever":                       {end.Add(-time.Hour), time.Time{}, false, false},
		"imported":                       {end.Add(-time.Hour), time.Time{}, true, false},
	} {
		r, err := keyring.New(now)
		must(t, err)
		r.Longest = longest
		old := keyring.Key{ID: "old", State: keyring.Retired, Imported: tt.imported, Retired: tt.retired, KeepUntil: tt.keepUntil}
		keys := []keyring.Key{old}
		for n := range 497 {
			keys = append(keys, keyring.Key{ID: fmt.Sprint(n), State: keyring.Retired})
		}
		r.Keys = append(keys, r.Keys...)
		rotated, err := r.Rotate(now)
		if tt.goes != (err == nil) {
			t.Errorf("%s: Rotate() error = %v, want that it goes: %v", name, err, tt.goes)
		}
		if tt.goes && (len(rotated.Keys) != 500 || !slices.Equal(rotated.Gone, []string{"old"})) {
			t.Errorf("%s: %d keys, %q gone", name, len(rotated.Keys), rotated.Gone)
		}
		if len(r.Keys) != 500 || r.Keys[0].ID != "old" {
			t.Errorf("%s: the ring of before has changed", name)
		}
	}
}

func TestThumbprint(t *testing.T) {
	t.Parallel()
	if id, err := keyring.Thumbprint("no key"); !errors.Is(err, keyring.ErrRing) || id != "" {
		t.Errorf("Thumbprint() = %q, error %v, want %v", id, err, keyring.ErrRing)
	}
}

func pkcs8PEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func sec1PEM(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

func publicPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// A key that ES256 cannot use is refused, whoever gives it.
func TestCheckPublic(t *testing.T) {
	t.Parallel()
	good, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		key  *ecdsa.PublicKey
		want error
	}{
		{"a good one", &good.PublicKey, nil},
		{"none", nil, keyring.ErrRing},
		{"one of another curve", &other.PublicKey, keyring.ErrRing},
		{"one without a curve", &ecdsa.PublicKey{X: good.X, Y: good.Y}, keyring.ErrRing},
		{"one without a point", &ecdsa.PublicKey{Curve: elliptic.P256()}, keyring.ErrRing},
		{"one without x", &ecdsa.PublicKey{Curve: elliptic.P256(), Y: good.Y}, keyring.ErrRing},
		{"one without y", &ecdsa.PublicKey{Curve: elliptic.P256(), X: good.X}, keyring.ErrRing},
		{"a point that is not on the curve", &ecdsa.PublicKey{Curve: elliptic.P256(), X: good.X, Y: good.X}, keyring.ErrRing},
	} {
		if err := keyring.CheckPublic(tt.key); !errors.Is(err, tt.want) {
			t.Errorf("%s: CheckPublic() error = %v, want %v", tt.name, err, tt.want)
		}
	}
}
