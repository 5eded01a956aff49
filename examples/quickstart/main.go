// Quickstart is the main job of oidcauth in one program: a database server that
// takes its callers' identities from an OpenID Provider.
//
//	go run ./examples/quickstart
//
// starts a provider and the server in this process, acts as a person and as a
// service, tries what each may and may not do, and tells the story. It exits
// with status 1 if anything came out otherwise than it should. A machine too busy
// to do in two seconds what a token allows is given time by -life.
//
//	go run ./examples/quickstart -serve
//
// stays up and prints commands to try; with -addr and -provider-addr it has the same
// addresses at each start. With -issuer and -audience the server takes the tokens of a
// provider of yours instead.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const storyLimit = 2 * time.Minute

// options are the command line.
type options struct {
	addr, issuer, audience string
	providerAddr           string
	serve                  bool
	life                   time.Duration // of short-lived tokens
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	opts, err := parse(args, log)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(log, nil))
	switch {
	case opts.issuer != "":
		return serveIssuer(ctx, opts, out, logger)
	case opts.serve:
		return serveEmbedded(ctx, opts, out, logger)
	}
	ctx, cancel := context.WithTimeout(ctx, storyLimit)
	defer cancel()
	return tellStory(ctx, opts, out)
}

func parse(args []string, log io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.StringVar(&opts.addr, "addr", "127.0.0.1:0", "`address` the database server listens on; port 0 means any free one")
	flags.StringVar(&opts.providerAddr, "provider-addr", "", "`address` the provider listens on, so that it is the same issuer at each start; without it any free port of this machine")
	flags.BoolVar(&opts.serve, "serve", false, "stay up and print commands to try")
	flags.StringVar(&opts.issuer, "issuer", "", "accept the tokens of this provider, by its `URL`, instead of starting one; implies -serve")
	flags.StringVar(&opts.audience, "audience", "", "the `name` of this server in that provider's tokens")
	flags.DurationVar(&opts.life, "life", brief, "how long the short-lived tokens of the story live, as a `duration`")
	if err := flags.Parse(args); err != nil {
		return opts, err
	}
	if flags.NArg() > 0 {
		return opts, fmt.Errorf("arguments not understood: got %q, want flags only", flags.Args())
	}
	if opts.life < brief || opts.life > notSoBrief {
		return opts, fmt.Errorf("-life: got %v, want %v to %v", opts.life, brief, notSoBrief)
	}
	if (opts.issuer == "") != (opts.audience == "") {
		return opts, errors.New("-issuer and -audience go together")
	}
	if opts.issuer != "" && opts.providerAddr != "" {
		return opts, errors.New("-provider-addr is of the provider that is started without -issuer")
	}
	return opts, nil
}
