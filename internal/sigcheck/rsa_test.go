package sigcheck_test

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/sigcheck"
)

// sizes of a modulus in bits: around whole bytes and whole machine words, those for
// which the arithmetic has code of its own, and the limits.
var sizes = []int{1024, 1025, 1536, 2047, 2048, 2049, 2050, 2051, 2052, 2053, 2054, 2055, 2056, 2057, 2080, 2112, 2113, 3071, 3072, 3073, 4096, 4097, 8191, 8192}

// exponents are the extremes and the usual.
var exponents = []int{3, 17, 65537, 1<<31 - 1}

func TestNewRSA(t *testing.T) {
	odd := func(bits int) *big.Int {
		return new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
	}
	good := odd(2048)
	tests := []struct {
		name string
		key  *rsa.PublicKey
		want error
	}{
		{"2048 bits", &rsa.PublicKey{N: good, E: 65537}, nil},
		{"1024 bits", &rsa.PublicKey{N: odd(1024), E: 65537}, nil},
		{"1023 bits", &rsa.PublicKey{N: odd(1023), E: 65537}, sigcheck.ErrKey},
		{"8192 bits", &rsa.PublicKey{N: odd(8192), E: 65537}, nil},
		{"8193 bits", &rsa.PublicKey{N: odd(8193), E: 65537}, sigcheck.ErrKey},
		{"an even modulus", &rsa.PublicKey{N: new(big.Int).Sub(good, big.NewInt(1)), E: 65537}, sigcheck.ErrKey},
		{"a negative modulus", &rsa.PublicKey{N: new(big.Int).Neg(good), E: 65537}, sigcheck.ErrKey},
		{"modulus zero", &rsa.PublicKey{N: new(big.Int), E: 65537}, sigcheck.ErrKey},
		{"no modulus", &rsa.PublicKey{E: 65537}, sigcheck.ErrKey},
		{"no key", nil, sigcheck.ErrKey},
		{"exponent 3", &rsa.PublicKey{N: good, E: 3}, nil},
		{"exponent 1", &rsa.PublicKey{N: good, E: 1}, sigcheck.ErrKey},
		{"exponent 2", &rsa.PublicKey{N: good, E: 2}, sigcheck.ErrKey},
		{"no exponent", &rsa.PublicKey{N: good}, sigcheck.ErrKey},
		{"a negative exponent", &rsa.PublicKey{N: good, E: -3}, sigcheck.ErrKey},
		{"an even exponent", &rsa.PublicKey{N: good, E: 65538}, sigcheck.ErrKey},
		{"the largest exponent", &rsa.PublicKey{N: good, E: 1<<31 - 1}, nil},
	}
	for _, tt := range tests {
		key, err := sigcheck.NewRSA(tt.key)
		if !errors.Is(err, tt.want) || (key == nil) != (err != nil) {
			t.Errorf("%s: NewRSA() = %v, %v, want error %v", tt.name, key, err, tt.want)
		}
	}
}

// TestNewRSA_HugeExponent is about what an int holds on most machines only.
func TestNewRSA_HugeExponent(t *testing.T) {
	exponent := 1<<31 - 1
	if exponent += 2; exponent < 0 {
		t.Skip("an int is too small")
	}
	n := newSigner(t, 2048, 65537, 1).public.N
	_, err := sigcheck.NewRSA(&rsa.PublicKey{N: n, E: exponent})
	if !errors.Is(err, sigcheck.ErrKey) || !strings.Contains(err.Error(), "exponent 2147483649, want an odd one from 3 to 2147483647") {
		t.Errorf("NewRSA() error = %v, want %v, and which exponents may be", err, sigcheck.ErrKey)
	}
}

// TestRSA_Sizes verifies a signature of each size, exponent, scheme and hash, and
// refuses it for another digest, by another hash, by the other scheme and with any
// part of it changed.
func TestRSA_Sizes(t *testing.T) {
	t.Parallel()
	for _, bits := range sizes {
		for _, exponent := range exponents {
			if bits > 3073 && exponent > 65537 {
				continue // takes its time, and is no other code
			}
			s := newSigner(t, bits, exponent, 1)
			for i, hash := range hashes {
				checkSize(t, s, hash, hashes[(i+1)%len(hashes)])
			}
		}
	}
}

func checkSize(t *testing.T, s *signer, hash, otherHash crypto.Hash) {
	t.Helper()
	digest, other := digestOf(hash, []byte("message")), digestOf(hash, []byte("another"))
	first := s.sign(pkcs1(s.public.Size(), digestInfo[hash], digest))
	checkPKCS1(t, s, hash, digest, attempt{"good", first, true})
	checkPKCS1(t, s, hash, other, attempt{"another digest", first, false})
	checkPKCS1(t, s, otherHash, digestOf(otherHash, []byte("message")), attempt{"another hash", first, false})
	checkPSS(t, s, hash, digest, attempt{"the other scheme", first, false})
	encoded := goodPSS(hash, digest).encode(s.public.N.BitLen() - 1)
	if encoded == nil {
		if bits := s.public.N.BitLen(); bits > 1025 {
			t.Errorf("%d bits, %v: no room for a message", bits, hash)
		}
		return
	}
	second := s.sign(encoded)
	checkPSS(t, s, hash, digest, attempt{"good", second, true})
	checkPSS(t, s, hash, other, attempt{"another digest", second, false})
	checkPSS(t, s, otherHash, digestOf(otherHash, []byte("message")), attempt{"another hash", second, false})
	checkPKCS1(t, s, hash, digest, attempt{"the other scheme", second, false})
	for i := 0; i < len(first); i += 1 + len(first)/7 {
		first[i] ^= 0x10
		checkPKCS1(t, s, hash, digest, attempt{"a bit changed", first, false})
		first[i] ^= 0x10
		second[i] ^= 0x10
		checkPSS(t, s, hash, digest, attempt{"a bit changed", second, false})
		second[i] ^= 0x10
	}
}

// TestRSA_Arithmetic compares what a signature holds with math/big, which shares no
// code with it, for numbers and moduli with long runs of zeros and ones.
func TestRSA_Arithmetic(t *testing.T) {
	t.Parallel()
	one := big.NewInt(1)
	power := func(bits int) *big.Int { return new(big.Int).Lsh(one, uint(bits)) }
	for _, bits := range sizes {
		moduli := []*big.Int{
			newSigner(t, bits, 3, 2).public.N,
			new(big.Int).Sub(power(bits), one),                                // all ones
			new(big.Int).Add(power(bits-1), one),                              // one at both ends
			new(big.Int).Add(new(big.Int).Sub(power(bits), power(64)), one),   // a low word of 1
			new(big.Int).Add(power(bits-1), new(big.Int).Sub(power(64), one)), // a low word of ones
		}
		for _, n := range moduli {
			numbers := []*big.Int{new(big.Int), one, big.NewInt(2), new(big.Int).Sub(n, one), new(big.Int).Rsh(n, 1), power(bits - 1), power(bits / 2), new(big.Int).Sub(power(bits-1), one)}
			for _, exponent := range []int{3, 65537} {
				checkArithmetic(t, &rsa.PublicKey{N: n, E: exponent}, numbers)
			}
		}
	}
}

func checkArithmetic(t *testing.T, public *rsa.PublicKey, numbers []*big.Int) {
	t.Helper()
	key, err := sigcheck.NewRSA(public)
	if err != nil {
		t.Fatal(err)
	}
	for _, number := range numbers {
		if number.Cmp(public.N) >= 0 {
			continue
		}
		want := new(big.Int).Exp(number, big.NewInt(int64(public.E)), public.N)
		got := key.RecoverEncoded(number.FillBytes(make([]byte, public.Size())))
		if len(got) != public.Size() || new(big.Int).SetBytes(got).Cmp(want) != 0 {
			t.Errorf("%x to the power of %d modulo %x = %x, want %x", number, public.E, public.N, got, want)
		}
	}
	for _, surplus := range []int64{0, 1} {
		number := new(big.Int).Add(public.N, big.NewInt(surplus))
		if number.BitLen() > 8*public.Size() {
			continue
		}
		if got := key.RecoverEncoded(number.FillBytes(make([]byte, public.Size()))); got != nil {
			t.Errorf("the modulus %x and %d: got %x, want nothing", public.N, surplus, got)
		}
	}
}

// TestRSA_Allocations requires a check with a key of the usual size to allocate
// nothing.
func TestRSA_Allocations(t *testing.T) {
	s := newSigner(t, 2048, 65537, 1)
	key := s.prepared(t)
	digest := digestOf(crypto.SHA256, []byte("message"))
	first := s.sign(pkcs1(256, digestInfo[crypto.SHA256], digest))
	second := s.sign(goodPSS(crypto.SHA256, digest).encode(2047))
	got := testing.AllocsPerRun(100, func() {
		if !key.VerifyPKCS1v15(crypto.SHA256, digest, first) || !key.VerifyPSS(crypto.SHA256, digest, second) {
			t.Error("not verified")
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}

// TestRSA_Bytes requires keys to take no more memory than they say.
func TestRSA_Bytes(t *testing.T) {
	for _, bits := range []int{1024, 2048, 2049, 3072, 4096, 8192} {
		s := newSigner(t, bits, 65537, 1)
		got := weigh(func() any {
			key, _ := sigcheck.NewRSA(&s.public)
			return key
		})
		if want := s.prepared(t).Bytes(); got > want || got < want/2 {
			t.Errorf("%d bits: a key takes %d bytes, Bytes() = %d", bits, got, want)
		}
	}
}

// weigh returns how much memory what is made takes: the median of several tries, since
// others allocate and free too.
func weigh(produce func() any) int {
	tries := make([]int, 5)
	for n := range tries {
		made := make([]any, 200)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range made {
			made[i] = produce()
		}
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		tries[n] = (int(after.HeapAlloc) - int(before.HeapAlloc)) / len(made)
		runtime.KeepAlive(made)
	}
	slices.Sort(tries)
	return tries[2]
}
