package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
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
		`10 error errShort -> nil`, // beside which nobody reads the 0
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

// The order is that of the seed, and of each place alone.
func TestDraw(t *testing.T) {
	var sites []site
	for i := range 100 {
		sites = append(sites, site{id: fmt.Sprint(i)})
	}
	first := draw(sites, 1)
	if !slices.Equal(first, draw(sites, 1)) {
		t.Error("one seed draws twice otherwise")
	}
	if slices.Equal(first, draw(sites, 2)) {
		t.Error("two seeds draw the same")
	}
	without := slices.DeleteFunc(slices.Clone(first), func(s site) bool { return s.id == "7" })
	if got := draw(slices.Delete(slices.Clone(sites), 7, 8), 1); !slices.Equal(got, without) {
		t.Error("a place that is gone changes the order of the others")
	}
}

// A change keeps its id when lines are put before it, and two that look alike differ.
func TestIdentify(t *testing.T) {
	ids := func(text string) []string {
		sites, err := sitesIn("p.go", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, s := range sites {
			all = append(all, s.id)
		}
		return all
	}
	before := ids(source)
	if after := ids(strings.Replace(source, "\n", "\n\n// A comment.\n\n", 1)); !slices.Equal(after, before) {
		t.Errorf("got %v, want %v", after, before)
	}
	twice := ids("package p\n\nfunc f() {\n\tcall()\n\tcall()\n}\n")
	if len(twice) != 2 || twice[0] == twice[1] {
		t.Errorf("got %v, want two that differ", twice)
	}
}

// The nearest tests come first.
func TestSuites(t *testing.T) {
	p := packages{
		".": {"internal/a"}, "localissuer": {"internal/a", "."}, "internal/a": {"fmt"},
		"internal/c": {"internal/a"}, "internal/b": {"internal/a"}, "internal/d": {"internal/b"},
		"internal/house": {"internal/a"}, "internal/simulation": {".", "internal/a"},
	}
	for dir, want := range map[string][]string{
		"internal/a":        {"internal/a", "internal/b", "internal/c", ".", "localissuer", "internal/simulation"},
		"internal/untested": {".", "internal/simulation"},
		".":                 {".", "localissuer", "internal/simulation"},
		"adapters/natsauth": {"adapters/natsauth"},
	} {
		if got := p.suites(dir); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", dir, got, want)
		}
	}
}

// What was tried is not tried again, and what does not compile does not count.
func TestLog(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	sites := []site{{id: "a"}, {id: "b"}, {id: "c"}, {id: "d"}}
	book, err := openLog(name, sites)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []outcome{{sites[0], killed, "p TestP"}, {sites[1], invalid, ""}, {sites[3], passed, ""}, {sites[3], survived, ""}} {
		if err := book.add(o); err != nil {
			t.Fatal(err)
		}
	}
	book.close()
	book, err = openLog(name, sites)
	if err != nil {
		t.Fatal(err)
	}
	defer book.close()
	for n, want := range map[int]string{2: "", 3: "c", 4: "c"} {
		got := ""
		for _, s := range book.untried(sites, n) {
			got += s.id
		}
		if got != want {
			t.Errorf("untried of %d: got %q, want %q", n, got, want)
		}
	}
	if book.counts.counted() != 2 || book.counts[survived] != 1 || book.outcomes["a"].by != "p TestP" {
		t.Errorf("got %v counted, %v", book.counts, book.outcomes)
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
		dir := t.TempDir()
		overlay, err := overlayOf(s, dir)
		if err != nil {
			t.Fatal(err)
		}
		got, by, err := test(t.Context(), ".", overlay, dir, 2*time.Second)
		if got != expected || err != nil {
			t.Errorf("%s: %v, %v, want %v", s, got, err, expected)
		}
		if (by == "TestCount") != (expected == killed) {
			t.Errorf("%s: %v by %q", s, got, by)
		}
	}
	for change := range want {
		t.Errorf("no place for %s", change)
	}
}

// Changes that are compiled in together are told apart as those that are made one by
// one, and only by the tests that come by them. What does not compile is left out.
func TestMill(t *testing.T) {
	t.Chdir("../..")
	const suite = "internal/mutation/testdata/switched"
	sites, err := sitesOf(suite)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMill(t.Context(), suite, sites, t.TempDir(), 2)
	if err != nil {
		t.Fatal(err)
	}
	m.grace = time.Second
	if len(m.tests) != 2 {
		t.Fatalf("tests: got %d, want both", len(m.tests))
	}
	var got []string
	for _, s := range sites {
		change := fmt.Sprintf("%s %s -> %s: ", s.in, shorten(s.was), shorten(s.with))
		if !slices.Contains(m.compiled(), s) {
			got = append(got, change+"left out")
			continue
		}
		v, by, err := m.try(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, change+strings.TrimSpace(string(v)+" "+by))
	}
	want := []string{
		"most 3 -> (3+1): left out", "most + -> -: left out", "most 1 -> (1+1): left out",
		"Count n < 0 || !may -> !(n < 0 || !may): killed TestCount", "Count < -> <=: survived",
		"Count 0 -> (0+1): survived", "Count || -> &&: killed TestCount_Refused", "Count 0 -> (0+1): killed TestCount",
		"Count n >= most && n > 0 -> !(n >= most && n > 0): killed TestCount", "Count >= -> >: killed TestCount_Refused",
		"Count && -> ||: killed TestCount_Refused", "Count > -> >=: survived", "Count 0 -> (0+1): survived",
		"Count errLarge -> nil: killed TestCount_Refused", "Count 0 -> (0+1): killed TestCount",
		"Count count < n -> !(count < n): timed out", "Count < -> <=: killed TestCount", "Count count++ -> {}: timed out",
		"Late seen = 1 -> {}: survived", "Late 1 -> (1+1): survived", "Late <= -> <: survived", "Late 0 -> (0+1): left out",
	}
	// Some are noticed by both tests.
	for i := range min(len(got), len(want)) {
		got[i] = strings.Replace(got[i], "_Refused", "", 1)
		want[i] = strings.Replace(want[i], "_Refused", "", 1)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What is listed as harmless is still a place in the code. A row whose code is gone, or
// another, goes.
func TestDocument(t *testing.T) {
	t.Chdir("../..")
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	all, err := places(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	listed := harmlessOf(text)
	for _, s := range all {
		delete(listed, s.id)
	}
	for id := range listed {
		t.Errorf("%s: %s is no change of any place: take the row out, or look for it in what -list prints", document, id)
	}
}

func TestTally(t *testing.T) {
	counts := tally{killed: 19, survived: 1, timedOut: 5, invalid: 7}
	if counts.counted() != 25 || counts.share() != 0.95 {
		t.Errorf("counted() = %d, share() = %v", counts.counted(), counts.share())
	}
}
