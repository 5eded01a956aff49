//go:build !race

package keyset_test

const defaultSeeds = 60
