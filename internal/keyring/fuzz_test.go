package keyring_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyring"
)

// FuzzDecode: a file that is read has keys that belong together, one that signs among
// them, and is the same ring when it is written and read again.
func FuzzDecode(f *testing.F) {
	former, err := os.ReadFile("testdata/version1.json")
	if err != nil {
		f.Fatal(err)
	}
	ring, err := keyring.New(time.Unix(1e9, 0))
	if err != nil {
		f.Fatal(err)
	}
	if ring, err = ring.Rotate(time.Unix(1e9+60, 0)); err != nil {
		f.Fatal(err)
	}
	fresh, err := keyring.Encode(ring)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(former)
	f.Add(fresh)
	f.Add(slices.Concat(fresh, fresh))
	f.Add(bytes.Replace(fresh, []byte(`"active"`), []byte(`"next"`), 1))
	f.Add(exchanged(f, fresh))
	f.Add([]byte(`{"version":2,"id":"a","longest":"1h","keys":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := keyring.Decode(body)
		if err != nil {
			if !errors.Is(err, keyring.ErrRing) {
				t.Errorf("error = %v, want ErrRing", err)
			}
			return
		}
		if !json.Valid(body) || r.Active().Private == nil {
			t.Fatalf("read a ring from %q", body)
		}
		for _, k := range r.Keys {
			checkPair(t, k)
		}
		if r.ID == "" {
			r.ID = "of version 1" // which an update chooses
		}
		again, err := keyring.Encode(r)
		if err != nil {
			t.Fatalf("the ring cannot be written: %v", err)
		}
		back, err := keyring.Decode(again)
		if err != nil || back.Generation != r.Generation || back.Issuer != r.Issuer || back.Longest != r.Longest || !slices.Equal(back.Gone, r.Gone) || len(back.Keys) != len(r.Keys) {
			t.Fatalf("wrote %+v, read %+v, %v", r, back, err)
		}
		for i, k := range back.Keys {
			same := k.ID == r.Keys[i].ID && k.State == r.Keys[i].State && k.Imported == r.Keys[i].Imported && k.Created.Equal(r.Keys[i].Created) &&
				k.Retired.Equal(r.Keys[i].Retired) && k.KeepUntil.Equal(r.Keys[i].KeepUntil)
			if !same {
				t.Errorf("wrote %+v, read %+v", r.Keys[i], k)
			}
		}
	})
}

// exchanged is a file in which two keys have each other's private half.
func exchanged(f *testing.F, body []byte) []byte {
	var file map[string]any
	if err := json.Unmarshal(body, &file); err != nil {
		f.Fatal(err)
	}
	var halves []map[string]any
	for _, k := range file["keys"].([]any) {
		if jwk := k.(map[string]any)["jwk"].(map[string]any); jwk["d"] != nil {
			halves = append(halves, jwk)
		}
	}
	halves[0]["d"], halves[1]["d"] = halves[1]["d"], halves[0]["d"]
	changed, err := json.Marshal(file)
	if err != nil {
		f.Fatal(err)
	}
	return changed
}

// checkPair expects a key whose halves belong together, and to its name.
func checkPair(t *testing.T, k keyring.Key) {
	t.Helper()
	if id, err := keyring.Thumbprint(k.Public); err != nil || id != k.ID {
		t.Errorf("key %q is %q, %v", k.ID, id, err)
	}
	if k.Private == nil {
		return
	}
	private, err := k.Private.ECDH()
	if err != nil {
		t.Fatalf("key %q: %v", k.ID, err)
	}
	if public, err := k.Public.ECDH(); err != nil || !private.PublicKey().Equal(public) {
		t.Errorf("key %q: its halves are of different keys", k.ID)
	}
}

// A branch is what somebody makes of a copy of a ring.
type branch struct {
	t    *testing.T
	now  time.Time
	ring keyring.Ring
}

// do takes one step; others are keys that either branch may import.
func (b *branch) do(step byte, others []*ecdsa.PublicKey) {
	b.now = b.now.Add(time.Duration(1+step>>5) * time.Minute)
	next, err := b.ring, error(nil)
	place := int(step>>3) % len(b.ring.Keys)
	switch step % 6 {
	case 0:
		next, err = b.ring.Rotate(b.now)
	case 1:
		if next, err = b.ring.Remove(b.ring.Keys[place].ID); err != nil {
			return
		}
	case 2:
		if next, _, err = b.ring.Import(others[int(step>>3)%len(others)], b.now); err != nil {
			return // was removed
		}
	case 3:
		next, _, err = b.ring.Admit("https://a.test", time.Duration(step)*time.Minute, step > 250)
	case 4:
		next = b.ring.Current(b.now.Add(time.Duration(step) * time.Minute))
	case 5: // what the other branch may have had before
		if next, _, err = b.ring.Import(b.ring.Keys[place].Public, b.now); err != nil {
			return
		}
	}
	if err != nil {
		b.t.Fatal(err)
	}
	next.Generation++
	b.ring = next
}

// FuzzMerge: whatever became of two copies of a ring, together they are a ring again,
// in which nothing that either removed is there, nothing that either has is missing,
// and nothing that either retired signs.
func FuzzMerge(f *testing.F) {
	for _, seed := range [][2]string{{"", ""}, {"\x00", "\x00\x00"}, {"\x00\x01", "\x02"}, {"\x00\x00\x04\x84", "\x03"}, {"\x02\x0a\x09", "\x0a\x12\x00\x19"}, {"\x00", "\x42\x52\x62\x72"}} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	first, err := keyring.New(start)
	if err != nil {
		f.Fatal(err)
	}
	first.Longest = time.Hour
	others := []*ecdsa.PublicKey{first.Keys[1].Public} // which a branch from before may import
	for range 3 {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		others = append(others, &key.PublicKey)
	}
	f.Fuzz(func(t *testing.T, here, there []byte) {
		a, b := &branch{t, start, first}, &branch{t, start, first}
		for _, step := range here[:min(len(here), 12)] {
			a.do(step, others)
		}
		for _, k := range a.ring.Keys[:1] { // b may know keys of a as somebody else's
			others := append(others[:len(others):len(others)], k.Public)
			for _, step := range there[:min(len(there), 12)] {
				b.do(step, others)
			}
		}
		merged, changed, err := a.ring.Merge(b.ring, start.Add(24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keyring.Encode(merged); err != nil {
			t.Fatalf("what was merged cannot be written: %v", err)
		}
		if again, more, err := merged.Merge(b.ring, start.Add(24*time.Hour)); err != nil || more || changed && !merged.Follows(a.ring) {
			t.Errorf("merged again: %+v, changed %t, %v", again, more, err)
		}
		now := states(merged)
		for _, r := range []keyring.Ring{a.ring, b.ring} {
			for _, id := range r.Gone {
				if _, found := now[id]; found || !slices.Contains(merged.Gone, id) {
					t.Errorf("key %q was removed, and is there or not noted", id)
				}
			}
			for id, was := range states(r) {
				if state, found := now[id]; !found && !slices.Contains(merged.Gone, id) || was == keyring.Retired && found && state != keyring.Retired {
					t.Errorf("key %q was %s, and is %q", id, was, state)
				}
			}
		}
	})
}

// FuzzParsePEM: a key that is read is that of the standard library's parsers, on the one
// curve, and the same when it is written and read again.
func FuzzParsePEM(f *testing.F) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		public, _ := x509.MarshalPKIXPublicKey(&key.PublicKey)
		pkcs8, _ := x509.MarshalPKCS8PrivateKey(key)
		sec1, _ := x509.MarshalECPrivateKey(key)
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
		f.Add(text)
		f.Add(slices.Concat(text, text))
		f.Add(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
		f.Add(slices.Concat([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), text))
		f.Add(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"DEK-Info": "x"}, Bytes: sec1}))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := keyring.ParsePEM(text)
		if err != nil {
			if !errors.Is(err, keyring.ErrRing) || key != nil {
				t.Errorf("ParsePEM() = %v, %v, want ErrRing alone", key, err)
			}
			return
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil || key.Curve != elliptic.P256() {
			t.Fatalf("read a key of %v: %v", key.Curve.Params().Name, err)
		}
		again, err := keyring.ParsePEM(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		if err != nil || !again.Equal(key) {
			t.Errorf("wrote a key and read %v, %v", again, err)
		}
	})
}
