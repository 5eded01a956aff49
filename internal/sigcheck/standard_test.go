package sigcheck_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "record what the toolchain's source is like, after having looked at it")

// packages are those of the standard library whose code is used here in the form of
// a module.
var packages = map[string]string{
	"bigmod":       "crypto/internal/fips140/bigmod",
	"edwards25519": "crypto/internal/fips140/edwards25519",
}

// decisive are the declarations of the standard library which are written anew here.
var decisive = map[string][]string{
	"crypto/rsa/fips.go":                         {"VerifyPKCS1v15", "VerifyPSS", "fipsPublicKey", "checkPublicKeySize"},
	"crypto/rsa/rsa.go":                          {"checkKeySize", "checkPublicKeySize"},
	"crypto/internal/fips140/rsa/rsa.go":         {"checkPublicKey", "encrypt"},
	"crypto/internal/fips140/rsa/pkcs1v15.go":    {"VerifyPKCS1v15", "verifyPKCS1v15", "pkcs1v15ConstructEM", "hashPrefixes"},
	"crypto/internal/fips140/rsa/pkcs1v22.go":    {"VerifyPSSWithSaltLength", "verifyPSS", "emsaPSSVerify", "mgf1XOR", "incCounter"},
	"crypto/ed25519/ed25519.go":                  {"Verify", "VerifyWithOptions"},
	"crypto/internal/fips140/ed25519/ed25519.go": {"NewPublicKey", "newPublicKey", "Verify", "verify", "verifyWithDom"},
}

const whatToDo = `%s of %s is not as anybody here has seen it before.
Read what changed: if it mends a fault, the same has to be mended here, or keys must
not be prepared until it is (see CONTRIBUTING.md, "Prepared keys"). Then record it:
	go test ./internal/sigcheck -run TestStandard -update
%s`

// TestStandard_Modules compares the modules that this package computes with to what
// the toolchain's standard library computes with. What differs is recorded for each Go
// version that somebody has looked at.
func TestStandard_Modules(t *testing.T) {
	for name, path := range packages {
		t.Run(name, func(t *testing.T) {
			module := normalized(t, output(t, "go", "list", "-m", "-f", "{{.Dir}}", "filippo.io/"+name))
			standard := normalized(t, filepath.Join(goroot(t), "src", path))
			var report strings.Builder
			compared := 0
			for _, file := range slices.Sorted(maps.Keys(module)) {
				if standard[file] == nil {
					fmt.Fprintf(&report, "== %s: in the module only\n", file)
					continue
				}
				fmt.Fprintf(&report, "== %s\n%s", file, difference(module[file], standard[file]))
				compared++
			}
			for _, file := range slices.Sorted(maps.Keys(standard)) {
				if module[file] == nil {
					fmt.Fprintf(&report, "== %s: in the toolchain only\n%s", file, difference(nil, standard[file]))
				}
			}
			if compared < 6 {
				t.Fatalf("%d files compared, want more", compared)
			}
			checkRecorded(t, name, path, report.String())
		})
	}
}

// TestStandard_Functions compares the functions of the standard library that this
// package stands in for with those that somebody has looked at.
func TestStandard_Functions(t *testing.T) {
	var report strings.Builder
	for _, file := range slices.Sorted(maps.Keys(decisive)) {
		path := filepath.Join(goroot(t), "src", file)
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, declaration := range parsed.Decls {
			if slices.Contains(decisive[file], declared(declaration)) {
				found++
				fmt.Fprintf(&report, "== %s: %s\n%s", file, declared(declaration), printed(t, set, declaration))
			}
		}
		if found == 0 {
			t.Errorf("%s: nothing found of %q", file, decisive[file])
		}
	}
	checkRecorded(t, "functions", "the source of the checks", report.String())
}

// TestStandard_Versions requires keys to be prepared with the Go versions that have a
// record, and with no later one.
func TestStandard_Versions(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "standard", "functions-go1.*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[int]bool{}
	latest := 0
	for _, file := range files {
		var minor int
		if _, err := fmt.Sscanf(filepath.Base(file), "functions-go1.%d.", &minor); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		recorded[minor], latest = true, max(latest, minor)
	}
	if latest == 0 {
		t.Fatal("nothing recorded")
	}
	for minor := 26; minor <= latest+2; minor++ {
		for _, tag := range []string{"", "oidcauth_stdcrypto", "boringcrypto"} {
			want := recorded[minor] && tag == ""
			if got := builds(t, "prepared.go", minor, tag); got != want {
				t.Errorf("go1.%d with tag %q: keys are prepared: %v, want %v", minor, tag, got, want)
			}
			if builds(t, "standard.go", minor, tag) == want {
				t.Errorf("go1.%d with tag %q: standard.go is no complement of prepared.go", minor, tag)
			}
		}
	}
}

// builds reports whether a file is part of a program built by Go 1.minor with a tag.
func builds(t *testing.T, file string, minor int, tag string) bool {
	t.Helper()
	parsed, err := constraint.Parse(strings.TrimSpace(buildConstraint(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Eval(func(name string) bool {
		var since int
		if n, _ := fmt.Sscanf(name, "go1.%d", &since); n == 1 {
			return minor >= since
		}
		return name == tag
	})
}

// checkRecorded requires a report that was recorded for some Go version.
func checkRecorded(t *testing.T, name, what, report string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "standard", name+"-*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	changes := report
	for _, file := range files {
		recorded, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(recorded) == report {
			return
		}
		since := difference(strings.Split(string(recorded), "\n"), strings.Split(report, "\n"))
		if len(since) < len(changes) {
			changes = "Since " + file + ":\n" + since
		}
	}
	if !*update {
		t.Fatalf(whatToDo, what, runtime.Version(), changes)
	}
	version, _, _ := strings.Cut(runtime.Version(), " ")
	if err := os.WriteFile(filepath.Join("testdata", "standard", name+"-"+version+".txt"), []byte(report), 0o644); err != nil {
		t.Fatal(err)
	}
}

func goroot(t *testing.T) string { return output(t, "go", "env", "GOROOT") }

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return strings.TrimSpace(string(out))
}

// normalized returns the lines of the Go and assembly files of a directory and those
// below it that go into programs, without comments and blank lines.
func normalized(t *testing.T, dir string) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "_asm") {
			return filepath.SkipDir
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		switch filepath.Ext(path) {
		case ".go":
			if !strings.HasSuffix(path, "_test.go") {
				files[filepath.ToSlash(name)] = goLines(t, path)
			}
		case ".s":
			files[filepath.ToSlash(name)] = assemblyLines(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func goLines(t *testing.T, path string) []string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return lines(buildConstraint(t, path) + printed(t, set, file))
}

// buildConstraint returns a file's build constraint.
func buildConstraint(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(regexp.MustCompile(`(?m)^//go:build .*\n`).Find(data))
}

func assemblyLines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)\s*//.*$`).ReplaceAllString(string(data), "")
	return lines(buildConstraint(t, path) + text)
}

func lines(text string) []string {
	var kept []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			kept = append(kept, line)
		}
	}
	return kept
}

func printed(t *testing.T, set *token.FileSet, node any) string {
	t.Helper()
	var buf strings.Builder
	config := printer.Config{Mode: printer.TabIndent, Tabwidth: 8}
	if err := config.Fprint(&buf, set, node); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines(buf.String()), "\n") + "\n"
}

// declared is the name of a function or of the first variable of a declaration.
func declared(declaration ast.Decl) string {
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		return d.Name.Name
	case *ast.GenDecl:
		if value, ok := d.Specs[0].(*ast.ValueSpec); ok {
			return value.Names[0].Name
		}
	}
	return ""
}

// difference is a diff of two texts without context: the lines that are on one side
// only, in their order.
func difference(before, after []string) string {
	common := make([][]int, len(before)+1) // lines in common from here on
	for i := range common {
		common[i] = make([]int, len(after)+1)
	}
	for i := len(before) - 1; i >= 0; i-- {
		for j := len(after) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if before[i] == after[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	var diff strings.Builder
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case i < len(before) && j < len(after) && before[i] == after[j]:
			i, j = i+1, j+1
		case j == len(after) || i < len(before) && common[i+1][j] >= common[i][j+1]:
			fmt.Fprintf(&diff, "-%s\n", before[i])
			i++
		default:
			fmt.Fprintf(&diff, "+%s\n", after[j])
			j++
		}
	}
	return diff.String()
}
