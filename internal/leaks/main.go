// Command leaks runs the tests and looks for tokens in everything that they say: what
// they print, t.Log included, and what the library says to them in log lines, errors and
// answers, which package said keeps. Its arguments are those of go test:
//
//	go run ./internal/leaks -race work
//
// It prints what go test prints, and fails when a test does, as go test does, or when a
// token is found that nobody meant to show (see permitted).
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/oidcauth/oidcauth/internal/said"
)

func main() {
	// An interrupt ends the tests, and then this command, which takes away what was kept.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	leaked, err := run("", os.Args[1:], os.Stdout)
	for _, l := range leaked {
		fmt.Fprintln(os.Stderr, "a token in", l)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		os.Exit(exit.ExitCode())
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
	leaked, printed := watch(out, w)
	failed := cmd.Wait()
	kept, bytesKept, err := look(dir)
	leaked = append(leaked, kept...)
	fmt.Fprintf(w, "%d bytes of what tests printed and %d of what the library said were searched: %d tokens\n", printed, bytesKept, len(leaked))
	switch {
	case err != nil:
		return leaked, err
	case failed != nil:
		return leaked, fmt.Errorf("leaks: go test: %w", failed)
	case printed == 0:
		return leaked, errors.New("leaks: no test said anything")
	}
	return leaked, nil
}

// watch reads what the tests print, and prints what of it matters. What go test says in
// several events is searched as the lines that it was.
func watch(from io.Reader, w io.Writer) (leaked []string, printed int) {
	told := teller{w: w, runs: make(map[string]*packageRun)}
	defer told.close()
	searched := make(map[string]*lines) // by package
	r := bufio.NewReader(from)
	for {
		line, err := r.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) != nil && len(line) > 0 {
			e = event{Action: "build-output", Output: string(line)} // of the go command itself
		}
		s := searched[e.Package]
		if s == nil {
			s = new(lines)
			searched[e.Package] = s
		}
		for _, text := range []string{e.Output, e.Value} {
			printed += len(text)
			for token, around := range s.find([]byte(text)) {
				leaked = append(leaked, report(e.Package+" "+e.Test, token, around)...)
			}
		}
		told.tell(e)
		if err != nil {
			break
		}
	}
	for name, s := range searched {
		for token, around := range s.end() {
			leaked = append(leaked, report(name, token, around)...)
		}
	}
	return leaked, printed
}

// look searches what package said has kept.
func look(dir string) (leaked []string, kept int, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, 0, err
	}
	for _, path := range files {
		found, n, err := lookInto(path)
		if err != nil {
			return leaked, kept, err
		}
		leaked, kept = append(leaked, found...), kept+n
	}
	return leaked, kept, nil
}

// lookInto searches a file.
func lookInto(path string) (leaked []string, kept int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	var s lines
	for buffer := make([]byte, longest); ; {
		n, err := f.Read(buffer)
		kept += n
		for token, around := range s.find(buffer[:n]) {
			leaked = append(leaked, report(filepath.Base(path), token, around)...)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return leaked, kept, err
		}
	}
	for token, around := range s.end() {
		leaked = append(leaked, report(filepath.Base(path), token, around)...)
	}
	return leaked, kept, nil
}

// long is what may be a part of a token.
var long = regexp.MustCompile(`[A-Za-z0-9_%+-]{24,}|(?:(?:0x)?[0-9a-f]{2,3},? ){8,}`)

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
