package sigcheck_test

import (
	"crypto/rsa"
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/oidcauth/oidcauth/internal/sigcheck"
)

// signer is an RSA key that signs whatever number it is given. Its modulus is a
// product of small primes, so that it is made and signs in no time at any size: for
// whoever checks a signature a modulus is a modulus.
type signer struct {
	public    rsa.PublicKey
	primes    []*big.Int
	exponents []*big.Int // for each prime, the inverse of the public one
	parts     []*big.Int // for each prime, 1 modulo that and 0 modulo the others
	once      sync.Once
	key       *sigcheck.RSA
}

type signerKind struct {
	bits, exponent int
	seed           uint64
}

var signers sync.Map // signerKind to *signer

// newSigner returns the one key of these properties.
func newSigner(tb testing.TB, bits, exponent int, seed uint64) *signer {
	tb.Helper()
	kind := signerKind{bits, exponent, seed}
	if s, ok := signers.Load(kind); ok {
		return s.(*signer)
	}
	s := makeSigner(kind)
	if s.public.N.BitLen() != bits {
		tb.Fatalf("got a key of %d bits, want %d", s.public.N.BitLen(), bits)
	}
	signers.Store(kind, s)
	return s
}

func makeSigner(kind signerKind) *signer {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], kind.seed)
	random := rand.New(rand.NewChaCha8(seed))
	s := &signer{}
	s.public.E = kind.exponent
	s.public.N = big.NewInt(1)
	for s.public.N.BitLen() < kind.bits {
		left := kind.bits - s.public.N.BitLen() + 1
		if left > 100 {
			left = 64
		} else if left > 64 {
			left /= 2
		}
		p := s.prime(random, left)
		product := new(big.Int).Mul(s.public.N, p)
		if product.BitLen() > kind.bits {
			continue
		}
		s.primes, s.public.N = append(s.primes, p), product
	}
	one, e := big.NewInt(1), big.NewInt(int64(kind.exponent))
	for _, p := range s.primes {
		s.exponents = append(s.exponents, new(big.Int).ModInverse(e, new(big.Int).Sub(p, one)))
		rest := new(big.Int).Quo(s.public.N, p)
		s.parts = append(s.parts, rest.Mul(rest, new(big.Int).ModInverse(rest, p)))
	}
	return s
}

// prime returns a prime of that many bits that the key has not got yet and that
// leaves its exponent an inverse.
func (s *signer) prime(random *rand.Rand, bits int) *big.Int {
	e := big.NewInt(int64(s.public.E))
	for {
		p := new(big.Int).SetUint64(random.Uint64()>>(64-bits) | 1<<(bits-1) | 1)
		if !p.ProbablyPrime(0) || new(big.Int).Mod(s.public.N, p).Sign() == 0 {
			continue
		}
		minusOne := new(big.Int).Sub(p, big.NewInt(1))
		if new(big.Int).GCD(nil, nil, e, minusOne).Cmp(big.NewInt(1)) == 0 {
			return p
		}
	}
}

// sign returns the signature that holds encoded, a number below the modulus.
func (s *signer) sign(encoded []byte) []byte {
	m, sum := new(big.Int).SetBytes(encoded), new(big.Int)
	for i, p := range s.primes {
		root := new(big.Int).Exp(new(big.Int).Mod(m, p), s.exponents[i], p)
		sum.Add(sum, root.Mul(root, s.parts[i]))
	}
	return sum.Mod(sum, s.public.N).FillBytes(make([]byte, s.public.Size()))
}

// below reports whether a signature can hold encoded.
func (s *signer) below(encoded []byte) bool {
	return new(big.Int).SetBytes(encoded).Cmp(s.public.N) < 0
}

// prepared is the public key, prepared.
func (s *signer) prepared(tb testing.TB) *sigcheck.RSA {
	tb.Helper()
	var err error
	s.once.Do(func() { s.key, err = sigcheck.NewRSA(&s.public) })
	if err != nil {
		tb.Fatal(err)
	}
	return s.key
}
