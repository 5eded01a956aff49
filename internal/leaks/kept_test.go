package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// handler is where a test has lines of a log written to.
	handler = regexp.MustCompile(`slog\.New(?:Text|JSON)Handler\(&?(?:\w+\.)*(\w+),`)
	// buffer is what keeps text and tells nobody.
	buffer = regexp.MustCompile(`(?m)^\s*(?:var )?(\w+)\s+(?::?= &?|:?= new\(|\*?)(?:bytes\.Buffer|strings\.Builder)\b`)
)

// writer is a type of a test's own that a log may be written to.
var writer = regexp.MustCompile(`func \(\w+ \*?(\w*(?:[bB]uffer|[lL]og|[lL]ines|lab))\) Write\(`)

// unkept returns the names of what lines are written to and that package said knows
// nothing of.
func unkept(file string) (names []string) {
	var buffers []string
	for _, m := range buffer.FindAllStringSubmatch(file, -1) {
		buffers = append(buffers, m[1])
	}
	for _, m := range writer.FindAllStringSubmatch(file, -1) {
		if !strings.Contains(file, "said.Writer{}") {
			names = append(names, m[1])
		}
	}
	for _, m := range handler.FindAllStringSubmatch(file, -1) {
		if slices.Contains(buffers, m[1]) && !strings.Contains(file, "said.Writer{}") {
			names = append(names, m[1])
		}
	}
	return names
}

// What the library logs to a test is searched: it is written to an authtest.Log, or to
// said.Writer beside what the test has.
func TestLogs_Kept(t *testing.T) {
	t.Parallel()
	files := 0
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."), d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go") || strings.Contains(path, filepath.Join("internal", "leaks")):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, name := range unkept(string(text)) {
			t.Errorf("%s: lines are written to %s and not searched: make it an authtest.Log", path, name)
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Errorf("%d files looked at, error %v", files, err)
	}
}

func TestUnkept(t *testing.T) {
	t.Parallel()
	const logged = "\tlogger := slog.New(slog.NewJSONHandler(&log, nil))\n"
	for name, tt := range map[string]struct {
		file string
		want bool
	}{
		"a buffer":         {"\tvar log bytes.Buffer\n" + logged, true},
		"a builder":        {"\tvar log strings.Builder\n" + logged, true},
		"a field":          {"\tlog   *strings.Builder\n" + strings.ReplaceAll(logged, "&log", "w.log"), true},
		"one just made":    {"\tlog := new(bytes.Buffer)\n" + strings.ReplaceAll(logged, "&log", "log"), true},
		"one of its own":   {"func (b *logBuffer) Write(p []byte) (int, error) {\n\treturn b.text.Write(p)\n}", true},
		"one that tells":   {"func (b *logBuffer) Write(p []byte) (int, error) {\n\treturn said.Writer{}.Write(p)\n}", false},
		"a Log":            {"\tvar log authtest.Log\n" + logged, false},
		"another's buffer": {"\tvar body bytes.Buffer\n" + logged, false},
		"both":             {"\tvar log bytes.Buffer\n" + strings.ReplaceAll(logged, "&log", "io.MultiWriter(&log, said.Writer{})"), false},
	} {
		if got := unkept(tt.file); (len(got) > 0) != tt.want {
			t.Errorf("%s: %q, want some: %t", name, got, tt.want)
		}
	}
}
