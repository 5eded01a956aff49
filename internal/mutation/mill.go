package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A mill tries many changes by the tests of one package. All are compiled into one
// binary, each is turned on in a process of its own, and only those tests run that come
// by it.
type mill struct {
	suite   string
	dir     string // of what is built
	binary  string
	sites   map[int]site   // by their numbers; those that cannot be compiled in are gone
	numbers map[string]int // by their ids
	tests   []trial        // the quick ones first
	longest time.Duration  // in all, for one change
	grace   time.Duration  // for what tests take, beside five times as long as without a change
}

// A trial is a test, how long it took, and which changes it came by.
type trial struct {
	name    string
	took    time.Duration
	reached []byte
}

// newMill builds the tests of a package with changes compiled in, by their places in a
// list, and has each of the tests run once.
func newMill(ctx context.Context, suite string, changes []site, dir string, workers int) (*mill, error) {
	m := &mill{suite: suite, dir: dir, sites: map[int]site{}, numbers: map[string]int{}, longest: math.MaxInt64, grace: 15 * time.Second}
	for _, s := range changes {
		if n := len(m.numbers); s.switchable() {
			m.sites[n], m.numbers[s.id] = s, n
		}
	}
	if err := m.build(ctx); err != nil || len(m.sites) == 0 {
		return m, err
	}
	return m, m.record(ctx, workers)
}

// build leaves out what does not compile until the rest does.
func (m *mill) build(ctx context.Context) error {
	for {
		name, err := m.overlay()
		if err != nil {
			return err
		}
		binary, out, err := buildTests(ctx, m.suite, name, m.dir)
		switch {
		case err == nil:
			m.binary = binary
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !m.leaveOut(out):
			return fmt.Errorf("%s: %w: %s", m.suite, err, out)
		}
	}
}

// compiled returns the changes that are compiled in, in the order in which they came.
func (m *mill) compiled() []site {
	var all []site
	for _, n := range slices.Sorted(maps.Keys(m.sites)) {
		all = append(all, m.sites[n])
	}
	return all
}

// overlay writes the files with all changes in them.
func (m *mill) overlay() (name string, err error) {
	byFile := map[string]map[int]site{}
	for n, s := range m.sites {
		if byFile[s.file] == nil {
			byFile[s.file] = map[int]site{}
		}
		byFile[s.file][n] = s
	}
	sources := map[string]string{}
	for file, changes := range byFile {
		source, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		sources[file] = switched(string(source), changes)
	}
	return overlay(sources, m.dir)
}

var complaint = regexp.MustCompile(`(?m)^(\S+?\.go):(\d+):`)

// leaveOut takes out the changes on the lines of which the compiler complains, and tells
// whether there were any.
func (m *mill) leaveOut(out []byte) bool {
	before := len(m.sites)
	for _, match := range complaint.FindAllSubmatch(out, -1) {
		line, _ := strconv.Atoi(string(match[2]))
		for _, n := range m.suspects(filepath.Base(string(match[1])), line) {
			delete(m.sites, n)
		}
	}
	return len(m.sites) < before
}

// suspects are the changes of a line that may not compile: the numbers if there are
// any, whose types are guessed, otherwise what is made of numbers, otherwise all.
func (m *mill) suspects(file string, line int) []int {
	kinds := map[string][]int{}
	for n, s := range m.sites {
		if (s.line != line && s.begins != line) || overlaid(s.file) != file {
			continue
		}
		kind := ""
		if s.kind == "number" || s.kind == "operator" && strings.Contains("<=>=+-", s.was) {
			kind = s.kind
		}
		kinds[kind] = append(kinds[kind], n)
	}
	for _, kind := range []string{"number", "operator"} {
		if found := kinds[kind]; len(found) > 0 {
			return found
		}
	}
	return kinds[""]
}

// record runs each test by itself, and keeps which changes it comes by. A test that
// fails, as one may that counts allocations, is left out.
func (m *mill) record(ctx context.Context, workers int) error {
	list := exec.CommandContext(ctx, m.binary, "-test.list=^(Test|Example|Fuzz)")
	list.Dir = m.suite
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", m.suite, err)
	}
	var mu sync.Mutex
	err = inParallel(ctx, strings.Fields(string(out)), workers, func(name string) error {
		t, ok, err := m.once(ctx, name)
		if ok {
			mu.Lock()
			defer mu.Unlock()
			m.tests = append(m.tests, t)
		}
		return err
	})
	slices.SortFunc(m.tests, func(a, b trial) int { return cmp.Compare(a.took, b.took) })
	return err
}

func (m *mill) once(ctx context.Context, name string) (t trial, ok bool, err error) {
	file := filepath.Join(m.dir, name+".reached")
	defer os.Remove(file)
	if err := os.WriteFile(file, make([]byte, len(m.numbers)), 0o600); err != nil {
		return trial{}, false, err
	}
	begin := time.Now()
	v, _, err := run(ctx, m.suite, m.binary, longest, manner{tests: exactly(name), env: []string{"OIDCAUTH_REACHED=" + file}})
	if err != nil || v != survived {
		fmt.Fprintf(os.Stderr, "mutation: %s: %s does not pass with changes compiled in, and is left out\n", m.suite, name)
		return trial{}, false, err
	}
	took := time.Since(begin)
	reached, err := os.ReadFile(file)
	return trial{name: name, took: took, reached: reached}, err == nil, err
}

// longest is how long a test may take by itself.
const longest = 2 * time.Minute

// exactly matches these tests alone.
func exactly(names ...string) string { return "^(" + strings.Join(names, "|") + ")$" }

// try turns on one change, and runs the tests that come by it, the quick ones first: those
// that take no second together, then those of some seconds, then the others. Of the tests
// of another package it runs what takes so long together.
func (m *mill) try(ctx context.Context, s site) (v verdict, by string, err error) {
	var names []string
	var took, all time.Duration
	most := time.Second
	for i, t := range m.tests {
		if t.reached[m.numbers[s.id]] != 0 && all+t.took <= m.longest {
			names = append(names, t.name)
			took, all = took+t.took, all+t.took
		}
		if len(names) == 0 || took < most && i+1 < len(m.tests) {
			continue
		}
		v, by, err := run(ctx, m.suite, m.binary, 5*took+m.grace, manner{
			tests: exactly(names...), env: []string{"OIDCAUTH_CHANGE=" + strconv.Itoa(m.numbers[s.id])},
		})
		if err != nil || v != survived {
			return v, by, err
		}
		names, took, most = nil, 0, 8*most
	}
	return survived, "", nil
}

// inParallel calls do for each, so many at once, until one fails.
func inParallel[T any](ctx context.Context, all []T, workers int, do func(T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan T)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for t := range work {
				if err := do(t); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, t := range all {
		if ctx.Err() != nil {
			break
		}
		work <- t
	}
	close(work)
	wg.Wait()
	return context.Cause(ctx)
}
