package keyring_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyring"
)

// keysOf are what a ring says of keys, but for their times and the secrets of tickets.
func keysOf(t *testing.T, r keyring.Ring) (all []string) {
	t.Helper()
	for _, k := range r.Keys {
		text := k.ID + " " + string(k.State)
		if k.Imported {
			text += " imported"
		}
		checkPair(t, k)
		if k.Private != nil {
			text += " signs"
		}
		all = append(all, text)
	}
	return all
}

// Whichever bit of the file flips, the ring is refused, or has the same keys, each with
// its halves, in the same places. What may change without being noticed is a time, the
// length of a life, a ticket's secret, the names of issuer and ring, and of a key that
// is gone: a sum over the file would tell, and its format has none.
func TestDecode_FlippedBit(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r, err := keyring.New(now)
	must(t, err)
	r, _, err = r.Admit("https://db.example.com", 24*time.Hour, false)
	must(t, err)
	for range 2 {
		r, err = r.Rotate(now)
		must(t, err)
	}
	r, err = r.Remove(r.Keys[0].ID)
	must(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	r, _, err = r.Import(&key.PublicKey, now)
	must(t, err)
	whole, err := keyring.Encode(r)
	must(t, err)
	want, read, refused := keysOf(t, r), 0, 0
	for i := range whole {
		for _, bit := range []int{i, i + 3, i + 5} { // each in its turn
			body := bytes.Clone(whole)
			body[i] ^= 1 << (bit % 8)
			changed, err := keyring.Decode(body)
			if err != nil {
				if refused++; !errors.Is(err, keyring.ErrRing) {
					t.Errorf("byte %d, bit %d: error = %v, want %v", i, bit%8, err, keyring.ErrRing)
				}
				continue
			}
			read++
			if got := keysOf(t, changed); !slices.Equal(got, want) || changed.NoExpiry != r.NoExpiry || len(changed.Gone) != len(r.Gone) {
				t.Errorf("byte %d, bit %d: read %q, want %q or an error:\n%s", i, bit%8, got, want, body)
			}
		}
	}
	t.Logf("%d refused, %d read", refused, read)
	if read == 0 || refused < 5*read {
		t.Errorf("%d refused, %d read: want that most are refused, and not all", refused, read)
	}
}
