package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// An outcome is what the tests said of one change.
type outcome struct {
	site    site
	verdict verdict
	by      string // the package whose tests noticed it
}

// suites returns the packages whose tests can notice a change in a package: its own
// first, and then those that are made of it.
func suites(dir string) []string {
	own := "./" + filepath.ToSlash(dir)
	if dir == "." {
		return []string{".", "./localissuer", "./spacetime"}
	}
	if strings.HasPrefix(dir, "internal/") {
		return []string{own, ".", "./localissuer"}
	}
	return []string{own}
}

// try makes one change in a copy of its file that nobody but the compiler sees, and
// runs the tests that can notice it, until some do.
func try(ctx context.Context, s site, limit time.Duration) (outcome, error) {
	overlay, remove, err := overlayOf(s)
	if err != nil {
		return outcome{}, err
	}
	defer remove()
	for _, suite := range suites(filepath.Dir(s.file)) {
		v, err := test(ctx, suite, overlay, limit)
		if err != nil || v != survived {
			return outcome{s, v, suite}, err
		}
	}
	return outcome{site: s, verdict: survived}, nil
}

// overlayOf writes the changed file and what tells the compiler of it.
func overlayOf(s site) (name string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	source, err := os.ReadFile(s.file)
	if err == nil {
		changed := string(source[:s.start]) + s.with + string(source[s.end:])
		err = os.WriteFile(filepath.Join(dir, "changed.go"), []byte(changed), 0o600)
	}
	var path string
	if err == nil {
		path, err = filepath.Abs(s.file)
	}
	var text []byte
	if err == nil {
		text, err = json.Marshal(map[string]any{"Replace": map[string]string{path: filepath.Join(dir, "changed.go")}})
	}
	name = filepath.Join(dir, "overlay.json")
	if err == nil {
		err = os.WriteFile(name, text, 0o600)
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return name, remove, nil
}

// test runs the tests of a package under an overlay.
func test(ctx context.Context, suite, overlay string, limit time.Duration) (verdict, error) {
	// The tests end themselves at the limit; what hangs beyond it is ended.
	ctx, cancel := context.WithTimeout(ctx, limit+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-overlay="+overlay, "-vet=off", "-short", "-failfast", "-count=1", "-timeout="+limit.String(), suite)
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	text := out.String()
	switch {
	case err == nil:
		return survived, nil
	case strings.Contains(text, "[build failed]"):
		return invalid, nil
	case strings.Contains(text, "panic: test timed out") || ctx.Err() == context.DeadlineExceeded:
		return timedOut, nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case strings.Contains(text, "[setup failed]"):
		return "", fmt.Errorf("%s: %s", suite, text)
	case strings.Contains(text, "FAIL"):
		return killed, nil
	}
	return "", fmt.Errorf("%s: %w: %s", suite, err, text)
}
