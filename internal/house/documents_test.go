package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/verify"
)

// root is the folder of the repository, from this one.
const root = "../.."

// What the README and the guide show is the code of examples, which compile and
// run. White space at the beginning of lines does not count.
func TestDocuments(t *testing.T) {
	t.Chdir(root)
	sources, err := filepath.Glob("example*_test.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("Glob() = %q, %v, want the examples", sources, err)
	}
	var code strings.Builder
	guide, err := filepath.Glob("examples/guide/*/*.[gj][os]")
	if err != nil || len(guide) == 0 {
		t.Fatalf("Glob() = %q, %v, want the guide's programs", guide, err)
	}
	for _, name := range slices.Concat(sources, guide, []string{
		"issuers/example_test.go", "localissuer/example_service_test.go", "examples/server/main.go",
		"examples/internal/database/database.go", "examples/internal/database/http.go",
	}) {
		code.WriteString("\n" + trimmed(t, name))
	}
	for name, least := range map[string]int{"README.md": 2, "docs/guide.md": 15} {
		blocks := strings.Split(strings.ReplaceAll(trimmed(t, name), "\n```js\n", "\n```go\n"), "\n```go\n")[1:]
		if len(blocks) < least {
			t.Errorf("%s: %d blocks of code, want %d or more", name, len(blocks), least)
		}
		for _, block := range blocks {
			block, _, _ = strings.Cut(block, "```\n")
			if !strings.Contains(code.String(), "\n"+block) {
				t.Errorf("%s: in no example:\n%s", name, block)
			}
		}
	}
}

// Every sentinel is answered with the status that its comment promises.
func TestDocuments_StatusInComments(t *testing.T) {
	t.Chdir(root)
	source := strings.ReplaceAll(trimmed(t, "errors.go"), "\n//", "")
	found := regexp.MustCompile(`(Err\w+) says .* HTTP status (\d+)\.\n`).FindAllStringSubmatch(source, -1)
	if len(found) != len(authtest.Sentinels) {
		t.Errorf("%d comments with a status, want %d", len(found), len(authtest.Sentinels))
	}
	for _, f := range found {
		sentinel := authtest.Sentinels[f[1]]
		if status, _, _ := oidcauth.Answer(sentinel); sentinel == nil || strconv.Itoa(status) != f[2] {
			t.Errorf("%s is answered with %d, documented with %s", f[1], status, f[2])
		}
	}
}

// The README's table of checks has every sentinel, ErrClosed aside, in a row with
// the statuses of those that it names.
func TestDocuments_StatusInTable(t *testing.T) {
	t.Chdir(root)
	named := map[string]bool{"ErrClosed": true}
	for line := range strings.Lines(trimmed(t, "README.md")) {
		names := regexp.MustCompile(`Err\w+`).FindAllString(line, -1)
		cells := strings.Split(line, "|")
		if len(names) == 0 || len(cells) != 6 {
			continue
		}
		var want []string
		for _, name := range names {
			named[name] = true
			status, _, _ := oidcauth.Answer(authtest.Sentinels[name])
			if text := strconv.Itoa(status); !slices.Contains(want, text) {
				want = append(want, text)
			}
		}
		if got := strings.TrimSpace(cells[4]); got != strings.Join(want, ", ") {
			t.Errorf("%s: got %s, want %s", names, got, strings.Join(want, ", "))
		}
	}
	for name := range authtest.Sentinels {
		if !named[name] {
			t.Errorf("%s is in no row", name)
		}
	}
}

// The README's table has the checks in the order in which they decide: those of a token, of
// what supplements it, and of what is proved at each use.
func TestDocuments_OrderInTable(t *testing.T) {
	t.Chdir(root)
	var want, got []string
	for _, step := range slices.Concat(verify.Steps, verify.Further) {
		want = append(want, step.Name)
	}
	want = append(want, refusal.Possession)
	for line := range strings.Lines(trimmed(t, "README.md")) {
		cells := strings.Split(line, "|")
		if len(cells) == 6 && slices.Contains(want, strings.TrimSpace(cells[1])) {
			got = append(got, strings.TrimSpace(cells[1]))
		}
	}
	want = slices.DeleteFunc(want, func(name string) bool { return !slices.Contains(got, name) })
	if !slices.Equal(got, want) || len(got) < 10 {
		t.Errorf("got the rows %q, want %q", got, want)
	}
}

// A table that follows a line of text is shown as more of that text.
func TestDocuments_Tables(t *testing.T) {
	t.Chdir(root)
	for _, name := range documents(t) {
		before := ""
		for line := range strings.Lines(trimmed(t, name)) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "|") && before != "" && !strings.HasPrefix(before, "|") && !strings.HasSuffix(before, "-->") {
				t.Errorf("%s: want an empty line between %q and the table", name, before)
			}
			before = line
		}
	}
}

// What the documents point to in the repository is there.
func TestDocuments_Links(t *testing.T) {
	t.Chdir(root)
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#([a-z-]+))?\)`) // with a colon it leads elsewhere
	for _, name := range documents(t) {
		for _, to := range link.FindAllStringSubmatch(trimmed(t, name), -1) {
			path := filepath.Join(filepath.Dir(name), to[1])
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			heading := "## " + strings.ReplaceAll(to[2], "-", " ")
			if to[2] != "" && !strings.Contains(strings.ToLower(trimmed(t, path)), heading+"\n") {
				t.Errorf("%s: %s has no heading %q", name, path, heading)
			}
		}
	}
}

// Tests and fuzz tests that the documents name are there. One of oidctest, which forges,
// shows of the library nothing, but by its name that a forgery works on others.
func TestDocuments_Tests(t *testing.T) {
	t.Chdir(root)
	tests, forging := map[string]bool{}, map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range declared.FindAllSubmatch(text, -1) {
			where := tests
			if strings.HasPrefix(path, "oidctest/") && !strings.Contains(string(name[1]), "_WorksOn") {
				where = forging
			}
			where[string(name[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	promised := 0
	named := regexp.MustCompile(`\b(Test|Fuzz|Benchmark)[A-Z]\w*`)
	for _, document := range documents(t) {
		for _, name := range named.FindAllString(trimmed(t, document), -1) {
			promised++
			if !tests[name] {
				t.Errorf("%s: there is no %s (in oidctest: %v)", document, name, forging[name])
			}
		}
	}
	if promised < 100 {
		t.Errorf("%d tests named: the tables of promises and bounds are gone", promised)
	}
}

// Files and folders that the map names are there, each by its path from the root.
func TestDocuments_Places(t *testing.T) {
	t.Chdir(root)
	path := regexp.MustCompile("`([a-z0-9._]+(?:/[a-z0-9._]+)*(?:\\.go|\\.md|/[a-z0-9_]+))`")
	text := trimmed(t, "docs/architecture.md")
	found := path.FindAllStringSubmatch(text, -1)
	if len(found) < 40 {
		t.Errorf("%d paths found, want those of the tables", len(found))
	}
	for _, f := range found {
		if _, err := os.Stat(f[1]); err != nil {
			t.Errorf("docs/architecture.md: %v", err)
		}
	}
}

// What the table of bounds says of time is what was measured of the worst tokens.
func TestDocuments_Worst(t *testing.T) {
	t.Chdir(root)
	rows := regexp.MustCompile(`(?m)^\| [^|]+ \| (\d+\.\d+) \|$`)
	unsigned, signed, found := strings.Cut(trimmed(t, "benchmarks/worst.md"), "| signed |")
	if !found {
		t.Fatal("benchmarks/worst.md has no table of signed tokens")
	}
	bounds := trimmed(t, "docs/architecture.md")
	for _, table := range []string{unsigned, signed} {
		worst := 0.0
		for _, row := range rows.FindAllStringSubmatch(table, -1) {
			times, err := strconv.ParseFloat(row[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			worst = max(worst, times)
		}
		if want := strconv.FormatFloat(worst, 'f', 2, 64) + " bare checks"; !strings.Contains(bounds, want) {
			t.Errorf("docs/architecture.md: want %q", want)
		}
	}
}

// How many descriptions of providers there are, and how many have been tried with the real
// thing, is what the table says, which the tests of package issuers write.
func TestDocuments_Tried(t *testing.T) {
	t.Chdir(root)
	readme := strings.ReplaceAll(trimmed(t, "README.md"), "\n", " ")
	described := strings.Count(trimmed(t, "docs/providers.md"), "<!-- begin ") - 1 // and the table itself
	for _, name := range []string{"README.md", "docs/guide.md"} {
		if want := strconv.Itoa(described) + " descriptions"; !strings.Contains(trimmed(t, name), want) {
			t.Errorf("%s: want %q", name, want)
		}
	}
	tried := regexp.MustCompile("(?m)^\\| `(\\w+)` .*\\| (real server|own verifier|library) \\|$").FindAllStringSubmatch(trimmed(t, "docs/providers.md"), -1)
	if len(tried) == 0 {
		t.Error("nothing was tried")
	}
	if want := strconv.Itoa(len(tried)) + " of them"; !strings.Contains(readme, want) {
		t.Errorf("README.md: want %q have been tried", want)
	}
}

// What the README says each library lets pass is what the comparison counts.
func TestDocuments_LetPass(t *testing.T) {
	t.Chdir(root)
	_, table, found := strings.Cut(trimmed(t, "benchmarks/RESULTS.md"), "| fault |")
	if !found {
		t.Fatal("benchmarks/RESULTS.md has no table of faults")
	}
	lines := strings.Split(table, "\n")
	faults, counts := 0, map[string]int{}
	names := strings.Split(lines[0], "|")
	for _, line := range lines[2:] {
		cells := strings.Split(line, "|")
		if len(cells) < len(names) {
			break
		}
		faults++
		for i, cell := range cells[2:] {
			counts[strings.TrimSpace(names[i])] += strings.Count(cell, "•")
		}
	}
	readme := trimmed(t, "README.md")
	if want := strconv.Itoa(faults) + " faults"; !strings.Contains(readme, want) {
		t.Errorf("README.md: want %q", want)
	}
	for _, name := range names {
		name = strings.TrimSpace(name)
		if name == "" || name == "bare" {
			continue
		}
		row := regexp.MustCompile(`(?m)^\| ` + name + `[ |].* (\d+) \|$`).FindStringSubmatch(readme)
		if row == nil || row[1] != strconv.Itoa(counts[name]) {
			t.Errorf("README.md: %s: got %q, want %d let pass", name, row, counts[name])
		}
	}
}

// documents returns the names of all documents.
func documents(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("docs/*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("Glob() = %q, %v, want the documents", names, err)
	}
	return append(names, "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md",
		"benchmarks/worst.md", "examples/README.md")
}

// trimmed reads a text file and trims each line.
func trimmed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

// The map in docs/architecture.md has each package of the module once, and each
// imports no package of the module that the map does not permit. The root may
// import all that is below it.
func TestRooms_Documented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := imports("../../...")
	if err != nil {
		t.Fatal(err)
	}
	permitted := map[string]string{} // by package
	row := regexp.MustCompile("(?m)^\\| `([a-z./]+)` \\| [^|]+ \\| ([^|]*)\\|$")
	for _, found := range row.FindAllStringSubmatch(string(text), -1) {
		name := found[1]
		if _, twice := permitted[name]; twice {
			t.Errorf("%s stands in the table twice", name)
		}
		if _, known := all[modulePath+strings.TrimSuffix("/"+name, "/.")]; !known {
			t.Errorf("%s stands in the table and is no package", name)
		}
		permitted[name] = found[2]
	}
	for _, path := range slices.Sorted(maps.Keys(all)) {
		from := short(path)
		cell, documented := permitted[from]
		if !documented {
			t.Errorf("%s does not stand in the table", from)
			continue
		}
		for _, p := range all[path] {
			inside := p == modulePath || strings.HasPrefix(p, modulePath+"/")
			if inside && from != "." && !strings.Contains(cell, "`"+short(p)+"`") {
				t.Errorf("%s imports %s, and the table permits %s", from, short(p), cell)
			}
		}
	}
}
