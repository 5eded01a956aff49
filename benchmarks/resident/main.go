// Resident weighs "oidcauth serve" as the operating system does: what the process
// holds of memory when nobody has asked it anything, when it trusts a thousand
// issuers, and when it has seen a hundred thousand tokens.
//
//	go run ./benchmarks/resident
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/process"
)

// settings are what the command line says.
type settings struct {
	rounds, issuers, tokens int
	rest                    time.Duration // before a server is weighed
}

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 3, "rounds, each with servers that have just begun")
	flag.IntVar(&s.issuers, "issuers", 1000, "issuers of the server that has many")
	flag.IntVar(&s.tokens, "tokens", 100_000, "tokens of the server that sees many")
	flag.DurationVar(&s.rest, "rest", 2*time.Second, "`time` without requests before a server is weighed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "resident:", err)
		os.Exit(1)
	}
}

// A row is one state of a server, weighed in each round.
type row struct {
	what   string
	weighs []int64 // bytes
}

// run weighs in rounds and prints the medians.
func (s settings) run(ctx context.Context) error {
	if min(s.rounds, s.issuers, s.tokens) < 1 {
		return errors.New("every number has to be positive")
	}
	rows, err := s.weigh(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("| oidcauth serve | resident, median of %d |\n|---|---|\n", s.rounds)
	for _, r := range rows {
		slices.Sort(r.weighs)
		fmt.Printf("| %s | %.1f MiB |\n", r.what, float64(r.weighs[len(r.weighs)/2])/(1<<20))
	}
	return nil
}

func (s settings) weigh(ctx context.Context) ([]*row, error) {
	dir, err := os.MkdirTemp("", "oidcauth-resident-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary, err := process.Build(dir, "github.com/oidcauth/oidcauth/cmd/oidcauth")
	if err != nil {
		return nil, err
	}
	issuer, err := idp.Start()
	if err != nil {
		return nil, err
	}
	defer issuer.Close()
	many := serveIssuers(issuer, s.issuers)
	defer many.Close()

	one := &scene{binary: binary, config: configuration([]string{issuer.URL}, 0)}
	roomy := &scene{binary: binary, config: configuration([]string{issuer.URL}, roomyCache)}
	crowd := &scene{binary: binary, config: configuration(many.urls, 0)}
	tokens := s.tokens
	rows := []struct {
		row
		scene *scene
		do    func(*scene) error // since the row before, on the same server
	}{
		{row{what: "one issuer, nobody has asked"}, one, nil},
		{row{what: "one issuer, one token seen"}, one, func(on *scene) error { return on.show(ctx, issuer.LongToken, 1) }},
		{row{what: fmt.Sprintf("%d tokens seen, of which 64 MiB are kept", tokens)}, one, func(on *scene) error { return on.show(ctx, issuer.LongToken, tokens) }},
		{row{what: fmt.Sprintf("%d tokens seen, and all of them kept", tokens)}, roomy, func(on *scene) error { return on.show(ctx, issuer.LongToken, tokens) }},
		{row{what: fmt.Sprintf("%d issuers, and the keys of each", s.issuers)}, crowd, nil},
		{row{what: fmt.Sprintf("%d issuers, and a token of each", s.issuers)}, crowd, func(on *scene) error { return on.show(ctx, many.token, s.issuers) }},
	}
	for round := range s.rounds {
		for n := range rows {
			r := &rows[n]
			resident, err := r.scene.play(ctx, filepath.Join(dir, fmt.Sprintf("%d-%d.json", round, n)), r.do, s.rest)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.what, err)
			}
			r.weighs = append(r.weighs, resident)
		}
		for _, used := range []*scene{one, roomy, crowd} {
			used.end()
		}
	}
	var weighed []*row
	for n := range rows {
		weighed = append(weighed, &rows[n].row)
	}
	return weighed, nil
}

// A scene is a server by a configuration, which is started when it is needed.
type scene struct {
	binary string
	config []byte
	server *process.Process
	url    string
}

// play does what a row says and weighs the server.
func (on *scene) play(ctx context.Context, file string, do func(*scene) error, rest time.Duration) (int64, error) {
	if on.server == nil {
		if err := on.start(ctx, file); err != nil {
			return 0, err
		}
	}
	if do != nil {
		if err := do(on); err != nil {
			return 0, err
		}
	}
	time.Sleep(rest)
	resident := on.server.Resident()
	if resident == 0 {
		return 0, errors.New("this system does not tell: want Linux's /proc")
	}
	return resident, nil
}

func (on *scene) start(ctx context.Context, file string) (err error) {
	if err := os.WriteFile(file, on.config, 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, on.binary, "serve", "--addr", "127.0.0.1:0", "--config", file, "--allow-insecure-http")
	cmd.Stderr = io.Discard // a line for each issuer
	if on.server, on.url, err = process.Start(cmd, "listening on "); err != nil {
		return err
	}
	return on.ready(ctx)
}

func (on *scene) end() {
	if on.server != nil {
		on.server.Stop()
		on.server = nil
	}
}
