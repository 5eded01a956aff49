package sigcheck_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"filippo.io/edwards25519"

	"github.com/oidcauth/oidcauth/internal/sigcheck"
)

// groupOrder is the order of the base point (RFC 8032, section 5.1).
var groupOrder, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

func testEd25519(tb testing.TB) (ed25519.PublicKey, ed25519.PrivateKey) {
	tb.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	return private.Public().(ed25519.PublicKey), private
}

// checkEd25519 requires the verdict of the standard library, and returns it.
func checkEd25519(t *testing.T, name string, public ed25519.PublicKey, message, signature []byte) bool {
	t.Helper()
	standard := ed25519.Verify(public, message, signature)
	key, err := sigcheck.NewEd25519(public)
	if err != nil {
		if standard {
			t.Errorf("%s: NewEd25519(%x) error = %v, but the standard library verifies", name, public, err)
		}
		return standard
	}
	if got := key.Verify(message, signature); got != standard {
		t.Errorf("%s: Verify() = %v, the standard library %v (key %x, message %x, signature %x)", name, got, standard, public, message, signature)
	}
	return standard
}

func TestNewEd25519(t *testing.T) {
	good, _ := testEd25519(t)
	offCurve := slices.Clone(good)
	for offCurve[0]++; ; offCurve[0]++ {
		if _, err := new(edwards25519.Point).SetBytes(offCurve); err != nil {
			break
		}
	}
	tests := []struct {
		name string
		key  ed25519.PublicKey
		want error
	}{
		{"good", good, nil},
		{"no point of the curve", offCurve, sigcheck.ErrKey},
		{"a byte missing", good[:31], sigcheck.ErrKey},
		{"a byte more", append(slices.Clone(good), 0), sigcheck.ErrKey},
		{"no key", nil, sigcheck.ErrKey},
		{"the neutral element", neutral.Bytes(), nil},
	}
	for _, tt := range tests {
		key, err := sigcheck.NewEd25519(tt.key)
		if !errors.Is(err, tt.want) || (key == nil) != (err != nil) {
			t.Errorf("%s: NewEd25519() = %v, %v, want error %v", tt.name, key, err, tt.want)
		}
	}
}

// TestEd25519_Hostile offers signatures in other forms, beside the good one.
func TestEd25519_Hostile(t *testing.T) {
	public, private := testEd25519(t)
	message := []byte("message")
	good := ed25519.Sign(private, message)
	r, s := good[:32], good[32:]
	plus := func(n *big.Int) []byte { return littleEndian(new(big.Int).Add(number(s), n)) }
	tests := []struct {
		name      string
		signature []byte
		want      bool
	}{
		{"good", good, true},
		{"S raised by the order", slices.Concat(r, plus(groupOrder)), false},
		{"S raised by eight times the order", slices.Concat(r, plus(new(big.Int).Lsh(groupOrder, 3))), false},
		{"S is the order", slices.Concat(r, littleEndian(groupOrder)), false},
		{"S negated", slices.Concat(r, littleEndian(new(big.Int).Sub(groupOrder, number(s)))), false},
		{"S zero", slices.Concat(r, make([]byte, 32)), false},
		{"highest bit of S set", slices.Concat(r, replaced(s, 31, s[31]|0x80)), false},
		{"third highest bit of S set", slices.Concat(r, replaced(s, 31, s[31]|0x20)), false},
		{"S all ones", slices.Concat(r, bytes.Repeat([]byte{0xff}, 32)), false},
		{"R negated", slices.Concat(replaced(r, 31, r[31]^0x80), s), false},
		{"R all ones", slices.Concat(bytes.Repeat([]byte{0xff}, 32), s), false},
		{"R is no point of the curve", slices.Concat(bytes.Repeat([]byte{2}, 32), s), false},
		{"R and S swapped", slices.Concat(s, r), false},
		{"zero", make([]byte, 64), false},
		{"empty", nil, false},
		{"a byte missing", good[:63], false},
		{"a byte more", append(slices.Clone(good), 0), false},
		{"R alone", r, false},
	}
	for _, tt := range tests {
		if got := checkEd25519(t, tt.name, public, message, tt.signature); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestEd25519_Lengths verifies messages of each length around those of buffers and of
// the hash's blocks, and none with a bit changed.
func TestEd25519_Lengths(t *testing.T) {
	public, private := testEd25519(t)
	for _, length := range []int{0, 1, 47, 48, 63, 64, 111, 112, 127, 128, 1000, 2047, 2048, 2049, 2112, 2113, 20000} {
		message := []byte(strings.Repeat("m", length))
		signature := ed25519.Sign(private, message)
		if !checkEd25519(t, "good", public, message, signature) {
			t.Errorf("%d bytes: not verified", length)
		}
		for i := range signature {
			if checkEd25519(t, "a bit changed", public, message, replaced(signature, i, signature[i]^4)) {
				t.Errorf("%d bytes: verified with byte %d changed", length, i)
			}
		}
		if length > 0 && checkEd25519(t, "another message", public, replaced(message, length-1, 'n'), signature) {
			t.Errorf("%d bytes: verified for another message", length)
		}
	}
}

func number(littleEndian []byte) *big.Int { return new(big.Int).SetBytes(reversed(littleEndian)) }

func littleEndian(n *big.Int) []byte { return reversed(n.FillBytes(make([]byte, 32))) }

func scalar(n *big.Int) *edwards25519.Scalar {
	s, err := edwards25519.NewScalar().SetCanonicalBytes(littleEndian(new(big.Int).Mod(n, groupOrder)))
	if err != nil {
		panic(err)
	}
	return s
}

var neutral = edwards25519.NewIdentityPoint()

// smallOrder are the eight points whose order divides eight.
func smallOrder() []*edwards25519.Point {
	// One of order eight is some point times the order of the group.
	for y := byte(2); ; y++ {
		p, err := new(edwards25519.Point).SetBytes(append([]byte{y}, make([]byte, 31)...))
		if err != nil {
			continue
		}
		q := new(edwards25519.Point).ScalarMult(scalar(new(big.Int).Sub(groupOrder, big.NewInt(1))), p)
		q.Add(q, p)
		four := new(edwards25519.Point).Add(q, q)
		if four.Add(four, four); four.Equal(neutral) == 1 {
			continue
		}
		points := []*edwards25519.Point{edwards25519.NewIdentityPoint()}
		for len(points) < 8 {
			points = append(points, new(edwards25519.Point).Add(points[len(points)-1], q))
		}
		return points
	}
}

// encodings are the ways to write a point: the canonical one, and those that are
// decoded to the same point although the number is not below the field's, or zero
// bears a sign.
func encodings(p *edwards25519.Point) [][]byte {
	all := [][]byte{p.Bytes()}
	field := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	for _, sign := range []byte{0, 0x80} {
		y := number(replaced(p.Bytes(), 31, p.Bytes()[31]&0x7f))
		for _, value := range []*big.Int{y, new(big.Int).Add(y, field)} {
			if value.BitLen() > 255 {
				continue
			}
			encoded := littleEndian(value)
			encoded[31] |= sign
			q, err := new(edwards25519.Point).SetBytes(encoded)
			if err == nil && q.Equal(p) == 1 && !bytes.Equal(encoded, all[0]) {
				all = append(all, encoded)
			}
		}
	}
	return all
}

// TestEd25519_SmallOrder tries each point of small order, in each of its encodings,
// as public key and as R. Which of them verify depends on the message, and differs
// between implementations: with the cofactor or without, with canonical encodings
// or any.
func TestEd25519_SmallOrder(t *testing.T) {
	var all [][]byte
	for _, p := range smallOrder() {
		all = append(all, encodings(p)...)
	}
	if len(all) < 14 {
		t.Fatalf("got %d encodings, want 14", len(all))
	}
	verified, tried := 0, 0
	for _, public := range all {
		for _, r := range all {
			for message := range byte(16) {
				tried++
				if checkEd25519(t, "small order", public, []byte{message}, slices.Concat(r, make([]byte, 32))) {
					verified++
				}
			}
		}
	}
	if verified == 0 || verified > tried/2 {
		t.Errorf("%d of %d verified, want some and not most", verified, tried)
	}
}

// TestEd25519_MixedOrder adds a point of small order to a public key, or to R: then
// only the check with the cofactor verifies each signature.
func TestEd25519_MixedOrder(t *testing.T) {
	secret, nonce := scalar(big.NewInt(123456789)), scalar(big.NewInt(987654321))
	a := new(edwards25519.Point).ScalarBaseMult(secret)
	r := new(edwards25519.Point).ScalarBaseMult(nonce)
	verified, refused := 0, 0
	for _, keyPart := range smallOrder() {
		for _, rPart := range smallOrder() {
			public := new(edwards25519.Point).Add(a, keyPart).Bytes()
			encoded := new(edwards25519.Point).Add(r, rPart).Bytes()
			for message := range byte(8) {
				h := sha512.Sum512(slices.Concat(encoded, public, []byte{message}))
				challenge, err := edwards25519.NewScalar().SetUniformBytes(h[:])
				if err != nil {
					t.Fatal(err)
				}
				s := edwards25519.NewScalar().MultiplyAdd(challenge, secret, nonce)
				if checkEd25519(t, "mixed order", public, []byte{message}, slices.Concat(encoded, s.Bytes())) {
					verified++
				} else {
					refused++
				}
			}
		}
	}
	if verified == 0 || refused < verified {
		t.Errorf("%d verified and %d refused, want more refused than verified, and some verified", verified, refused)
	}
}

func TestEd25519_Allocations(t *testing.T) {
	public, private := testEd25519(t)
	message := make([]byte, 1500)
	signature := ed25519.Sign(private, message)
	key, err := sigcheck.NewEd25519(public)
	if err != nil {
		t.Fatal(err)
	}
	got := testing.AllocsPerRun(100, func() {
		if !key.Verify(message, signature) {
			t.Error("not verified")
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}

// TestEd25519_Bytes requires keys to take no more memory than they say.
func TestEd25519_Bytes(t *testing.T) {
	public, _ := testEd25519(t)
	got := weigh(func() any {
		key, _ := sigcheck.NewEd25519(public)
		return key
	})
	key, err := sigcheck.NewEd25519(public)
	if err != nil {
		t.Fatal(err)
	}
	if want := key.Bytes(); got > want || got < want/2 {
		t.Errorf("a key takes %d bytes, Bytes() = %d", got, want)
	}
}
