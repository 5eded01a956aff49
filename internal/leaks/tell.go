package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// An event is a line of go test -json.
type event struct {
	Action, Package, Test, Output, Key, Value string
}

// A teller prints of the events what go test prints without -v: of a package that
// passes a line, of one that fails its failed tests and what belongs to no test. It
// keeps what a package prints until the package ends, so that packages do not mix.
type teller struct {
	w    io.Writer
	runs map[string]*packageRun // by package, while its tests run
}

// A packageRun is what the tests of a package have printed.
type packageRun struct {
	tests map[string]*testRun
	order []*testRun // as they began: a test before its subtests
	own   clipped    // what belongs to no test
}

// A testRun is what a test has printed.
type testRun struct {
	verdict string  // its line of --- FAIL, --- PASS or --- SKIP
	text    clipped // the rest
	passed  bool
}

// tell takes the next event.
func (t *teller) tell(e event) {
	if e.Action == "build-output" {
		io.WriteString(t.w, e.Output)
		return
	}
	if e.Package == "" {
		return
	}
	p := t.runs[e.Package]
	if p == nil {
		p = &packageRun{tests: make(map[string]*testRun)}
		t.runs[e.Package] = p
	}
	ended := e.Action == "pass" || e.Action == "fail" || e.Action == "skip"
	switch {
	case e.Action == "output":
		p.print(e.Test, e.Output)
	case ended && e.Test == "":
		p.end(t.w, e.Action == "fail")
		delete(t.runs, e.Package)
	case ended && e.Action != "fail":
		r := p.test(e.Test)
		*r = testRun{verdict: r.verdict, passed: true}
	}
}

// close prints what is left of packages that never ended.
func (t *teller) close() {
	for _, p := range t.runs {
		p.end(t.w, true)
	}
}

// test returns what a test has printed.
func (p *packageRun) test(name string) *testRun {
	r := p.tests[name]
	if r == nil {
		r = new(testRun)
		p.tests[name] = r
		p.order = append(p.order, r)
	}
	return r
}

// print keeps a line, or a part of one.
func (p *packageRun) print(test, text string) {
	line := strings.TrimLeft(text, " ")
	switch {
	case strings.HasPrefix(text, "=== ") && test != "":
		p.test(test)
	case test == "":
		p.own.add(text)
	case strings.HasPrefix(line, "--- FAIL: "+test+" "), strings.HasPrefix(line, "--- PASS: "+test+" "), strings.HasPrefix(line, "--- SKIP: "+test+" "):
		p.test(test).verdict = text
	case strings.Contains(p.test(test).verdict, "--- PASS") || strings.Contains(p.test(test).verdict, "--- SKIP"):
		// A process that dies after a test has passed dies in that test's name.
		p.own.add(text)
	default:
		p.test(test).text.add(text)
	}
}

// end prints what matters of a package that has ended. A test that never ended is
// printed as one that failed.
func (p *packageRun) end(w io.Writer, failed bool) {
	if !failed {
		for line := range strings.Lines(p.own.String()) {
			if strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") || strings.HasPrefix(line, "\t") {
				io.WriteString(w, line)
			}
		}
		return
	}
	for _, r := range p.order {
		if !r.passed {
			io.WriteString(w, r.verdict+r.text.String())
		}
	}
	io.WriteString(w, p.own.String())
}

// half is how many bytes of a test's text are kept of its beginning, and at least of
// its end.
const half = 512 << 10

// A clipped is a text of which the middle is left out if it is long.
type clipped struct {
	head, tail bytes.Buffer
	lost       int // bytes
}

// add appends to the text.
func (c *clipped) add(text string) {
	if c.head.Len() < half {
		c.head.WriteString(text)
		return
	}
	c.tail.WriteString(text)
	if c.tail.Len() > 2*half {
		c.lost += len(c.tail.Next(c.tail.Len() - half))
	}
}

// String returns what is kept of the text.
func (c *clipped) String() string {
	if c.lost == 0 {
		return c.head.String() + c.tail.String()
	}
	return fmt.Sprintf("%s\n… %d bytes …\n%s", c.head.String(), c.lost, c.tail.String())
}
