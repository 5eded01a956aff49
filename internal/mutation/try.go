package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	book     *log
	tried    map[string]map[string]bool // the ids of the changes, by the package of the tests
	workers  int                        // at once
	limit    time.Duration              // for the tests of one package

	mu     sync.Mutex
	usual  map[string]func() (time.Duration, error) // how long tests take without a change
	shared string                                   // a directory for what is built
}

// newLaboratory returns a laboratory that builds in a directory of its own.
func newLaboratory(ctx context.Context, workers int, limit time.Duration) (*laboratory, error) {
	p, err := listPackages(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mutation")
	return &laboratory{packages: p, workers: workers, limit: limit, tried: map[string]map[string]bool{}, usual: map[string]func() (time.Duration, error){}, shared: dir}, err
}

func (l *laboratory) close() { os.RemoveAll(l.shared) }

// tryBy tries changes by the tests of one package: together those that can be compiled
// in together, or alone those that were not.
func (l *laboratory) tryBy(ctx context.Context, suite string, sites []site, alone bool) error {
	tried := l.tried[suite]
	if tried == nil {
		tried = map[string]bool{}
		l.tried[suite] = tried
	}
	sites = slices.DeleteFunc(sites, func(s site) bool { return tried[s.id] })
	try := func(s site) (verdict, string, error) { return l.try(ctx, suite, s) }
	if !alone {
		if len(sites) < fewest {
			return nil
		}
		dir, err := os.MkdirTemp(l.shared, "suite")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		m, err := newMill(ctx, suite, sites, dir, l.workers)
		if err != nil {
			return err
		}
		if suite != l.packages.suites(filepath.Dir(sites[0].file))[0] {
			m.longest = elsewhere
		}
		try = func(s site) (verdict, string, error) { return m.try(ctx, s) }
		sites = m.compiled()
	}
	for _, s := range sites {
		tried[s.id] = true
	}
	return inParallel(ctx, sites, l.workers, func(s site) error {
		v, by, err := try(s)
		switch {
		case err != nil:
			return err
		case v == survived && l.book.verdictOf(s.id) == passed:
			return nil
		case v == survived:
			v = passed
		}
		return l.book.add(outcome{s, v, suite + " " + by})
	})
}

// elsewhere is how long the tests of another package may take in all, for one change.
const elsewhere = 8 * time.Second

// fewest are as many changes as are worth that each test runs by itself once.
const fewest = 10

// try makes one change in a copy of its file that nobody but the compiler sees, and
// runs the tests of a package.
func (l *laboratory) try(ctx context.Context, suite string, s site) (verdict, string, error) {
	dir, err := os.MkdirTemp(l.shared, s.id)
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(dir)
	overlay, err := overlayOf(s, dir)
	if err != nil {
		return "", "", err
	}
	limit, err := l.limitOf(ctx, suite)
	if err != nil {
		return "", "", err
	}
	return test(ctx, suite, overlay, dir, limit)
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
	return overlay(map[string]string{s.file: string(source[:s.start]) + s.with + string(source[s.end:])}, dir)
}

// overlaid is the name of the file that comes in the place of another.
func overlaid(file string) string {
	return strings.ReplaceAll(filepath.ToSlash(filepath.Dir(file)), "/", "-") + "-" + filepath.Base(file)
}

// overlay writes sources, by the files in whose place they come, and what tells the
// compiler of them.
func overlay(sources map[string]string, dir string) (name string, err error) {
	replace := map[string]string{}
	for file, source := range sources {
		path, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		changed := filepath.Join(dir, overlaid(file))
		if err := os.WriteFile(changed, []byte(source), 0o600); err != nil {
			return "", err
		}
		replace[path] = changed
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name = filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, text, 0o600)
}
