// Pgwire is a server of the PostgreSQL protocol whose clients send a token as
// their password: psql, a driver, whatever speaks it.
//
//	go run ./examples/pgwire
//
// makes an issuer of its own, in this process, and prints a command to try. With
//
//	go run ./examples/pgwire -issuer URL -audience AUD -cert cert.pem -key key.pem -addr :5433
//
// it takes the tokens of a provider of yours. Without TLS it accepts clients of
// this machine alone. The guide is docs/postgres.md.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oauthbearer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// options are the command line.
type options struct {
	addr, issuer, audience, cert, key string
	oauth                             bool
	scope                             string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "pgwire:", err)
		os.Exit(1)
	}
}

func parse(args []string, log io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("pgwire", flag.ContinueOnError)
	f.SetOutput(log)
	f.StringVar(&o.addr, "addr", "127.0.0.1:5433", "the `address` to listen at")
	f.StringVar(&o.issuer, "issuer", "", "the `URL` of the issuer; empty for one in this process")
	f.StringVar(&o.audience, "audience", "my-db", "the `audience` of accepted tokens")
	f.StringVar(&o.cert, "cert", "", "the `file` of the TLS certificate; empty for no TLS")
	f.StringVar(&o.key, "key", "", "the `file` of the certificate's key")
	f.BoolVar(&o.oauth, "oauth", false, "ask for the token by SASL OAUTHBEARER, for libpq 18 and pgx, in place of a password")
	f.StringVar(&o.scope, "scope", "", "with -oauth, the `scopes` that a client is to ask the issuer for")
	return o, f.Parse(args)
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	o, err := parse(args, log)
	if err != nil {
		return err
	}
	s := &server{logger: slog.New(slog.NewTextHandler(log, nil))}
	cfg := oidcauth.Config{
		Issuers: []oidcauth.Issuer{{
			URL: o.issuer, Audiences: []string{o.audience},
			Keys: oidcauth.KeysFrom{InsecureHTTP: strings.HasPrefix(o.issuer, "http://")}, // on the loopback interface
		}},
		Logger: s.logger,
	}
	var demo *oidctest.Issuer
	if o.issuer == "" {
		demo = oidctest.NewIssuer(nil, oidctest.Config{})
		defer demo.Close()
		cfg.Issuers[0].URL, cfg.Client = demo.URL(), demo.Client()
	}
	if o.oauth {
		if s.challenge, err = challengeFor(cfg.Issuers[0].URL, o.scope); err != nil {
			return err
		}
	}
	if s.auth, err = oidcauth.New(cfg); err != nil {
		return err
	}
	defer s.auth.Close()
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return err
		}
		s.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "listening at", l.Addr())
	if demo != nil {
		cleanup, err := invite(out, l.Addr(), demo.Token(map[string]any{"sub": "alice", "aud": o.audience, "roles": []string{"operator"}}))
		if err != nil {
			l.Close()
			return err
		}
		defer cleanup()
	}
	return s.serve(ctx, l)
}

// challengeFor tells clients of an issuer. The server names one issuer: with several
// it would have to choose by the user, the database or the port of the client.
func challengeFor(issuer, scope string) (*oauthbearer.Challenge, error) {
	if strings.HasSuffix(issuer, "/") {
		return nil, fmt.Errorf("issuer %q: libpq cannot name an issuer that ends in a slash: leave out -oauth, and take the token as the password", issuer)
	}
	return &oauthbearer.Challenge{Discovery: issuer + "/.well-known/openid-configuration", Scope: scope}, nil
}

// invite puts a token where only this user can read it, and says how to use it.
func invite(out io.Writer, addr net.Addr, token string) (cleanup func(), err error) {
	dir, err := os.MkdirTemp("", "pgwire") // readable by this user alone
	if err != nil {
		return nil, err
	}
	cleanup = func() { os.RemoveAll(dir) }
	file := filepath.Join(dir, "passfile")
	if err := os.WriteFile(file, []byte("*:*:*:*:"+token+"\n"), 0o600); err != nil {
		cleanup()
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		cleanup()
		return nil, err
	}
	fmt.Fprintf(out, "try: PGPASSFILE='%s' psql -h %s -p %s -U anybody -d db -c 'select current_user'\n", file, host, port)
	return cleanup, nil
}
