package authtest

import (
	"os"
	"runtime/debug"
	"testing"
)

// LeavesNoFileOpen fails the test if what do does a hundred times leaves files or
// directories open. The test must not run in parallel. Where the system has no list of
// them it is skipped.
func LeavesNoFileOpen(t *testing.T, do func()) {
	t.Helper()
	count := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(open)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which closes what nobody holds
	do()
	before := count()
	for range 100 {
		do()
	}
	if after := count(); after > before+10 {
		t.Errorf("%d files are open, %d were", after, before)
	}
}
