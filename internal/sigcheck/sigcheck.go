// Package sigcheck checks RSA and Ed25519 signatures with public keys that were
// prepared once. The standard library prepares a key anew for each signature, which
// is a quarter of an RSA check.
//
// The arithmetic is that of the standard library, published by the same maintainer
// as filippo.io/bigmod and filippo.io/edwards25519; what is here is the encoding of
// messages (RFC 8017, section 9) and the order of the checks. The standard library
// stays the judge: where [Enabled] is false nothing is prepared, and everywhere
// else both have to come to the same verdict on each signature, which the tests
// hold.
package sigcheck

import "crypto/fips140"

// Enabled reports whether keys may be prepared. They may not where the program
// runs in FIPS 140-3 mode ([fips140.Enabled]), or was built with the tag
// oidcauth_stdcrypto, with BoringCrypto, or by a version of Go that is newer than
// those whose standard library was compared with what is here: there, signatures are
// checked by the functions of the standard library alone.
func Enabled() bool { return !standardOnly && !fips140.Enabled() }
