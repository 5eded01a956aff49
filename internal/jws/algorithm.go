package jws

import (
	"crypto"
	"fmt"
	"slices"
)

// scheme is a way to sign, and with it the type of key that can.
type scheme uint8

const (
	noScheme scheme = iota
	rsaPKCS1
	rsaPSS
	ecdsaRaw
	edwards
	lattice
)

// algorithm is a signature algorithm of RFC 7518, section 3.1, RFC 8037,
// section 3.1, RFC 9864, section 2.2 or RFC 9964, section 5.
type algorithm struct {
	scheme    scheme
	hash      crypto.Hash // 0 when the scheme hashes by itself
	curveBits int         // ECDSA only: the one curve the algorithm permits
	signature int         // ML-DSA only: bytes of a signature
}

// findAlgorithm returns the algorithm of that exact name. It knows no symmetric
// one, and not "none".
func findAlgorithm(name string) (algorithm, bool) {
	switch name {
	case "RS256":
		return algorithm{scheme: rsaPKCS1, hash: crypto.SHA256}, true
	case "RS384":
		return algorithm{scheme: rsaPKCS1, hash: crypto.SHA384}, true
	case "RS512":
		return algorithm{scheme: rsaPKCS1, hash: crypto.SHA512}, true
	case "PS256":
		return algorithm{scheme: rsaPSS, hash: crypto.SHA256}, true
	case "PS384":
		return algorithm{scheme: rsaPSS, hash: crypto.SHA384}, true
	case "PS512":
		return algorithm{scheme: rsaPSS, hash: crypto.SHA512}, true
	case "ES256":
		return algorithm{scheme: ecdsaRaw, hash: crypto.SHA256, curveBits: 256}, true
	case "ES384":
		return algorithm{scheme: ecdsaRaw, hash: crypto.SHA384, curveBits: 384}, true
	case "ES512":
		return algorithm{scheme: ecdsaRaw, hash: crypto.SHA512, curveBits: 521}, true
	case "EdDSA", "Ed25519":
		return algorithm{scheme: edwards}, true
	}
	return findLattice(name)
}

// Known reports whether alg is a signature algorithm that a [Key] can verify:
// RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, and
// Ed25519, the name RFC 9864 gives to the only EdDSA supported here; and ML-DSA-44,
// ML-DSA-65 and ML-DSA-87 where [CheckMLDSA] finds them. Names match exactly.
func Known(alg string) bool {
	_, ok := findAlgorithm(alg)
	return ok
}

// names are those that are [Known], ML-DSA aside, whose keys state their own.
var names = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
}

// Algorithms returns the names of all that are [Known], but for ML-DSA.
func Algorithms() []string { return slices.Clone(names) }

// AlgorithmsOf returns those that a key can be meant for whose JWK has this type and
// this curve ("kty" and "crv"): none where no such key verifies signatures here.
func AlgorithmsOf(kty, curve string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		a, _ := findAlgorithm(name)
		switch a.scheme {
		case rsaPKCS1, rsaPSS:
			return kty != "RSA"
		case ecdsaRaw:
			return kty != "EC" || curve != fmt.Sprint("P-", a.curveBits)
		case edwards:
			return kty != "OKP" || curve != "Ed25519"
		}
		return true
	})
}
