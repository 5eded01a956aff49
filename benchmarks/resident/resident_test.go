package main

import (
	"runtime"
	"testing"
)

// TestWeigh: every state is reached and weighs something, and more tokens more.
func TestWeigh(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what a process holds, in /proc")
	}
	rows, err := settings{rounds: 1, issuers: 20, tokens: 20_000, rest: 1}.weigh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if len(r.weighs) != 1 || r.weighs[0] < 1<<20 {
			t.Errorf("%s: got %v bytes, want a mebibyte at least", r.what, r.weighs)
		}
	}
	if none, many := rows[0].weighs[0], rows[3].weighs[0]; many-none < 20_000*1000 {
		t.Errorf("20000 tokens that are kept: got %d bytes more than nothing, want 1000 for each at least", many-none)
	}
}
