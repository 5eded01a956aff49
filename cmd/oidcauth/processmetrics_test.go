package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestProcessMetrics: what the process holds is told, and grows with what is opened.
func TestProcessMetrics(t *testing.T) {
	runtime.GC() // before the first one no object is known to be live
	before := processMetrics(t)
	for _, name := range []string{"go_goroutines", "go_gc_heap_live_bytes"} {
		if before[name] < 1 {
			t.Errorf("%s = %d, want 1 at least", name, before[name])
		}
	}
	const more = 20
	end := make(chan struct{})
	for n := range more {
		go func() { <-end }()
		file, err := os.Create(filepath.Join(t.TempDir(), strconv.Itoa(n)))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
	}
	defer close(end)
	after := processMetrics(t)
	if got := after["go_goroutines"] - before["go_goroutines"]; got < more/2 {
		t.Errorf("go_goroutines grew by %d, want about %d", got, more)
	}
	if runtime.GOOS != "linux" {
		return
	}
	if got := after["process_open_fds"] - before["process_open_fds"]; got < more/2 {
		t.Errorf("process_open_fds grew by %d, want about %d", got, more)
	}
	if got := after["process_resident_memory_bytes"]; got < 1<<20 {
		t.Errorf("process_resident_memory_bytes = %d, want a mebibyte at least", got)
	}
}

func processMetrics(t *testing.T) map[string]int64 {
	t.Helper()
	var out strings.Builder
	writeProcess(&out)
	mustBeExposition(t, out.String())
	values := make(map[string]int64)
	for line := range strings.Lines(out.String()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "#" {
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		values[name] = n
	}
	return values
}
