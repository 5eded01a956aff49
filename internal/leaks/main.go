// Command leaks runs the tests and looks for tokens in everything that they say: what
// they print, t.Log included, and what the library says to them in log lines, errors and
// answers, which package said keeps. Its arguments are those of go test:
//
//	go run ./internal/leaks -race work
//
// It prints what go test prints, but for tests that pass, and fails when a test does, or
// when a token is found that nobody meant to show (see permitted).
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/oidcauth/oidcauth/internal/said"
)

func main() {
	leaked, err := run("", os.Args[1:], os.Stdout)
	for _, l := range leaked {
		fmt.Fprintln(os.Stderr, "a token in", l)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || len(leaked) > 0 {
		os.Exit(1)
	}
}

// run runs go test in a directory, and returns where a token was.
func run(in string, args []string, w io.Writer) (leaked []string, err error) {
	dir, err := os.MkdirTemp("", "oidcauth-said-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Dir = in
	cmd.Env = append(os.Environ(), said.Variable+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	leaked, lines := watch(out, w)
	failed := cmd.Wait()
	kept, bytesKept, err := look(dir)
	fmt.Fprintf(w, "%d lines of tests and %d bytes of what the library said were searched\n", lines, bytesKept)
	if failed == nil && err == nil && lines == 0 {
		err = fmt.Errorf("leaks: no test said anything")
	}
	if failed != nil {
		err = fmt.Errorf("go test: %w", failed)
	}
	return append(leaked, kept...), err
}

// An event is a line of go test -json.
type event struct {
	Action, Package, Test, Output string
}

// watch reads what the tests print, and prints what of it matters.
func watch(from io.Reader, w io.Writer) (leaked []string, lines int) {
	pending := make(map[string]*strings.Builder) // what each test has printed
	r := bufio.NewReader(from)
	for {
		line, err := r.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) != nil {
			w.Write(line)
		}
		if e.Action == "output" || e.Action == "build-output" {
			lines++
			for _, token := range find([]byte(e.Output)) {
				leaked = append(leaked, report(e.Package+" "+e.Test, token, e.Output)...)
			}
		}
		tell(w, pending, e)
		if err != nil {
			return leaked, lines
		}
	}
}

// tell prints what go test prints without -v.
func tell(w io.Writer, pending map[string]*strings.Builder, e event) {
	key := e.Package + " " + e.Test
	switch {
	case e.Action == "build-output", e.Action == "output" && e.Test == "":
		if e.Output != "PASS\n" {
			io.WriteString(w, e.Output)
		}
	case e.Action == "output":
		if pending[key] == nil {
			pending[key] = new(strings.Builder)
		}
		pending[key].WriteString(e.Output)
	case e.Action == "fail" && pending[key] != nil:
		io.WriteString(w, pending[key].String())
		delete(pending, key)
	case e.Action == "pass", e.Action == "skip":
		delete(pending, key)
	}
}

// look searches what package said has kept.
func look(dir string) (leaked []string, kept int, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, 0, err
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, 0, err
		}
		kept += len(text)
		for line := range bytes.Lines(text) {
			for _, token := range find(line) {
				leaked = append(leaked, report(filepath.Base(path), token, string(line))...)
			}
		}
	}
	return leaked, kept, nil
}

// long is what may be a part of a token.
var long = regexp.MustCompile(`[A-Za-z0-9_%+-]{24,}`)

// report says where a token was, with enough of what stood around it, and nothing of it.
func report(where, token, text string) []string {
	before, after, _ := strings.Cut(text, token)
	before, after = long.ReplaceAllString(before, "…"), long.ReplaceAllString(after, "…")
	for _, p := range permitted {
		if strings.Contains(where, p.where) && strings.Contains(text, p.text) {
			return nil
		}
	}
	const around = 200
	return []string{fmt.Sprintf("%s: %q…%q", long.ReplaceAllString(where, "…"), before[max(0, len(before)-around):], after[:min(len(after), around)])}
}

// permitted are the places where a token is meant to be.
var permitted = []struct{ where, text string }{}
