// Toolchains builds the benchmarks with two versions of Go and runs them in turn, side
// by side: what a first and a second use of a token take by either, and how that
// compares with the standard library's own check in the same build.
//
//	go run ./benchmarks/toolchains
//	go run ./benchmarks/toolchains -go go1.26.8,go1.27.0 -rounds 10
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

// settings are what the command line says.
type settings struct {
	versions []string
	rounds   int
	time     time.Duration
}

func main() {
	var s settings
	versions := flag.String("go", runtime.Version()+",go1.27.0", "`versions` of Go, the first that with which the others are compared")
	flag.IntVar(&s.rounds, "rounds", 8, "rounds that each version runs once in")
	flag.DurationVar(&s.time, "time", 100*time.Millisecond, "time of one measurement")
	flag.Parse()
	s.versions = strings.Split(*versions, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "toolchains:", err)
		os.Exit(1)
	}
}

// A table has the processor times of each benchmark, in ns, by version and name.
type table map[string]map[string][]float64

func (s settings) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "oidcauth-toolchains-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binaries := make([]string, len(s.versions))
	for n, version := range s.versions {
		if binaries[n], err = build(ctx, dir, version); err != nil {
			return err
		}
	}
	found := make(table)
	for round := range s.rounds {
		for i := range s.versions {
			n := (i + round) % len(s.versions) // each comes first as often
			if err := s.measure(ctx, binaries[n], found.of(s.versions[n])); err != nil {
				return err
			}
		}
	}
	s.write(os.Stdout, found)
	return nil
}

// build compiles the benchmarks with a version of Go.
func build(ctx context.Context, dir, version string) (string, error) {
	binary := filepath.Join(dir, version+".test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "github.com/oidcauth/oidcauth/benchmarks")
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN="+version)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", version, err, out)
	}
	return binary, nil
}

// measure runs a build's benchmarks once.
func (s settings) measure(ctx context.Context, binary string, into map[string][]float64) error {
	cmd := exec.CommandContext(ctx, binary, "-test.run=^$", "-test.bench=^BenchmarkAuthenticate$/./(cold|hot)/(bare|oidcauth)$",
		"-test.benchtime="+s.time.String())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", binary, err, &out)
	}
	return read(&out, into)
}

// read takes the processor times out of what go test prints.
func read(out io.Reader, into map[string][]float64) error {
	n := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		at := slices.Index(fields, "cpu-ns/op")
		if at < 1 {
			continue
		}
		took, err := strconv.ParseFloat(fields[at-1], 64)
		if err != nil {
			return err
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(fields[0], "BenchmarkAuthenticate/"), "-")
		into[name] = append(into[name], took)
		n++
	}
	if n == 0 {
		return fmt.Errorf("no benchmark tells its processor time")
	}
	return nil
}

func (t table) of(version string) map[string][]float64 {
	if t[version] == nil {
		t[version] = make(map[string][]float64)
	}
	return t[version]
}

// write prints medians of the rounds and of their ratios.
func (s settings) write(out io.Writer, found table) {
	fmt.Fprintf(out, "| use | algorithm |")
	for _, version := range s.versions {
		fmt.Fprintf(out, " %s | against bare |", version)
	}
	for _, version := range s.versions[1:] {
		fmt.Fprintf(out, " %s as a multiple |", version)
	}
	fmt.Fprintf(out, "\n|%s\n", strings.Repeat("---|", 2+2*len(s.versions)+len(s.versions)-1))
	for _, temperature := range []string{"cold", "hot"} {
		for _, algorithm := range idp.Algorithms() {
			name, bare := algorithm+"/"+temperature+"/oidcauth", algorithm+"/cold/bare"
			first := found.of(s.versions[0])[name]
			if len(first) == 0 {
				continue
			}
			fmt.Fprintf(out, "| %s | %s |", map[string]string{"cold": "first", "hot": "second"}[temperature], algorithm)
			for _, version := range s.versions {
				took := found.of(version)[name]
				fmt.Fprintf(out, " %v | %.3f |", time.Duration(median(took)).Round(time.Nanosecond), median(ratios(took, found.of(version)[bare])))
			}
			for _, version := range s.versions[1:] {
				fmt.Fprintf(out, " %.2f |", median(ratios(found.of(version)[name], first)))
			}
			fmt.Fprintln(out)
		}
	}
}

// ratios divides round by round.
func ratios(a, b []float64) []float64 {
	divided := make([]float64, min(len(a), len(b)))
	for n := range divided {
		divided[n] = a[n] / b[n]
	}
	return divided
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return (sorted[len(sorted)/2] + sorted[(len(sorted)-1)/2]) / 2
}
