//go:build !go1.27

package jws

import "crypto"

// noLattice says what to do for want of ML-DSA.
const noLattice = "build this server with Go 1.27 or later"

// latticeKey is a public key of ML-DSA, of which there are none.
type latticeKey struct{}

func latticeOf(crypto.PublicKey) *latticeKey { return nil }

func newLattice(string, []byte) (crypto.PublicKey, error) { return nil, CheckMLDSA() }

func (*latticeKey) key() crypto.PublicKey { return nil }

func (*latticeKey) name() string { return "" }

func (*latticeKey) encoding() []byte { return nil }

func (*latticeKey) verify([]byte, []byte) bool { return false }
