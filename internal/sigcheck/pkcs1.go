package sigcheck

import (
	"bytes"
	"crypto"
)

// VerifyPKCS1v15 reports whether a signature is one of RSASSA-PKCS1-v1_5 (RFC 8017,
// section 8.2.2) over a digest made with SHA-256, SHA-384 or SHA-512.
//
// The one message that has this digest is encoded and compared with what the
// signature holds, all of it. Nothing that a signature holds is parsed.
func (k *RSA) VerifyPKCS1v15(hash crypto.Hash, digest, signature []byte) bool {
	var got, want [maxSize]byte
	expected, ok := k.appendPKCS1v15(want[:0], hash, digest)
	if !ok {
		return false
	}
	encoded, ok := k.recoverEncoded(got[:0], signature)
	return ok && bytes.Equal(encoded, expected)
}

// appendPKCS1v15 appends the encoded message (RFC 8017, section 9.2): 00 01, bytes ff,
// 00, and the digest behind the DER form of its algorithm. The smallest key has room for
// 42 bytes ff with the longest hash, of which eight are required.
func (k *RSA) appendPKCS1v15(dst []byte, hash crypto.Hash, digest []byte) ([]byte, bool) {
	prefix, ok := digestInfo(hash)
	if !ok || len(digest) != hash.Size() {
		return dst, false
	}
	dst = append(dst, 0, 1)
	for range k.size - 3 - len(prefix) - len(digest) {
		dst = append(dst, 0xff)
	}
	dst = append(dst, 0)
	dst = append(dst, prefix...)
	return append(dst, digest...), true
}

// digestInfo is what stands before a digest in the DER form of a DigestInfo, the
// parameters of its algorithm being NULL (RFC 8017, section 9.2, note 1).
func digestInfo(hash crypto.Hash) (string, bool) {
	switch hash {
	case crypto.SHA256:
		return "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20", true
	case crypto.SHA384:
		return "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30", true
	case crypto.SHA512:
		return "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40", true
	}
	return "", false
}
