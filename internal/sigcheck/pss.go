package sigcheck

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
)

// pssTrailer is the last byte of an encoded message.
const pssTrailer = 0xbc

// VerifyPSS reports whether a signature is one of RSASSA-PSS (RFC 8017, section
// 8.1.2) over a digest made with SHA-256, SHA-384 or SHA-512, by a mask of the same
// hash and with a salt exactly as long as the hash (RFC 7518, section 3.5).
func (k *RSA) VerifyPSS(hash crypto.Hash, digest, signature []byte) bool {
	if _, known := digestInfo(hash); !known || len(digest) != hash.Size() {
		return false
	}
	var buf [maxSize]byte
	encoded, ok := k.recoverEncoded(buf[:0], signature)
	if !ok {
		return false
	}
	// The message has one bit less than the modulus, and where that makes it a byte
	// shorter, this byte is zero.
	length := (k.bits - 1 + 7) / 8
	if len(encoded) > length {
		if encoded[0] != 0 {
			return false
		}
		encoded = encoded[1:]
	}
	return consistent(hash, digest, encoded, k.bits-1)
}

// consistent is EMSA-PSS-VERIFY (RFC 8017, section 9.1.2) from step 3 on. encoded
// is as long as that many bits need, and is changed.
func consistent(hash crypto.Hash, digest, encoded []byte, bits int) bool {
	size := hash.Size() // of the hash and of the salt
	if len(encoded) < 2*size+2 || encoded[len(encoded)-1] != pssTrailer {
		return false
	}
	db := encoded[:len(encoded)-size-1] // padding, 01 and salt under a mask
	h := encoded[len(db) : len(encoded)-1]
	unused := ^(byte(0xff) >> (8*len(encoded) - bits)) // bits that no message has
	if db[0]&unused != 0 {
		return false
	}
	unmask(hash, db, h)
	db[0] &^= unused
	padding, salt := db[:len(db)-size-1], db[len(db)-size:]
	for _, b := range padding {
		if b != 0 {
			return false
		}
	}
	if db[len(padding)] != 1 {
		return false
	}
	var buf [8 + 2*maxHash]byte // begins with eight zeros
	var again [maxHash]byte
	input := append(append(buf[:8], digest...), salt...)
	return bytes.Equal(h, AppendSum(hash, again[:0], input))
}

// unmask takes the mask made of seed (MGF1: RFC 8017, section B.2.1) off db.
func unmask(hash crypto.Hash, db, seed []byte) {
	var buf [maxHash + 4]byte
	var mask [maxHash]byte
	for counter := uint32(0); len(db) > 0; counter++ {
		input := binary.BigEndian.AppendUint32(append(buf[:0], seed...), counter)
		part := AppendSum(hash, mask[:0], input)
		n := min(len(part), len(db))
		for i := range n {
			db[i] ^= part[i]
		}
		db = db[n:]
	}
}

// maxHash is the size of the longest hash, SHA-512.
const maxHash = sha512.Size

// AppendSum appends the hash of input to dst: SHA-256, SHA-384 or SHA-512.
func AppendSum(hash crypto.Hash, dst, input []byte) []byte {
	switch hash {
	case crypto.SHA256:
		digest := sha256.Sum256(input)
		return append(dst, digest[:]...)
	case crypto.SHA384:
		digest := sha512.Sum384(input)
		return append(dst, digest[:]...)
	default:
		digest := sha512.Sum512(input)
		return append(dst, digest[:]...)
	}
}
