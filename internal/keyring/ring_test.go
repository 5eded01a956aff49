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
	if n := len(r.Current(old.KeepUntil.Add(time.Second)).Keys); n != 2 {
		t.Errorf("%d keys after the last token, want 2", n)
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
		want error
	}{
		{"PKCS #8", pkcs8, nil},
		{"SEC 1", sec1, nil},
		{"SEC 1 behind its parameters", "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + sec1, nil},
		{"public", public, nil},
		{"a pair", pkcs8 + public, nil},
		{"a pair that is none", pkcs8 + publicPEM(t, other.Public()), keyring.ErrRing},
		{"nothing", "", keyring.ErrRing},
		{"text", "hello", keyring.ErrRing},
		{"a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", keyring.ErrRing},
		{"damaged", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", keyring.ErrRing},
		{"another curve", pkcs8PEM(t, p384), keyring.ErrRing},
		{"Ed25519", pkcs8PEM(t, edwards), keyring.ErrRing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := keyring.ParsePEM([]byte(tt.text))
			if !errors.Is(err, tt.want) {
				t.Fatalf("ParsePEM() error = %v, want %v", err, tt.want)
			}
			if err == nil && !got.Equal(key.Public()) {
				t.Error("ParsePEM() gave another key")
			}
		})
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	r, err := keyring.New(time.Now())
	must(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	r, id, err := r.Import(&key.PublicKey, time.Now())
	must(t, err)
	if k := r.Keys[0]; k.ID != id || !k.Imported || k.State != keyring.Retired || k.Private != nil || !k.KeepUntil.IsZero() {
		t.Errorf("imported key: got %+v, want one that verifies for good, before all others", k)
	}
	again, _, err := r.Import(&key.PublicKey, time.Now())
	if err != nil || len(again.Keys) != len(r.Keys) {
		t.Errorf("Import() again: error = %v, %d keys, want none and %d", err, len(again.Keys), len(r.Keys))
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
		{"a point that is not on the curve", &ecdsa.PublicKey{Curve: elliptic.P256(), X: good.X, Y: good.X}, keyring.ErrRing},
	} {
		if err := keyring.CheckPublic(tt.key); !errors.Is(err, tt.want) {
			t.Errorf("%s: CheckPublic() error = %v, want %v", tt.name, err, tt.want)
		}
	}
}
