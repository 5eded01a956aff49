// Soak has the servers run for as long as it is told to, under everything at once, and
// says what became of it: two processes of "oidcauth serve" that share revocations
// through three NATS servers, and the server of examples/chat. Their issuer rotates its
// keys, fails, hangs, is not there, and recovers; the NATS servers are killed in turn and
// come back. Clients bring good tokens, new and known ones, and expired, forged, foreign
// and revoked ones, and what each is answered is compared with what it has to be.
//
//	go run ./benchmarks/soak -for 30m
//	go run ./benchmarks/soak -for 30m -seed 7 -plot docs/soak.svg
//
// It fails if a good token is refused, beyond the waits that the documentation states,
// if a bad one is accepted, if a revocation does not hold, if an answer is none, and if
// what a process holds of memory, goroutines or descriptors grows.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"time"
)

// settings are what the command line says.
type settings struct {
	length, rotate, every, grace, busy time.Duration
	rate, sockets                      int
	seed                               uint64
	plot, dir                          string
	out                                io.Writer
}

func main() {
	s := settings{out: os.Stdout}
	flag.DurationVar(&s.length, "for", 30*time.Minute, "`length` of the run")
	flag.DurationVar(&s.rotate, "rotate", 45*time.Second, "`time` between two rotations of the issuer's keys")
	flag.DurationVar(&s.every, "every", 5*time.Second, "`time` between two looks at what the processes hold")
	flag.DurationVar(&s.grace, "grace", 5*time.Second, "how long the servers may be out of contact with NATS before it counts")
	flag.DurationVar(&s.busy, "busy", 3*time.Second, "what a busy machine may take more than the documentation says")
	flag.IntVar(&s.rate, "rate", 100, "requests a second, to both servers together")
	flag.IntVar(&s.sockets, "sockets", 40, "WebSockets at the chat at a time")
	flag.Uint64Var(&s.seed, "seed", rand.Uint64N(1_000_000), "what the outages are drawn from")
	flag.StringVar(&s.plot, "plot", "", "`file` for a plot (SVG)")
	flag.StringVar(&s.dir, "dir", "", "`directory` that keeps the servers' logs (default: one that is removed unless there is a fault)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// errFaults says that something happened that must not.
var errFaults = errors.New("there were faults")

func (s settings) check() error {
	if s.length < 5*time.Second || s.rotate < time.Second || s.every <= 0 || min(s.grace, s.busy) < 0 || min(s.rate, s.sockets) < 1 {
		return errors.New("want -for 5s at least, -rotate 1s at least, and every other number positive")
	}
	return nil
}

// run does it all.
func (s settings) run(ctx context.Context) error {
	if err := s.check(); err != nil {
		return err
	}
	keep := s.dir != ""
	if !keep {
		dir, err := os.MkdirTemp("", "oidcauth-soak-")
		if err != nil {
			return err
		}
		s.dir = dir
	} else if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%v, seed %d, %d requests a second, %d sockets; logs in %s\n", s.length, s.seed, s.rate, s.sockets, s.dir)
	err := s.soak(ctx)
	if err == nil && !keep {
		return os.RemoveAll(s.dir)
	}
	return err
}

// soak starts the servers, has everybody at them, and reports.
func (s settings) soak(ctx context.Context) (err error) {
	w, err := s.build(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	w.live(ctx)
	if err := w.searchLogs(); err != nil {
		return err
	}
	if err := w.report(s.out); err != nil {
		return err
	}
	if s.plot != "" {
		if err := w.draw(s.plot); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if w.judge.faulty() || w.grows() {
		return errFaults
	}
	return nil
}
