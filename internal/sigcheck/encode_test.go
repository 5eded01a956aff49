package sigcheck_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/binary"
	"slices"
	"testing"
)

// hashes are those of the algorithms RS256 to PS512.
var hashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}

// digestInfo is the DER form of an algorithm and what follows up to the digest, as
// RFC 8017, section 9.2, note 1 has it.
var digestInfo = map[crypto.Hash][]byte{
	crypto.SHA256: {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20},
	crypto.SHA384: {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30},
	crypto.SHA512: {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40},
}

func digestOf(hash crypto.Hash, parts ...[]byte) []byte {
	h := hash.New()
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}

// pkcs1 returns an encoded message as long as the modulus: 00 01, padding, 00 and
// content.
func pkcs1(size int, content ...[]byte) []byte {
	joined := slices.Concat(content...)
	padding := bytes.Repeat([]byte{0xff}, size-3-len(joined))
	return slices.Concat([]byte{0, 1}, padding, []byte{0}, joined)
}

// pss is how a message is encoded, with what may go wrong about it.
type pss struct {
	hash, mask crypto.Hash
	digest     []byte
	salt       []byte
	zeros      int // in front of the digest, 8 by the specification
	trailer    byte
	change     func(padding []byte) // and the 01 behind it, before the mask
	changeHash func(h []byte)
}

func goodPSS(hash crypto.Hash, digest []byte) pss {
	return pss{hash: hash, mask: hash, digest: digest, salt: digestOf(hash, digest)[:hash.Size()], zeros: 8, trailer: 0xbc}
}

// encode returns a message of that many bits (RFC 8017, section 9.1.1), or nil where
// there is no room for it.
func (p pss) encode(bits int) []byte {
	size := (bits + 7) / 8
	db := make([]byte, max(0, size-p.hash.Size()-1))
	if len(db) < len(p.salt)+1 {
		return nil
	}
	padding := db[:len(db)-len(p.salt)]
	padding[len(padding)-1] = 1
	copy(db[len(padding):], p.salt)
	if p.change != nil {
		p.change(padding)
	}
	h := digestOf(p.hash, make([]byte, p.zeros), p.digest, p.salt)
	if p.changeHash != nil {
		p.changeHash(h)
	}
	var mask []byte
	for i := uint32(0); len(mask) < len(db); i++ {
		mask = append(mask, digestOf(p.mask, h, binary.BigEndian.AppendUint32(nil, i))...)
	}
	for i := range db {
		db[i] ^= mask[i]
	}
	db[0] &= 0xff >> (8*size - bits)
	return slices.Concat(db, h, []byte{p.trailer})
}

// filled puts zeros in front of a message to make it as long as the modulus.
func filled(size int, encoded []byte) []byte {
	return append(make([]byte, size-len(encoded)), encoded...)
}

// standardPKCS1 and standardPSS are the verdicts of the standard library.
func standardPKCS1(key *rsa.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	return rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
}

func standardPSS(key *rsa.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	options := rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return rsa.VerifyPSS(key, hash, digest, signature, &options) == nil
}

// attempt is one signature and what is to be made of it.
type attempt struct {
	name      string
	signature []byte
	want      bool
}

// checkPKCS1 requires the verdict wanted, of both.
func checkPKCS1(t *testing.T, s *signer, hash crypto.Hash, digest []byte, a attempt) {
	t.Helper()
	got, standard := s.prepared(t).VerifyPKCS1v15(hash, digest, a.signature), standardPKCS1(&s.public, hash, digest, a.signature)
	if got != a.want || standard != a.want {
		t.Errorf("%d bits, %v, %s: VerifyPKCS1v15() = %v, the standard library %v, want %v", s.public.N.BitLen(), hash, a.name, got, standard, a.want)
	}
}

func checkPSS(t *testing.T, s *signer, hash crypto.Hash, digest []byte, a attempt) {
	t.Helper()
	got, standard := s.prepared(t).VerifyPSS(hash, digest, a.signature), standardPSS(&s.public, hash, digest, a.signature)
	if got != a.want || standard != a.want {
		t.Errorf("%d bits, %v, %s: VerifyPSS() = %v, the standard library %v, want %v", s.public.N.BitLen(), hash, a.name, got, standard, a.want)
	}
}
