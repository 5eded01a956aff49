package keycloak_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/ports"
)

// document is the page whose commands are run.
const document = "../../docs/tokens.md"

// block is a fenced block of the page.
type block struct {
	info string // what stands behind the fence
	text string
}

// blocks reads the page's fenced blocks.
func blocks(t *testing.T) []block {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var found []block
	for _, match := range regexp.MustCompile("(?ms)^```([^\n]+)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		found = append(found, block{match[1], match[2]})
	}
	return found
}

// shell prepares a shell in which the page's commands find what they need.
func (s *keycloak) shell(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	bin, err := buildCommand()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "importer.secret"), []byte("importer-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	command := exec.CommandContext(ctx, "sh", "-c", script)
	command.Dir = dir
	command.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "ISSUER="+s.issuer())
	// A server that the page leaves running keeps the output open.
	command.WaitDelay = 10 * time.Second
	return command
}

// TestDocument runs the page from its first command to its last, in one shell,
// and compares what it prints.
func TestDocument(t *testing.T) {
	s := running(t)
	if _, err := exec.LookPath("curl"); err != nil && os.Getenv("CI") == "" {
		t.Skip("curl is missing: apt-get install curl")
	}
	here := strings.NewReplacer("http://127.0.0.1:8180", s.url, "127.0.0.1:8080", ports.ReserveFor(t).Address())

	const mark = "=== end of a block ==="
	var script strings.Builder
	var wants []string
	for _, b := range blocks(t) {
		switch b.info {
		case "sh":
			fmt.Fprintf(&script, "%s\necho '%s'\n", here.Replace(b.text), mark)
			wants = append(wants, "")
		case "text":
			wants[len(wants)-1] = here.Replace(b.text)
		}
	}
	if len(wants) < 5 {
		t.Fatalf("%d blocks of commands in %s, want more", len(wants), document)
	}
	command := s.shell(t, script.String())
	var said console
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	got := strings.Split(string(out), mark+"\n")
	if len(got) != len(wants)+1 {
		t.Fatalf("%d blocks ended, want %d: %s\n%s", len(got)-1, len(wants), out, said.String())
	}
	for i, want := range wants {
		if !pattern(want).MatchString(got[i]) {
			t.Errorf("block %d printed\n%s\nwant\n%s\nstandard error:\n%s", i+1, got[i], want, said.String())
		}
	}
}

// pattern matches what the page shows: "…" alone on a line is any number of
// lines, elsewhere any text within its line.
func pattern(shown string) *regexp.Regexp {
	text := regexp.QuoteMeta(shown)
	text = regexp.MustCompile(`(?m)^…\n`).ReplaceAllLiteralString(text, `(?:[^\n]*\n)*?`)
	text = strings.ReplaceAll(text, "…", `[^\n]*`)
	return regexp.MustCompile(`^` + text + `$`)
}

func TestPattern(t *testing.T) {
	for _, test := range []struct {
		shown, got string
		want       bool
	}{
		{"a\n", "a\n", true},
		{"a\n", "a\nb\n", false},
		{"a.\n", "ab\n", false},
		{"a …\nc\n", "a whatever\nc\n", true},
		{"a …\nc\n", "a whatever\nb\nc\n", false},
		{"a\n…\nc\n", "a\nb\nb\nc\n", true},
		{"a\n…\nc\n", "a\nc\n", true},
		{"a\n…\nc\n", "a\nb\n", false},
		{"", "", true},
		{"", "a\n", false},
	} {
		if got := pattern(test.shown).MatchString(test.got); got != test.want {
			t.Errorf("pattern(%q) matches %q: %t, want %t", test.shown, test.got, got, test.want)
		}
	}
}
