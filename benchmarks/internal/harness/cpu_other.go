//go:build !unix

package harness

import "testing"

// CPUMetric is the processor time of an operation in nanoseconds, which this
// system does not tell.
const CPUMetric = "cpu-ns/op"

func cpuMeter(*testing.B) func() { return func() {} }
