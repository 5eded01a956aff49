package main

import (
	"bytes"
	"fmt"
	"os"
	runtimemetrics "runtime/metrics"
	"strconv"
	"strings"
)

// writeProcess writes what the process holds, under the names that Go programs use for
// it: what grows without end is a fault. Memory and open files are told where the system
// tells, which Linux does.
func writeProcess(out *strings.Builder) {
	gauge := func(name, text string, value uint64) {
		help(out, name, "gauge", text)
		fmt.Fprintf(out, "%s %d\n", name, value)
	}
	samples := []runtimemetrics.Sample{{Name: "/sched/goroutines:goroutines"}, {Name: "/gc/heap/live:bytes"}}
	runtimemetrics.Read(samples)
	gauge("go_goroutines", "Goroutines that exist.", samples[0].Value.Uint64())
	gauge("go_gc_heap_live_bytes", "Memory of objects that were in use at the last garbage collection.", samples[1].Value.Uint64())
	if resident, ok := residentBytes(); ok {
		gauge("process_resident_memory_bytes", "Memory that the process holds.", resident)
	}
	if files, ok := openFiles(); ok {
		gauge("process_open_fds", "Files and connections that are open.", files)
	}
}

// residentBytes returns what Linux says in /proc that the process holds.
func residentBytes() (uint64, bool) {
	statm, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(statm)
	if err != nil || len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	return pages * uint64(os.Getpagesize()), err == nil
}

// openFiles counts the process's descriptors, less the one that it takes to count them.
func openFiles() (uint64, bool) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0, false
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	return uint64(max(len(names)-1, 0)), err == nil
}
