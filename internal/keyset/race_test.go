//go:build race

package keyset_test

// defaultSeeds is smaller with the race detector, which is slow.
const defaultSeeds = 20
