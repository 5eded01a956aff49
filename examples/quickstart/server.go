package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/database"
)

const (
	countInterval = 200 * time.Millisecond
	shutdownLimit = 10 * time.Second
)

// serverConfig is what differs between the story and a server that stays up.
type serverConfig struct {
	listener net.Listener
	issuers  []oidcauth.Issuer
	admit    oidcauth.Rule
	leeway   time.Duration
	warn     time.Duration // as database.Server.WarnBefore
	logger   *slog.Logger
}

// server is a running database server.
type server struct {
	url     string
	auth    *oidcauth.Authenticator
	db      *database.Database
	http    *http.Server
	sockets *database.Server
	cancel  context.CancelFunc // ends sockets and the scheduler
	counted <-chan struct{}    // closed when the scheduler has ended
	dir     string
}

// listen takes the server's address, which a provider may have to know before
// the server starts.
func listen(addr string) (listener net.Listener, url string, err error) {
	listener, err = net.Listen("tcp", addr)
	if err != nil {
		return nil, "", err
	}
	return listener, "http://" + listener.Addr().String(), nil
}

// startServer puts the parts together: the authenticator, the database, and the
// routes that join them. The listener is the server's from then on.
func startServer(ctx context.Context, cfg serverConfig) (*server, error) {
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: cfg.issuers,
		Leeway:  cfg.leeway,
		Extract: oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.SubprotocolToken),
		Logger:  cfg.logger,
	})
	if err != nil {
		return nil, errors.Join(err, cfg.listener.Close())
	}
	s := &server{auth: auth, url: "http://" + cfg.listener.Addr().String()}
	if err := s.open(cfg); err != nil {
		return nil, errors.Join(err, auth.Close(), cfg.listener.Close())
	}
	s.serve(ctx, cfg)
	return s, nil
}

func (s *server) open(cfg serverConfig) (err error) {
	if s.dir, err = os.MkdirTemp("", "quickstart-"); err != nil {
		return err
	}
	s.db, err = database.Open(database.Config{Path: filepath.Join(s.dir, "messages.db"), Admit: cfg.admit})
	if err != nil {
		return errors.Join(err, os.RemoveAll(s.dir))
	}
	return nil
}

// serve starts two goroutines, which stop ends. Sockets and the scheduler live
// until then and not only until ctx ends, so that calls under way can finish.
func (s *server) serve(ctx context.Context, cfg serverConfig) {
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.sockets = database.NewServer(s.db, s.auth, cfg.logger)
	s.sockets.WarnBefore = cfg.warn
	s.http = &http.Server{
		Handler:     s.sockets.Handler(),
		ReadTimeout: 10 * time.Second,
		IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(cfg.logger.Handler(), slog.LevelWarn),
	}
	s.counted = s.db.Every(ctx, countInterval, "count_messages", func(err error) {
		cfg.logger.Error("scheduled reducer failed", "reason", err)
	})
	go func() {
		if err := s.http.Serve(cfg.listener); !errors.Is(err, http.ErrServerClosed) {
			cfg.logger.Error("server ended", "reason", err)
		}
	}()
}

// stop finishes the calls under way, tells the sockets, and removes the data.
func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	err := s.http.Shutdown(ctx)
	s.cancel()
	s.sockets.Wait()
	<-s.counted
	return errors.Join(err, s.auth.Close(), s.db.Close(), os.RemoveAll(s.dir))
}

// short shows as much of an identity as tells two of them apart.
func short(id oidcauth.Identity) string {
	text := id.String()
	return fmt.Sprintf("%s…%s", text[:8], text[len(text)-4:])
}
