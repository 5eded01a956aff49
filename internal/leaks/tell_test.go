package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// packages are what may become of a package's tests.
var packages = map[string]string{
	"passes/p_test.go": `package p
import ("fmt"; "testing")
func TestPasses(t *testing.T) { t.Log("hidden"); fmt.Println("hidden") }
func TestSkips(t *testing.T) { t.Skip("hidden") }`,
	"fails/p_test.go": `package p
import ("fmt"; "strings"; "testing")
func TestPasses(t *testing.T) { t.Log("hidden") }
func TestFails(t *testing.T) {
	t.Log("first")
	t.Run("good", func(t *testing.T) { t.Log("hidden") })
	t.Run("bad", func(t *testing.T) { fmt.Print("no end "); t.Error("two\nlines") })
}
func TestLong(t *testing.T) {
	fmt.Println("begin"); fmt.Println(strings.Repeat("x y\n", 1<<20)); fmt.Println("end")
	t.Fail()
}`,
	"panics/p_test.go": `package p
import "testing"
func TestPanics(t *testing.T) { t.Log("before"); panic("at once") }`,
	"dies/p_test.go": `package p
import ("testing"; "time")
func TestStarts(t *testing.T) { go func() { time.Sleep(50*time.Millisecond); panic("later") }() }
func TestWaits(t *testing.T) { t.Log("waiting"); time.Sleep(time.Minute) }`,
	"exits/p_test.go": `package p
import ("fmt"; "os"; "testing")
func TestExits(t *testing.T) { fmt.Println("leaving"); os.Exit(3) }`,
	"breaks/p_test.go": `package p
func broken() { undefined() }`,
	"none/p.go": "package p",
	"go.mod":    "module p\n\ngo 1.26\n",
}

// Who reads what the command prints sees why a test failed, as go test would say, and no
// more of one that passes.
func TestRun_Prints(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, text := range packages {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	leaked, err := run(dir, []string{"-vet=off", "-count=1", "./..."}, &b)
	if err == nil || len(leaked) > 0 {
		t.Errorf("run() = %q, %v, want an error alone", leaked, err)
	}
	got := b.String()
	for _, want := range []string{
		"ok  \tp/passes\t",
		"--- FAIL: TestFails (", "    p_test.go:5: first\n",
		"--- FAIL: TestFails/bad (", "no end ", "    p_test.go:7: two\n        lines\n",
		"--- FAIL: TestLong (", "begin\n", "end\n", " bytes …\n", "FAIL\tp/fails\t",
		"--- FAIL: TestPanics (", "    p_test.go:3: before\npanic: at once", "FAIL\tp/panics\t",
		"    p_test.go:4: waiting\n", "panic: later\n", "goroutine ", "FAIL\tp/dies\t",
		"leaving\n", "FAIL\tp/exits\t",
		"p_test.go:2:17: undefined: undefined\n", "FAIL\tp/breaks [build failed]\n",
		"?   \tp/none\t[no test files]\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not printed", want)
		}
	}
	for _, unwanted := range []string{"hidden", "===", "PASS", "SKIP"} {
		if strings.Contains(got, unwanted) {
			t.Errorf("%q is printed", unwanted)
		}
	}
	if most := 3*half + 64<<10; len(got) > most {
		t.Errorf("%d bytes are printed, want at most %d", len(got), most)
	}
	if t.Failed() {
		t.Log(got[:min(len(got), 3000)], "\n…\n", got[max(0, len(got)-5000):])
	}
}
