package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
	"time"
)

const source = `package p

var table = map[string]bool{"a": true, "b": false}

var list = []int{7, 8}

func f(n int, ok bool) (int, error) {
	defer done()
	if n < 3 && ok {
		return 0, errShort
	}
	switch {
	case n == 4:
		n++
	}
	state = n
	call()
	for n > 1 {
		n -= 1
	}
	return n, nil
}
`

// Each kind of change is found where it is, and the changed file is still Go.
func TestSitesIn(t *testing.T) {
	sites, err := sitesIn("p.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range sites {
		got = append(got, fmt.Sprintf("%d %s %s -> %s", s.line, s.kind, shorten(s.was), shorten(s.with)))
		changed := source[:s.start] + s.with + source[s.end:]
		if _, err := parser.ParseFile(token.NewFileSet(), "p.go", changed, 0); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	want := []string{
		`3 entry "a": true, -> nothing`, `3 entry , "b": false -> nothing`, `3 flag true -> false`, `3 flag false -> true`,
		`5 entry 7, -> nothing`, `5 entry , 8 -> nothing`, `5 number 7 -> (7+1)`, `5 number 8 -> (8+1)`,
		`8 statement defer done() -> {}`,
		`9 condition n < 3 && ok -> !(n < 3 && ok)`, `9 operator < -> <=`, `9 number 3 -> (3+1)`, `9 operator && -> ||`,
		`10 number 0 -> (0+1)`, `10 error errShort -> nil`,
		`13 condition n == 4 -> !(n == 4)`, `13 operator == -> !=`, `13 number 4 -> (4+1)`, `14 statement n++ -> {}`,
		`16 statement state = n -> {}`, `17 statement call() -> {}`,
		`18 condition n > 1 -> !(n > 1)`, `18 operator > -> >=`, `18 number 1 -> (1+1)`,
		`19 statement n -= 1 -> {}`, `19 number 1 -> (1+1)`,
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDraw(t *testing.T) {
	var sites []site
	for i := range 100 {
		sites = append(sites, site{start: i})
	}
	if a, b := draw(sites, 1), draw(sites, 1); !slices.Equal(a, b) {
		t.Error("one seed draws twice otherwise")
	}
	if slices.Equal(draw(sites, 1), draw(sites, 2)) {
		t.Error("two seeds draw the same")
	}
}

// A change that tests notice, one that they do not, one that does not compile, and one
// whose tests do not end are told apart.
func TestTry(t *testing.T) {
	t.Chdir("testdata/module")
	t.Setenv("GOWORK", "off")
	sites, err := sitesOf(".")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]verdict{
		"n < 0 -> !(n < 0)": killed, "unseen++ -> {}": survived, "used = begin -> {}": invalid, "n-- -> {}": timedOut,
	}
	for _, s := range sites {
		change := shorten(s.was) + " -> " + shorten(s.with)
		expected, listed := want[change]
		if !listed {
			continue
		}
		delete(want, change)
		overlay, remove, err := overlayOf(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := test(t.Context(), ".", overlay, 2*time.Second); got != expected || err != nil {
			t.Errorf("%s: %v, %v, want %v", s, got, err, expected)
		}
		remove()
	}
	for change := range want {
		t.Errorf("no place for %s", change)
	}
}

func TestTally(t *testing.T) {
	counts := tally{killed: 19, survived: 1, timedOut: 5, invalid: 7}
	if counts.counted() != 25 || counts.share() != 0.95 {
		t.Errorf("counted() = %d, share() = %v", counts.counted(), counts.share())
	}
}
