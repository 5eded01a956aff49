package sigcheck_test

import (
	"crypto"
	_ "crypto/sha1" // for a mask that is refused
	"testing"
)

// TestVerifyPSS_Hostile offers messages that the key itself signed with one thing
// wrong about their encoding, for moduli whose messages have each number of unused
// bits, a byte less than the modulus included.
func TestVerifyPSS_Hostile(t *testing.T) {
	t.Parallel()
	for bits := 2041; bits <= 2057; bits++ {
		s := newSigner(t, bits, 65537, 1)
		for _, hash := range hashes {
			checkHostilePSS(t, s, hash, bits)
		}
	}
}

func checkHostilePSS(t *testing.T, s *signer, hash crypto.Hash, bits int) {
	t.Helper()
	digest := digestOf(hash, []byte("message"))
	with := func(change func(*pss)) pss {
		p := goodPSS(hash, digest)
		change(&p)
		return p
	}
	salted := func(length int) pss {
		return with(func(p *pss) { p.salt = append(p.salt, p.salt...)[:length] })
	}
	padded := func(change func(padding []byte)) pss {
		return with(func(p *pss) { p.change = change })
	}
	size := hash.Size()
	otherHash := crypto.SHA512
	if hash == crypto.SHA512 {
		otherHash = crypto.SHA256
	}
	tests := []struct {
		name string
		pss  pss
		want bool
	}{
		{"as it should be", goodPSS(hash, digest), true},
		{"another salt as long", with(func(p *pss) { p.salt[0]++ }), true},
		{"no salt", salted(0), false},
		{"a salt of one byte", salted(1), false},
		{"a salt of twenty bytes", salted(20), false},
		{"a salt one byte short", salted(size - 1), false},
		{"a salt one byte long", salted(size + 1), false},
		{"a salt twice as long", salted(2 * size), false},
		{"trailer bd", with(func(p *pss) { p.trailer = 0xbd }), false},
		{"trailer cc", with(func(p *pss) { p.trailer = 0xcc }), false},
		{"trailer 0", with(func(p *pss) { p.trailer = 0 }), false},
		{"mask of SHA-1", with(func(p *pss) { p.mask = crypto.SHA1 }), false},
		{"mask of another hash", with(func(p *pss) { p.mask = otherHash }), false},
		{"seven zeros in front of the digest", with(func(p *pss) { p.zeros = 7 }), false},
		{"no zeros in front of the digest", with(func(p *pss) { p.zeros = 0 }), false},
		{"first bit of the hash changed", with(func(p *pss) { p.changeHash = func(h []byte) { h[0] ^= 0x80 } }), false},
		{"last bit of the hash changed", with(func(p *pss) { p.changeHash = func(h []byte) { h[size-1] ^= 1 } }), false},
		{"last bit of the digest changed", with(func(p *pss) { p.digest = replaced(digest, size-1, digest[size-1]^1) }), false},
		{"digest of another message", with(func(p *pss) { p.digest = digestOf(hash, []byte("another")) }), false},
		{"padding begins with one", padded(func(padding []byte) { padding[min(1, len(padding)-2)] = 1 }), false},
		{"padding ends with ff", padded(func(padding []byte) { padding[len(padding)-2] = 0xff }), false},
		{"01 too early", padded(func(padding []byte) { padding[len(padding)-2], padding[len(padding)-1] = 1, 0 }), false},
		{"00 in front of the salt", padded(func(padding []byte) { padding[len(padding)-1] = 0 }), false},
		{"02 in front of the salt", padded(func(padding []byte) { padding[len(padding)-1] = 2 }), false},
		{"81 in front of the salt", padded(func(padding []byte) { padding[len(padding)-1] = 0x81 }), false},
	}
	for _, tt := range tests {
		encoded := filled(s.public.Size(), tt.pss.encode(bits-1))
		checkPSS(t, s, hash, digest, attempt{tt.name, s.sign(encoded), tt.want})
	}
	checkUnusedBits(t, s, hash, bits)
}

// checkUnusedBits sets each bit that a message must not have, in messages that are
// good without it. Only those below the modulus can be signed.
func checkUnusedBits(t *testing.T, s *signer, hash crypto.Hash, bits int) {
	t.Helper()
	tried := 0
	for i := byte(0); i < 200 && tried < 2; i++ {
		digest := digestOf(hash, []byte{i})
		encoded := filled(s.public.Size(), goodPSS(hash, digest).encode(bits-1))
		index, bit := 0, byte(1)<<((bits-1)%8) // the first bit too many
		encoded[index] |= bit
		if !s.below(encoded) {
			continue
		}
		tried++
		checkPSS(t, s, hash, digest, attempt{"an unused bit set", s.sign(encoded), false})
		encoded[index] &^= bit
		checkPSS(t, s, hash, digest, attempt{"an unused bit not set", s.sign(encoded), true})
	}
	if tried == 0 {
		t.Errorf("%d bits, %v: no message with an unused bit was below the modulus", bits, hash)
	}
}

// TestVerifyPSS_NoRoom requires a modulus that has no room for a hash and its salt to
// verify nothing, and one that just has to verify.
func TestVerifyPSS_NoRoom(t *testing.T) {
	t.Parallel()
	digest := digestOf(crypto.SHA512, []byte("message"))
	for bits, want := range map[int]bool{1024: false, 1025: false, 1032: false, 1033: false, 1034: true, 1040: true, 1041: true} {
		s := newSigner(t, bits, 65537, 1)
		encoded := goodPSS(crypto.SHA512, digest).encode(bits - 1)
		if encoded == nil {
			encoded = filled(s.public.Size(), []byte{0xbc})
		}
		checkPSS(t, s, crypto.SHA512, digest, attempt{"as much as there is room for", s.sign(encoded), want})
	}
}
