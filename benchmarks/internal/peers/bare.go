package peers

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/refusals"
)

// Bare is the floor under every other figure: the standard library's check
// of the signature, with a key in hand, and nothing else.
func Bare() Peer {
	return Peer{
		Name:  "bare",
		About: "crypto/rsa, crypto/ecdsa, crypto/ed25519: the signature alone; no header or claim is read",
		// What is refused are signatures that do not fit the key.
		Unchecked: refusals.Names(refusals.Forged, refusals.None, refusals.PublicKeyAsHMAC,
			refusals.OtherAlgorithm),
		ReadsNothing: true,
		Open: func(_ context.Context, s Setup) (*Verifier, error) {
			check := bareCheck(s.Issuer)
			return byHand(func(_ context.Context, token string, _ *User) error {
				return check(token)
			}, func() {}), nil
		},
	}
}

var errBareSignature = errors.New("bare: signature does not fit")

// bareCheck returns the check. It reads no header: it tells RS256 and ES256 by the
// length of the signature, and the others by the header's bytes, which are always
// the same.
func bareCheck(issuer *idp.Issuer) func(string) error {
	rsaKey := issuer.Key(idp.RS256).Public().(*rsa.PublicKey)
	ecKey := issuer.Key(idp.ES256).Public().(*ecdsa.PublicKey)
	byHeader := bareChecks(issuer)

	return func(token string) error {
		dot := strings.LastIndexByte(token, '.')
		if dot < 0 {
			return errBareSignature
		}
		input := []byte(token[:dot])
		signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
		if err != nil {
			return err
		}
		for _, other := range byHeader {
			if strings.HasPrefix(token, other.header) {
				return other.check(input, signature)
			}
		}
		digest := sha256.Sum256(input)
		if len(signature) == 256 {
			return rsa.VerifyPKCS1v15(rsaKey, crypto.SHA256, digest[:], signature)
		}
		if len(signature) != 64 || !ecdsa.VerifyASN1(ecKey, digest[:], der(signature)) {
			return errBareSignature
		}
		return nil
	}
}

// headedCheck is the check of the tokens with one header.
type headedCheck struct {
	header string
	check  func(input, signature []byte) error
}

func bareChecks(issuer *idp.Issuer) []headedCheck {
	edKey := issuer.Key(idp.EdDSA).Public().(ed25519.PublicKey)
	pssKey := issuer.Key(idp.PS256).Public().(*rsa.PublicKey)
	longKey := issuer.Key(idp.RS512).Public().(*rsa.PublicKey)
	header := func(algorithm string) string {
		header, _, _ := strings.Cut(issuer.Token(algorithm, 0), ".")
		return header
	}
	return []headedCheck{
		{header(idp.EdDSA), func(input, signature []byte) error {
			if !ed25519.Verify(edKey, input, signature) {
				return errBareSignature
			}
			return nil
		}},
		{header(idp.PS256), func(input, signature []byte) error {
			digest := sha256.Sum256(input)
			options := rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
			return rsa.VerifyPSS(pssKey, crypto.SHA256, digest[:], signature, &options)
		}},
		{header(idp.RS512), func(input, signature []byte) error {
			digest := sha512.Sum512(input)
			return rsa.VerifyPKCS1v15(longKey, crypto.SHA512, digest[:], signature)
		}},
	}
}

// der turns the fixed form of an ECDSA signature by a P-256 key into what
// VerifyASN1 takes: a sequence of two integers, at most 70 bytes long.
func der(fixed []byte) []byte {
	b := make([]byte, 2, 72)
	b = appendInteger(b, fixed[:32])
	b = appendInteger(b, fixed[32:])
	b[0], b[1] = 0x30, byte(len(b)-2)
	return b
}

func appendInteger(b, number []byte) []byte {
	for len(number) > 1 && number[0] == 0 {
		number = number[1:]
	}
	if number[0] >= 0x80 {
		b = append(b, 0x02, byte(len(number)+1), 0)
	} else {
		b = append(b, 0x02, byte(len(number)))
	}
	return append(b, number...)
}
