package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// An outcome is what the tests said of one change.
type outcome struct {
	site    site
	verdict verdict
	by      string // the package and the test that noticed it
}

// A laboratory tries changes.
type laboratory struct {
	packages packages
	limit    time.Duration // for the tests of one package

	mu     sync.Mutex
	usual  map[string]func() (time.Duration, error) // how long tests take without a change
	shared string                                   // a directory for what is built
}

// newLaboratory returns a laboratory that builds in a directory of its own.
func newLaboratory(ctx context.Context, limit time.Duration) (*laboratory, error) {
	p, err := listPackages(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mutation")
	return &laboratory{packages: p, limit: limit, usual: map[string]func() (time.Duration, error){}, shared: dir}, err
}

func (l *laboratory) close() { os.RemoveAll(l.shared) }

// try makes one change in a copy of its file that nobody but the compiler sees, and
// runs the tests that can notice it, until some do: those of the package itself, and the
// others once these are known to pass.
func (l *laboratory) try(ctx context.Context, s site, known verdict) (outcome, error) {
	dir, err := os.MkdirTemp(l.shared, s.id)
	if err != nil {
		return outcome{}, err
	}
	defer os.RemoveAll(dir)
	overlay, err := overlayOf(s, dir)
	if err != nil {
		return outcome{}, err
	}
	suites := l.packages.suites(filepath.Dir(s.file))
	rest := suites[1:]
	if known != passed {
		suites = suites[:1]
	} else {
		suites = rest
	}
	for _, suite := range suites {
		limit, err := l.limitOf(ctx, suite)
		if err != nil {
			return outcome{}, err
		}
		v, by, err := test(ctx, suite, overlay, dir, limit)
		if err != nil || v != survived {
			return outcome{s, v, suite + " " + by}, err
		}
	}
	if known != passed && len(rest) > 0 {
		return outcome{site: s, verdict: passed}, nil
	}
	return outcome{site: s, verdict: survived}, nil
}

// limitOf returns how long the tests of a package may take: eight times as long as they
// take without a change, and half a minute. Tests that fail without one, three times in
// a row, are an error.
func (l *laboratory) limitOf(ctx context.Context, suite string) (time.Duration, error) {
	l.mu.Lock()
	usual := l.usual[suite]
	if usual == nil {
		usual = sync.OnceValues(func() (time.Duration, error) { return l.asItIs(ctx, suite) })
		l.usual[suite] = usual
	}
	l.mu.Unlock()
	took, err := usual()
	return min(l.limit, 8*took+30*time.Second), err
}

// asItIs returns how long the tests of a package take without a change.
func (l *laboratory) asItIs(ctx context.Context, suite string) (time.Duration, error) {
	for tries := 1; ; tries++ {
		begin := time.Now()
		v, by, err := test(ctx, suite, "", l.shared, l.limit)
		switch {
		case err != nil || v == survived:
			return time.Since(begin), err
		case tries == 3:
			return 0, fmt.Errorf("%s: its tests fail as it is: %s %s", suite, v, by)
		}
	}
}

// overlayOf writes the changed file and what tells the compiler of it.
func overlayOf(s site, dir string) (name string, err error) {
	source, err := os.ReadFile(s.file)
	if err != nil {
		return "", err
	}
	path, err := filepath.Abs(s.file)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, []byte(string(source[:s.start])+s.with+string(source[s.end:])), 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		return "", err
	}
	name = filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, text, 0o600)
}
