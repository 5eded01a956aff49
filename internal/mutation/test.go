package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// test builds and runs the tests of a package, under an overlay if there is one, and
// tells the first that failed. What it builds is put into dir.
func test(ctx context.Context, suite, overlay, dir string, limit time.Duration) (v verdict, by string, err error) {
	binary, out, err := buildTests(ctx, suite, overlay, dir)
	defer os.Remove(binary)
	switch {
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case err != nil && overlay != "":
		return invalid, "", nil
	case err != nil:
		return "", "", fmt.Errorf("%s: %w: %s", suite, err, out)
	}
	return run(ctx, suite, binary, limit, all)
}

// buildTests builds the tests of a package in dir, and returns what the compiler says if it
// cannot.
func buildTests(ctx context.Context, suite, overlay, dir string) (binary string, out []byte, err error) {
	binary, err = filepath.Abs(filepath.Join(dir, strings.ReplaceAll(suite, "/", "-")+".test"))
	if err != nil {
		return "", nil, err
	}
	args := []string{"test", "-c", "-vet=off", "-gcflags=-e", "-ldflags=-s -w", "-o", binary}
	if overlay != "" {
		args = append(args, "-overlay="+overlay)
	}
	out, err = exec.CommandContext(ctx, "go", append(args, "./"+suite)...).CombinedOutput()
	return binary, out, err
}

// all runs all tests, as they are built.
var all = manner{tests: "."}

// A manner says which tests run, and with what in their environment.
type manner struct {
	tests string // a regular expression
	env   []string
}

// run runs tests of a package that were built, until one fails or the limit.
func run(ctx context.Context, suite, binary string, limit time.Duration, m manner) (verdict, string, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(limited, binary, "-test.v", "-test.short", "-test.failfast", "-test.timeout=0", "-test.run="+m.tests)
	cmd.Dir = suite
	// One storm instead of many: what it finds, it mostly finds in one.
	cmd.Env = append(append(os.Environ(), "OIDCAUTH_STORM_SEEDS=1"), m.env...)
	cmd.WaitDelay = 10 * time.Second
	in, out := io.Pipe()
	cmd.Stdout, cmd.Stderr = out, out
	failed := make(chan string, 1)
	go func() { failed <- firstFailure(in, cancel) }()
	err := cmd.Run()
	out.Close()
	by := <-failed
	var exit *exec.ExitError
	switch {
	case by != "":
		return killed, by, nil
	case err == nil:
		return survived, "", nil
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case limited.Err() != nil:
		return timedOut, "", nil
	case errors.As(err, &exit):
		return killed, "(ended at once)", nil
	}
	return "", "", fmt.Errorf("%s: %w", suite, err)
}

// firstFailure reads what tests print, ends them when one failed, and returns its name,
// or what the runtime says when it ends them all.
func firstFailure(out io.Reader, end func()) (name string) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		switch rest, failed := strings.CutPrefix(strings.TrimLeft(line, " "), "--- FAIL: "); {
		case name != "":
		case failed:
			name, _, _ = strings.Cut(rest, " ")
			end()
		case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "):
			name = shorten(line)
		}
		if err != nil {
			return name
		}
	}
}
