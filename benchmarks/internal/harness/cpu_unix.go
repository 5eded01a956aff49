//go:build unix

package harness

import (
	"syscall"
	"testing"
	"time"
)

// CPUMetric is the processor time of an operation in nanoseconds, that of
// collections on other cores included. Unlike the time on the wall it hardly
// suffers from other programs on the machine.
const CPUMetric = "cpu-ns/op"

// cpuMeter starts to measure processor time; the function it returns reports
// it.
func cpuMeter(b *testing.B) func() {
	start := cpuTime()
	return func() {
		b.ReportMetric(float64(cpuTime()-start)/float64(b.N), CPUMetric)
	}
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
