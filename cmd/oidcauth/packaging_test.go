package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// commandLines returns the lines of the command in a file of packaging, without its
// name.
func commandLines(t *testing.T, name string, lines *regexp.Regexp) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("packaging", name))
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for _, m := range lines.FindAllStringSubmatch(string(text), -1) {
		all = append(all, strings.Fields(strings.NewReplacer(`"`, " ", ",", " ", "[", " ", "]", " ").Replace(m[1])))
	}
	return all
}

// TestPackaging_CommandLines: what the unit of systemd and the Dockerfile call is there.
func TestPackaging_CommandLines(t *testing.T) {
	t.Parallel()
	unit := commandLines(t, "oidcauth.service", regexp.MustCompile(`(?m)^Exec\w+=/usr/bin/oidcauth (.*)$`))
	image := commandLines(t, "Dockerfile", regexp.MustCompile(`(?m)CMD \[(?:"/usr/bin/oidcauth", )?(.*)\]$`))
	if len(unit) != 3 || len(image) != 2 {
		t.Fatalf("found %q and %q", unit, image)
	}
	for _, args := range append(unit, image...) {
		c, known := findCommand(args[0])
		if !known {
			t.Errorf("%q: no such command", args)
			continue
		}
		flags := c.flagSet()
		c.setup(flags)
		if operands, err := parse(flags, args[1:]); err != nil || len(operands) > 0 {
			t.Errorf("%q: %v, operands %q", args, err, operands)
		}
	}
}

// TestPackaging_Unit has systemd read its unit.
func TestPackaging_Unit(t *testing.T) {
	t.Parallel()
	needProgram(t, "systemd-analyze")
	text, err := os.ReadFile("packaging/oidcauth.service")
	if err != nil {
		t.Fatal(err)
	}
	// It looks for what is called.
	unit := writeFile(t, "oidcauth.service", strings.ReplaceAll(string(text), "/usr/bin/oidcauth ", "/bin/true "))
	if out, err := exec.Command("systemd-analyze", "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

// TestPackaging_Static: built as the Dockerfile does, the command needs nothing that an
// empty image does not have.
func TestPackaging_Static(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || os.Getenv("CI") == "" {
		t.Skip("images are of Linux, and without cgo everything is compiled anew: tested where CI is set")
	}
	text, err := os.ReadFile("packaging/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`go build (.*) -o /out/oidcauth \.`).FindStringSubmatch(string(text))
	if flags == nil || !strings.Contains(string(text), "ENV CGO_ENABLED=0") || !strings.Contains(string(text), "\nUSER 65532:65532\n") {
		t.Fatal("the Dockerfile does not build as this test does, or its image is root's")
	}
	out := filepath.Join(t.TempDir(), "oidcauth")
	build := exec.Command("go", append(append([]string{"build"}, strings.Fields(strings.ReplaceAll(flags[1], `"`, ""))[:1]...), "-o", out, ".")...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	program, err := elf.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			t.Error("it needs a dynamic linker")
		}
	}
	if libraries, err := program.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("it needs %q, %v", libraries, err)
	}
}
