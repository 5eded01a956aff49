// Package benchmarks measures the library beside its peers: the same tokens,
// the same claims read, one process.
//
//	go test -bench . ./benchmarks         every measurement, for benchstat
//	go run ./benchmarks/report            interleaved rounds, ratios, a plot
//
// The peers stand in internal/peers, one file each, with what each leaves to
// its user; the tests of this package hold that list to what happens.
package benchmarks
