package sigcheck_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha512"
	"math/big"
	"slices"
	"testing"

	"filippo.io/edwards25519"

	"github.com/oidcauth/oidcauth/internal/sigcheck"
)

// rsaInput is one input of FuzzRSA.
type rsaInput struct {
	size, exponent, scheme, kind uint8
	position                     uint16
	data                         []byte
}

// What is done to a good signature, or put in its place.
const (
	changeSignature = iota // xor data into it
	changeEncoded          // write data over the message, and sign that
	xorEncoded             // xor data into the message, and sign that
	signData               // sign data
	takeData               // data is the signature
	addModulus             // as often as position says
	cutOrExtend            // by position, or with data behind
	saltOfLength           // PSS with another salt
	otherModulus           // write data over the modulus
	kinds
)

// FuzzRSA requires the same verdict of a prepared key and of the standard library on
// good signatures, on changed ones, on messages that are changed and then signed, and on
// anything else; and what a signature holds to be what math/big says.
func FuzzRSA(f *testing.F) {
	for size := range uint8(len(sizes)) {
		for kind := range uint8(kinds) {
			f.Add(size, size+kind, size*kind, kind, uint16(size)*3, []byte{1, 2, 0xbc, kind})
		}
	}
	f.Add(uint8(4), uint8(2), uint8(0), uint8(changeSignature), uint16(0), []byte{})
	f.Add(uint8(4), uint8(2), uint8(3), uint8(changeSignature), uint16(0), []byte{})
	f.Add(uint8(5), uint8(2), uint8(3), uint8(changeEncoded), uint16(0), []byte{1})
	f.Add(uint8(4), uint8(2), uint8(0), uint8(changeEncoded), uint16(2), bytes.Repeat([]byte{0xff}, 8))
	f.Fuzz(func(t *testing.T, size, exponent, scheme, kind uint8, position uint16, data []byte) {
		checkRSA(t, rsaInput{size, exponent, scheme, kind, position, data})
	})
}

func checkRSA(t *testing.T, in rsaInput) {
	s := newSigner(t, sizes[int(in.size)%len(sizes)], exponents[int(in.exponent)%len(exponents)], 1)
	hash, isPSS := hashes[int(in.scheme)%3], in.scheme/3%2 == 1
	digest := digestOf(hash, in.data)
	encoded := pkcs1(s.public.Size(), digestInfo[hash], digest)
	if isPSS {
		encoded = goodPSS(hash, digest).encode(s.public.N.BitLen() - 1)
		if encoded == nil {
			encoded = filled(s.public.Size(), []byte{0xbc})
		}
		encoded = filled(s.public.Size(), encoded)
	}
	public, signature := in.make(s, encoded, digest)
	key, err := sigcheck.NewRSA(public)
	if err != nil {
		return // an even modulus, or a size that is not prepared
	}
	for _, check := range []struct {
		name          string
		got, standard bool
	}{
		{"VerifyPKCS1v15", key.VerifyPKCS1v15(hash, digest, signature), standardPKCS1(public, hash, digest, signature)},
		{"VerifyPSS", key.VerifyPSS(hash, digest, signature), standardPSS(public, hash, digest, signature)},
	} {
		if check.got != check.standard {
			t.Fatalf("%s() = %v, the standard library %v: %+v, modulus %x, signature %x", check.name, check.got, check.standard, in, public.N, signature)
		}
	}
	number, held := new(big.Int).SetBytes(signature), key.RecoverEncoded(signature)
	if fits := len(signature) == public.Size() && number.Cmp(public.N) < 0; fits != (held != nil) {
		t.Fatalf("a signature of %d bytes fits: %v, is read: %v: %+v", len(signature), fits, held != nil, in)
	}
	if held == nil {
		return
	}
	if want := number.Exp(number, big.NewInt(int64(public.E)), public.N).FillBytes(make([]byte, public.Size())); !bytes.Equal(held, want) {
		t.Fatalf("signature %x holds %x, want %x: %+v", signature, held, want, in)
	}
}

// make returns a public key and a signature that is to be checked with it.
func (in rsaInput) make(s *signer, encoded, digest []byte) (*rsa.PublicKey, []byte) {
	at := func(target []byte) []byte { return target[int(in.position)%len(target):] }
	sign := func(encoded []byte) []byte { return s.sign(reduce(encoded, s)) }
	switch in.kind % kinds {
	case changeEncoded:
		copy(at(encoded), in.data)
	case xorEncoded:
		xor(at(encoded), in.data)
	case signData:
		encoded = in.data
	case saltOfLength:
		p := goodPSS(hashes[int(in.scheme)%3], digest)
		p.salt = bytes.Repeat(digest, 4)[:int(in.position)%(4*len(digest))]
		if other := p.encode(s.public.N.BitLen() - 1); other != nil {
			encoded = other
		}
	}
	signature := sign(encoded)
	switch in.kind % kinds {
	case changeSignature:
		xor(at(signature), in.data)
	case takeData:
		signature = in.data
	case addModulus:
		number := new(big.Int).SetBytes(signature)
		number.Add(number, new(big.Int).Mul(s.public.N, big.NewInt(int64(in.position%300))))
		signature = number.FillBytes(make([]byte, max(s.public.Size(), (number.BitLen()+7)/8)))
	case cutOrExtend:
		signature = append(signature[:len(signature)-int(in.position)%len(signature)], in.data...)
	case otherModulus:
		modulus := s.public.N.Bytes()
		copy(at(modulus), in.data)
		n := new(big.Int).SetBytes(modulus)
		public := &rsa.PublicKey{N: n, E: s.public.E}
		number := new(big.Int).SetBytes(signature)
		return public, number.Mod(number, new(big.Int).Add(n, big.NewInt(1))).FillBytes(make([]byte, public.Size()))
	}
	return &s.public, signature
}

func xor(target, data []byte) {
	for i := range min(len(target), len(data)) {
		target[i] ^= data[i]
	}
}

// FuzzEd25519 requires the same verdict of a prepared key and of the standard library:
// on signatures that fit the equation with a point of small order added to the public
// key or to R, on those changed, and on any bytes.
func FuzzEd25519(f *testing.F) {
	for i := range uint8(16) {
		f.Add([]byte{i}, i%8, i/2, uint8(0), []byte{}, []byte{})
		f.Add([]byte{i}, i%8, uint8(0), i, []byte{i}, []byte{1 << (i % 8)})
	}
	public, private := testEd25519(f)
	f.Add([]byte("message"), uint8(0), uint8(0), uint8(255), []byte(public), ed25519.Sign(private, []byte("message")))
	torsion := smallOrder()
	f.Fuzz(func(t *testing.T, message []byte, keyPart, rPart, kind uint8, first, second []byte) {
		if kind == 255 {
			if len(first) == ed25519.PublicKeySize {
				checkEd25519(t, "bytes", first, message, second)
			}
			return
		}
		public, signature := craft(torsion[keyPart%8], torsion[rPart%8], kind, message, first)
		xor(signature[int(kind)%64:], second)
		checkEd25519(t, "crafted", public, message, signature)
		if kind%5 == 4 { // S beyond the order
			raised := new(big.Int).Add(number(signature[32:]), new(big.Int).Mul(groupOrder, big.NewInt(int64(kind%16))))
			if raised.BitLen() <= 256 {
				checkEd25519(t, "raised", public, message, slices.Concat(signature[:32], littleEndian(raised)))
			}
		}
	})
}

// craft returns a key and a signature that fit the equation up to the points of small
// order, both in some encoding of theirs. Where kind says so the key or R has no other
// part.
func craft(keyPart, rPart *edwards25519.Point, kind uint8, message, seed []byte) (ed25519.PublicKey, []byte) {
	h := sha512.Sum512(seed)
	secret, nonce := scalar(number(h[:32])), scalar(number(h[32:]))
	if kind%3 == 1 {
		secret = edwards25519.NewScalar()
	}
	if kind%7 == 1 {
		nonce = edwards25519.NewScalar()
	}
	pick := func(p *edwards25519.Point) []byte {
		all := encodings(p)
		return all[int(kind)/8%len(all)]
	}
	public := pick(new(edwards25519.Point).Add(keyPart, new(edwards25519.Point).ScalarBaseMult(secret)))
	r := pick(new(edwards25519.Point).Add(rPart, new(edwards25519.Point).ScalarBaseMult(nonce)))
	challenge := sha512.Sum512(slices.Concat(r, public, message))
	k, err := edwards25519.NewScalar().SetUniformBytes(challenge[:])
	if err != nil {
		panic(err)
	}
	return public, slices.Concat(r, edwards25519.NewScalar().MultiplyAdd(k, secret, nonce).Bytes())
}
