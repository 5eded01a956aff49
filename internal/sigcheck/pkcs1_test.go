package sigcheck_test

import (
	"bytes"
	"crypto"
	"fmt"
	"math/big"
	"slices"
	"testing"
)

// TestVerifyPKCS1v15_Hostile offers what broken implementations have accepted, beside
// the encoding that is right. Each row is a message that the key itself signed, so that
// nothing but the comparison of encodings can refuse it.
func TestVerifyPKCS1v15_Hostile(t *testing.T) {
	t.Parallel()
	digest := digestOf(crypto.SHA256, []byte("message"))
	info := digestInfo[crypto.SHA256]
	for _, bits := range []int{2048, 2049, 2055, 3072} {
		s := newSigner(t, bits, 65537, 1)
		size := s.public.Size()
		good := func() []byte { return pkcs1(size, info, digest) }
		changed := func(index int, value byte) []byte {
			encoded := good()
			encoded[index] = value
			return encoded
		}
		garbage := bytes.Repeat([]byte{0xa5}, 100)
		rest := size - 3 - 8 - len(info) - len(digest) // what the shortest padding leaves
		tests := []struct {
			name    string
			encoded []byte
			want    bool
		}{
			{"as it should be", good(), true},
			{"garbage behind the digest, padding short (Bleichenbacher, CVE-2006-4339)", slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 8), []byte{0}, info, digest, make([]byte, rest)), false},
			{"a byte behind the digest", pkcs1(size, info, digest, []byte{0}), false},
			{"a byte of garbage behind the digest", pkcs1(size, info, digest, []byte{0xa5}), false},
			{"garbage in front of the digest info", pkcs1(size, garbage, info, digest), false},
			{"padding ends early, zeros follow", slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 8), make([]byte, rest+1), info, digest), false},
			{"a message shorter than the modulus, zeros in front", append(make([]byte, 16), pkcs1(size-16, info, digest)...), false},
			{"padding of seven bytes, zeros in front", filled(size, pkcs1(3+7+len(info)+len(digest), info, digest)), false},
			{"no padding", filled(size, pkcs1(3+len(info)+len(digest), info, digest)), false},
			{"first byte 1", func() []byte {
				if s.below(changed(0, 1)) {
					return changed(0, 1)
				}
				return changed(1, 0)
			}(), false},
			{"block type 0", changed(1, 0), false},
			{"block type 2", changed(1, 2), false},
			{"first byte of padding 0", changed(2, 0), false},
			{"first byte of padding fe", changed(2, 0xfe), false},
			{"a byte of padding in the middle changed", changed(size/2, 0x7f), false},
			{"last byte of padding changed", changed(size-len(info)-len(digest)-2, 0xfe), false},
			{"no zero behind the padding", changed(size-len(info)-len(digest)-1, 0xff), false},
			{"one behind the padding", changed(size-len(info)-len(digest)-1, 1), false},
			{"digest of another message", pkcs1(size, info, digestOf(crypto.SHA256, []byte("another"))), false},
			{"digest alone", pkcs1(size, digest), false},
			{"half a digest", pkcs1(size, changedLengths(info, 16), digest[:16]), false},
			{"no digest", pkcs1(size, changedLengths(info, 0)), false},
			{"digest twice", pkcs1(size, info, digest, digest), false},
			{"name of SHA-512/256, as long", pkcs1(size, replaced(info, 14, 6), digest), false},
			{"name of SHA3-256, as long", pkcs1(size, replaced(info, 14, 8), digest), false},
			{"name of SHA-224", pkcs1(size, replaced(info, 14, 4), digest), false},
			{"name of SHA-384 and its digest", pkcs1(size, digestInfo[crypto.SHA384], digestOf(crypto.SHA384, []byte("message"))), false},
			{"parameters absent", pkcs1(size, withoutNull(info), digest), false},
			{"parameters not NULL", pkcs1(size, replaced(info, 15, 4), digest), false},
			{"parameters hold a byte", pkcs1(size, []byte{0x30, 0x32, 0x30, 0x0e}, info[4:15], []byte{5, 1, 0}, info[17:], digest), false},
			{"parameters hold garbage (CVE-2006-4340)", pkcs1(size, []byte{0x30, 0x31 + 100, 0x30, 0x0d + 100}, info[4:15], []byte{4, 100}, garbage, info[17:], digest), false},
			{"a length in the long form (BERserk, CVE-2014-1568)", pkcs1(size, []byte{0x30, 0x81, 0x31}, info[2:], digest), false},
			{"the digest's length in the long form", pkcs1(size, []byte{0x30, 0x32}, info[2:18], []byte{0x81, 0x20}, digest), false},
			{"a length that is not known", pkcs1(size, []byte{0x30, 0x80}, info[2:], digest, []byte{0, 0}), false},
			{"a length one too great", pkcs1(size, replaced(info, 1, 0x32), digest), false},
			{"a sequence that is a set", pkcs1(size, replaced(info, 0, 0x31), digest), false},
			{"an octet string that is a bit string", pkcs1(size, replaced(info, 17, 3), digest), false},
			{"zeros", make([]byte, size), false},
			{"one", filled(size, []byte{1}), false},
		}
		for _, tt := range tests {
			checkPKCS1(t, s, crypto.SHA256, digest, attempt{tt.name, s.sign(tt.encoded), tt.want})
		}
		for i := 1; i < size; i++ {
			encoded := changed(i, good()[i]^byte(1<<(i%8)))
			checkPKCS1(t, s, crypto.SHA256, digest, attempt{fmt.Sprintf("a bit of byte %d changed", i), s.sign(encoded), false})
		}
	}
}

// replaced returns data with one byte of it replaced.
func replaced(data []byte, index int, value byte) []byte {
	data = slices.Clone(data)
	data[index] = value
	return data
}

// changedLengths returns a digest info with the lengths for another digest.
func changedLengths(info []byte, length byte) []byte {
	return replaced(replaced(info, 1, byte(len(info))-2+length), len(info)-1, length)
}

// withoutNull returns a digest info whose algorithm has no parameters, with the
// lengths that go with it.
func withoutNull(info []byte) []byte {
	info = slices.Delete(slices.Clone(info), 15, 17)
	info[1] -= 2
	info[3] -= 2
	return info
}

// TestVerifyPKCS1v15_CubeRoot forges signatures by an exponent of 3 without the
// private key, for verifiers that look at the beginning only.
func TestVerifyPKCS1v15_CubeRoot(t *testing.T) {
	t.Parallel()
	s := newSigner(t, 3072, 3, 1)
	digest := digestOf(crypto.SHA256, []byte("message"))
	info := digestInfo[crypto.SHA256]
	good := s.sign(pkcs1(s.public.Size(), info, digest))
	checkPKCS1(t, s, crypto.SHA256, digest, attempt{"good", good, true})

	begin := slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 8), []byte{0}, info, digest)
	target := new(big.Int).SetBytes(append(slices.Clone(begin), bytes.Repeat([]byte{0xff}, s.public.Size()-len(begin))...))
	forged := cubeRoot(target).FillBytes(make([]byte, s.public.Size()))
	if held := s.prepared(t).RecoverEncoded(forged); !bytes.HasPrefix(held, begin) {
		t.Fatalf("the forged signature holds %x, want it to begin with %x", held, begin)
	}
	checkPKCS1(t, s, crypto.SHA256, digest, attempt{"cube root", forged, false})
}

// cubeRoot returns the largest number whose cube is not above n.
func cubeRoot(n *big.Int) *big.Int {
	root := new(big.Int)
	for bit := n.BitLen()/3 + 1; bit >= 0; bit-- {
		root.SetBit(root, bit, 1)
		if new(big.Int).Exp(root, big.NewInt(3), nil).Cmp(n) > 0 {
			root.SetBit(root, bit, 0)
		}
	}
	return root
}

// TestRSA_SignatureForm offers a good signature in other forms: as another number
// that is the same modulo the modulus, longer, shorter, by another key.
func TestRSA_SignatureForm(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{2048, 2049, 2056, 2057} {
		s, other := newSigner(t, bits, 65537, 1), newSigner(t, bits, 65537, 3)
		otherExponent := newSigner(t, bits, 3, 1)
		size := s.public.Size()
		digest := digestOf(crypto.SHA512, []byte("message"))
		n := s.public.N
		for name, scheme := range map[string]struct {
			encode func(*signer) []byte
			check  func(*testing.T, *signer, crypto.Hash, []byte, attempt)
		}{
			"PKCS1": {func(s *signer) []byte { return pkcs1(size, digestInfo[crypto.SHA512], digest) }, checkPKCS1},
			"PSS":   {func(s *signer) []byte { return goodPSS(crypto.SHA512, digest).encode(bits - 1) }, checkPSS},
		} {
			good := s.sign(scheme.encode(s))
			number := new(big.Int).SetBytes(good)
			attempts := []attempt{
				{"good", good, true},
				{"empty", nil, false},
				{"a zero in front", append([]byte{0}, good...), false},
				{"a zero behind", append(slices.Clone(good), 0), false},
				{"first byte missing", good[1:], false},
				{"last byte missing", good[:size-1], false},
				{"twice", append(slices.Clone(good), good...), false},
				{"backwards", reversed(good), false},
				{"the modulus added, a byte longer", new(big.Int).Add(number, new(big.Int).Mul(n, big.NewInt(256))).FillBytes(make([]byte, size+2)), false},
				{"negative", new(big.Int).Sub(n, number).FillBytes(make([]byte, size)), false},
				{"zero", make([]byte, size), false},
				{"one", filled(size, []byte{1}), false},
				{"the modulus", n.FillBytes(make([]byte, size)), false},
				{"one less than the modulus", new(big.Int).Sub(n, big.NewInt(1)).FillBytes(make([]byte, size)), false},
				{"all bits set", bytes.Repeat([]byte{0xff}, size), false},
				{"by another key", other.sign(reduce(scheme.encode(other), other)), false},
				{"by another exponent", otherExponent.sign(reduce(scheme.encode(s), otherExponent)), false},
				{"longer than any", make([]byte, 5000), false},
			}
			if raised := new(big.Int).Add(number, n); raised.BitLen() <= 8*size {
				attempts = append(attempts, attempt{"the modulus added", raised.FillBytes(make([]byte, size)), false})
			} else if bits%8 != 0 {
				t.Errorf("%d bits: no room for the modulus added", bits)
			}
			for _, a := range attempts {
				a.name = name + ": " + a.name
				scheme.check(t, s, crypto.SHA512, digest, a)
			}
		}
	}
}

func reversed(data []byte) []byte {
	data = slices.Clone(data)
	slices.Reverse(data)
	return data
}

// reduce makes encoded a number that s can sign.
func reduce(encoded []byte, s *signer) []byte {
	return new(big.Int).Mod(new(big.Int).SetBytes(encoded), s.public.N).Bytes()
}

// TestRSA_LeadingZeros requires a signature that begins with zeros to have them.
func TestRSA_LeadingZeros(t *testing.T) {
	t.Parallel()
	s := newSigner(t, 2048, 65537, 1)
	for i := range 5000 {
		digest := digestOf(crypto.SHA256, []byte{byte(i), byte(i >> 8)})
		signature := s.sign(pkcs1(256, digestInfo[crypto.SHA256], digest))
		if signature[0] == 0 {
			checkPKCS1(t, s, crypto.SHA256, digest, attempt{"a zero in front, as it should be", signature, true})
			checkPKCS1(t, s, crypto.SHA256, digest, attempt{"without the zero", signature[1:], false})
			return
		}
	}
	t.Fatal("no signature begins with zero")
}

// TestRSA_Digest requires a digest as long as its hash, and one of the three hashes.
func TestRSA_Digest(t *testing.T) {
	t.Parallel()
	s := newSigner(t, 2048, 65537, 1)
	digest := digestOf(crypto.SHA256, []byte("message"))
	first, second := s.sign(pkcs1(256, digestInfo[crypto.SHA256], digest)), s.sign(goodPSS(crypto.SHA256, digest).encode(2047))
	key := s.prepared(t)
	short := digest[:31]
	shortPSS := goodPSS(crypto.SHA256, digest)
	shortPSS.digest = short
	if key.VerifyPKCS1v15(crypto.SHA256, short, s.sign(pkcs1(256, digestInfo[crypto.SHA256], short))) || key.VerifyPSS(crypto.SHA256, short, s.sign(shortPSS.encode(2047))) {
		t.Error("a signature of a short digest is verified")
	}
	tests := []struct {
		name   string
		hash   crypto.Hash
		digest []byte
		want   bool
	}{
		{"as it should be", crypto.SHA256, digest, true},
		{"a byte missing", crypto.SHA256, digest[:31], false},
		{"a byte more", crypto.SHA256, append(slices.Clone(digest), 0), false},
		{"no digest", crypto.SHA256, nil, false},
		{"very long", crypto.SHA256, make([]byte, 9000), false},
		{"a hash of the same length", crypto.SHA512_256, digest, false},
		{"SHA-1", crypto.SHA1, digest[:20], false},
		{"no hash", 0, digest, false},
	}
	for _, tt := range tests {
		if got := key.VerifyPKCS1v15(tt.hash, tt.digest, first); got != tt.want {
			t.Errorf("%s: VerifyPKCS1v15() = %v, want %v", tt.name, got, tt.want)
		}
		if got := key.VerifyPSS(tt.hash, tt.digest, second); got != tt.want {
			t.Errorf("%s: VerifyPSS() = %v, want %v", tt.name, got, tt.want)
		}
	}
}
