// Command leaks runs the tests and looks for secrets in everything that they say: what
// they print, t.Log included, and what the library says to them in log lines, errors and
// answers, which package said keeps. Its arguments are those of go test:
//
//	go run ./internal/leaks -race work
//
// A secret is what has the form of one (a token, a part of it, a private key, a client's
// credentials in a form or behind their scheme), and what a test has noted with package
// said because it has none.
//
// It prints what go test prints, and fails when a test does, as go test does, or when a
// secret is found that nobody meant to show (see permitted).
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
	seen := make(map[string]bool)
	for _, l := range leaked {
		if !seen[l] {
			seen[l] = true
			fmt.Fprintln(os.Stderr, l)
		}
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

// run runs go test in a directory, and returns where a secret was.
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
	p := &printed{dir: dir, searched: make(map[string]*lines), files: make(map[string]*os.File)}
	err = p.watch(out, w)
	failed := cmd.Wait()
	if err != nil {
		return nil, err
	}
	secrets, noted, err := load(dir)
	if err != nil {
		return p.leaked, err
	}
	kept, bytesKept, err := look(dir, secrets)
	leaked = append(p.leaked, kept...)
	fmt.Fprintf(w, "%d bytes of what tests printed and %d of what the library said were searched, also for %d secrets that tests had noted: %d found\n", p.bytes, bytesKept-p.bytes, noted, len(leaked))
	switch {
	case err != nil:
		return leaked, err
	case failed != nil:
		return leaked, fmt.Errorf("leaks: go test: %w", failed)
	case p.bytes == 0:
		return leaked, errors.New("leaks: no test said anything")
	}
	return leaked, nil
}

// printedPrefix begins the names of the files that keep what tests print, until all
// secrets are known.
const printedPrefix = "printed-"

// A printed is what the tests print.
type printed struct {
	dir      string
	searched map[string]*lines   // by package
	files    map[string]*os.File // as well
	bytes    int
	leaked   []string
}

// watch reads what the tests print, and prints what of it matters. What go test says in
// several events is searched as the lines that it was.
func (p *printed) watch(from io.Reader, w io.Writer) (err error) {
	told := teller{w: w, runs: make(map[string]*packageRun)}
	defer told.close()
	r := bufio.NewReader(from)
	for done := false; !done; {
		line, readErr := r.ReadBytes('\n')
		done = readErr != nil
		var e event
		if json.Unmarshal(line, &e) != nil && len(line) > 0 {
			e = event{Action: "build-output", Output: string(line)} // of the go command itself
		}
		if addErr := p.add(e); addErr != nil && err == nil {
			err = addErr // and read on, or the tests would wait
		}
		told.tell(e)
	}
	for name, s := range p.searched {
		for found, around := range s.end() {
			p.leaked = append(p.leaked, report(name, found, around)...)
		}
		err = errors.Join(err, p.files[name].Close())
	}
	return err
}

// add searches an event, and keeps what it has.
func (p *printed) add(e event) error {
	s := p.searched[e.Package]
	if s == nil {
		name := fmt.Sprintf("%s%d-%s", printedPrefix, len(p.files), strings.ReplaceAll(e.Package, "/", "-"))
		f, err := os.OpenFile(filepath.Join(p.dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		s = &lines{search: find}
		p.searched[e.Package], p.files[e.Package] = s, f
	}
	for _, text := range []string{e.Output, e.Value} {
		p.bytes += len(text)
		for found, around := range s.find([]byte(text)) {
			p.leaked = append(p.leaked, report(e.Package+" "+e.Test, found, around)...)
		}
		if _, err := io.WriteString(p.files[e.Package], text); err != nil {
			return err
		}
	}
	return nil
}

// look searches what package said has kept; and that, with what tests have printed, for
// the secrets that they have noted.
func look(dir string, secrets *known) (leaked []string, kept int, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, 0, err
	}
	for _, path := range files {
		search := func(line []byte) []leak { return append(find(line), secrets.find(line)...) }
		switch name := filepath.Base(path); {
		case strings.HasSuffix(name, said.SecretsSuffix):
			continue
		case strings.HasPrefix(name, printedPrefix):
			search = secrets.find
		}
		found, n, err := lookInto(path, search)
		if err != nil {
			return leaked, kept, err
		}
		leaked, kept = append(leaked, found...), kept+n
	}
	return leaked, kept, nil
}

// lookInto searches a file.
func lookInto(path string, search func([]byte) []leak) (leaked []string, kept int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	s := lines{search: search}
	for buffer := make([]byte, longest); ; {
		n, err := f.Read(buffer)
		kept += n
		for found, around := range s.find(buffer[:n]) {
			leaked = append(leaked, report(filepath.Base(path), found, around)...)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return leaked, kept, err
		}
	}
	for found, around := range s.end() {
		leaked = append(leaked, report(filepath.Base(path), found, around)...)
	}
	return leaked, kept, nil
}

// long is what may be a part of a secret.
var long = regexp.MustCompile(`[A-Za-z0-9_%+-]{24,}|(?:(?:0x)?[0-9a-f]{2,3},? ){8,}`)

// report says where a secret was, with enough of what stood around it, and nothing of it.
func report(where string, found leak, text string) []string {
	if found.whole != "" {
		text = strings.ReplaceAll(text, found.whole, found.text)
	}
	before, after, _ := strings.Cut(text, found.text)
	before, after = long.ReplaceAllString(before, "…"), long.ReplaceAllString(after, "…")
	for _, p := range permitted {
		if strings.Contains(where, p.where) && strings.Contains(text, p.text) {
			return nil
		}
	}
	const around = 200
	return []string{fmt.Sprintf("a %s in %s: %q…%q", found.kind, long.ReplaceAllString(where, "…"), before[max(0, len(before)-around):], after[:min(len(after), around)])}
}

// permitted are the places where a secret is meant to be.
var permitted = []struct{ where, text string }{}
