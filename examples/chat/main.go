// Command chat is a realtime database server with a page: people sign in with an
// OpenID Connect provider, talk over a WebSocket, and see why they are refused, sent
// away or asked to sign in again.
//
//	go run ./examples/chat
//
// Without further settings it brings its own provider, with three people in it, and
// listens on the loopback interface. With -issuer and -client-id it takes any other.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// warnBefore is what is left of a token when its page is told to renew it.
const warnBefore = 30 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	listen, address            string
	issuer, clientID, secretIn string
	path                       string
	life                       time.Duration
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` to listen on")
	flags.StringVar(&o.address, "url", "", "`address` of the page as browsers see it (default http:// and -listen)")
	flags.StringVar(&o.issuer, "issuer", "", "issuer `URL` (default: a provider of its own, with three people)")
	flags.StringVar(&o.clientID, "client-id", "", "client ID at the issuer, whose redirect URI is -url and /callback")
	flags.StringVar(&o.secretIn, "client-secret-file", "", "`file` with the client's secret, if it has one")
	flags.StringVar(&o.path, "data", "", "`file` to keep the tables in (default: one that is removed at the end)")
	flags.DurationVar(&o.life, "token-life", 2*time.Minute, "how long the tokens of the own provider live")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if (o.issuer == "") != (o.clientID == "") {
		return o, errors.New("-issuer and -client-id go together")
	}
	return o, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("%w: give another address with -listen", err)
	}
	cfg, clean, err := o.config(ctx, listener.Addr().String())
	if err != nil {
		listener.Close()
		return err
	}
	defer clean()
	s, err := newServer(ctx, cfg)
	if err != nil {
		listener.Close()
		return err
	}
	fmt.Printf("The chat is at %s\n", cfg.address)
	if o.issuer == "" {
		fmt.Print(whoIsThere)
	}
	return serve(ctx, listener, s)
}

// serve serves until ctx ends, and then tells every client.
func serve(ctx context.Context, listener net.Listener, s *server) error {
	web := &http.Server{
		Handler: s.handler(), ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
	}
	go s.db.Schedule(ctx, func(reducer string, err error) {
		s.logger.Error("scheduled call failed", "reducer", reducer, "reason", err)
	})
	finished := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(finished)
		wait, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		web.Shutdown(wait)
	})
	err := web.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		<-finished // what was under way, which needs all that close ends
		err = nil
	}
	return errors.Join(err, s.close())
}

// config fills in what the options leave open. What clean removes is the server's own.
func (o options) config(ctx context.Context, listens string) (cfg config, clean func(), err error) {
	cfg = config{
		address: o.address, issuer: o.issuer, clientID: o.clientID, path: o.path, warn: warnBefore, client: http.DefaultClient,
		insecure: strings.HasPrefix(o.issuer, "http://"),
		logger:   slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if cfg.address == "" {
		cfg.address = "http://" + listens
	}
	if o.secretIn != "" {
		secret, err := os.ReadFile(o.secretIn)
		if err != nil {
			return cfg, nil, err
		}
		cfg.secret = strings.TrimSpace(string(secret))
	}
	clean = func() {}
	if cfg.path == "" {
		dir, err := os.MkdirTemp("", "chat-")
		if err != nil {
			return cfg, nil, err
		}
		cfg.path, clean = filepath.Join(dir, "chat.db"), func() { os.RemoveAll(dir) }
	}
	if cfg.issuer == "" {
		err = cfg.embed(ctx, o.life)
	}
	return cfg, clean, err
}
