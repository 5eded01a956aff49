// Report measures the library beside its peers in interleaved rounds and
// writes what it found.
//
//	go run ./benchmarks/report               from the repository's root
//	go run ./benchmarks/report -quick        one short round, to standard output
//
// In every round each library runs once, in an order drawn anew, and is
// compared with the bare signature check of the same round, so that a busy
// machine troubles all of them alike. The figures are medians over the rounds.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"testing"
	"time"
)

// settings are the command's flags.
type settings struct {
	rounds  int
	quick   bool
	time    time.Duration
	results string
	plot    string
}

func main() {
	log.SetFlags(log.Ltime)
	// The loops are those of the benchmarks, which read testing's flags.
	testing.Init()
	var s settings
	flag.IntVar(&s.rounds, "rounds", 8, "rounds that each library runs once in")
	flag.BoolVar(&s.quick, "quick", false, "one short round; write to standard output and no file")
	flag.DurationVar(&s.time, "time", 250*time.Millisecond, "time of one measurement")
	flag.StringVar(&s.results, "results", "benchmarks/RESULTS.md", "file of the results")
	flag.StringVar(&s.plot, "plot", "docs/benchmarks.svg", "file of the plot")
	flag.Parse()
	if s.quick {
		s.rounds, s.time = 1, 20*time.Millisecond
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s); err != nil {
		log.Print(err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if err := flag.Set("test.benchtime", s.time.String()); err != nil {
		return fmt.Errorf("set the time of a measurement: %w", err)
	}
	r, err := measure(ctx, s)
	if err != nil {
		return err
	}
	if s.quick {
		return r.write(os.Stdout)
	}
	if err := writeFile(s.results, r); err != nil {
		return err
	}
	return r.draw(s.plot)
}

func writeFile(path string, r *results) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := r.write(file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
