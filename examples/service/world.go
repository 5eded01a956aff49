package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/database"
	"github.com/oidcauth/oidcauth/examples/internal/provider"
)

const (
	audience   = "messages"
	demoSecret = "demo-secret"

	// brief is how long every token of the story lives.
	brief = 6 * time.Second

	robotID = "robot@shop.example"
	podID   = "system:serviceaccount:shop:worker"
)

// world is everything the story needs, in one process.
type world struct {
	provider *provider.Provider // of the services with a secret or a key
	cluster  *provider.Provider // stands for a Kubernetes API server
	dir      string
	url      string // of the database server

	auth    *oidcauth.Authenticator
	db      *database.Database
	sockets *database.Server
	http    *http.Server
	cancel  context.CancelFunc
	kubelet <-chan struct{} // closed when it has ended
}

// startWorld starts the providers, the database server, and what stands for the
// kubelet.
func startWorld(ctx context.Context) (w *world, err error) {
	w = &world{}
	ctx, w.cancel = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, w.stop())
		}
	}()
	if w.dir, err = os.MkdirTemp("", "service-"); err != nil {
		return w, err
	}
	robot, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return w, err
	}
	if err := w.startProviders(ctx, robot); err != nil {
		return w, err
	}
	if err := w.writeKeyFile(robot); err != nil {
		return w, err
	}
	if err := w.projectToken(ctx); err != nil {
		return w, err
	}
	return w, w.startServer(ctx)
}

func (w *world) startProviders(ctx context.Context, robot *rsa.PrivateKey) (err error) {
	w.provider, err = provider.Start(ctx, provider.Config{Clients: []provider.Client{
		{ID: "importer", Secret: demoSecret, Audiences: []string{audience}, Roles: []string{"writer"}, TokenLifetime: brief},
		{ID: robotID, Key: &jose.JSONWebKey{Key: robot.Public(), KeyID: "robot-1"},
			Audiences: []string{audience}, Roles: []string{"writer"}, TokenLifetime: brief},
	}})
	if err != nil {
		return err
	}
	w.cluster, err = provider.Start(ctx, provider.Config{Clients: []provider.Client{
		{ID: podID, Audiences: []string{audience}, TokenLifetime: brief},
	}})
	return err
}

// writeKeyFile writes what Google's console would have the robot's owner
// download.
func (w *world) writeKeyFile(robot *rsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(robot)
	if err != nil {
		return err
	}
	text, err := json.Marshal(keyFile{
		Type: "service_account", ClientEmail: robotID, PrivateKeyID: "robot-1",
		PrivateKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		TokenURI:   w.provider.TokenURL(),
	})
	if err != nil {
		return err
	}
	return os.WriteFile(w.keyFile(), text, 0o600)
}

func (w *world) keyFile() string   { return filepath.Join(w.dir, "robot.json") }
func (w *world) tokenFile() string { return filepath.Join(w.dir, "token") }

// projectToken writes a token for the pod into a file and replaces it every
// second, until ctx ends.
func (w *world) projectToken(ctx context.Context) error {
	if err := w.replaceToken(ctx); err != nil {
		return err
	}
	ended := make(chan struct{})
	w.kubelet = ended
	go func() {
		defer close(ended)
		again := time.NewTicker(time.Second)
		defer again.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-again.C:
				// A token that cannot be replaced expires, and that is noticed.
				_ = w.replaceToken(ctx)
			}
		}
	}()
	return nil
}

func (w *world) replaceToken(ctx context.Context) error {
	token, err := w.cluster.AccessToken(ctx, podID, "")
	if err != nil {
		return err
	}
	next := w.tokenFile() + ".next"
	if err := os.WriteFile(next, []byte(token+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(next, w.tokenFile())
}

// startServer starts the database server, for the services of both providers.
func (w *world) startServer(ctx context.Context) (err error) {
	issuer := func(p *provider.Provider) oidcauth.Issuer {
		return oidcauth.Issuer{
			URL: p.Issuer(), Audiences: []string{audience}, TokenTypes: []string{"JWT", "at+jwt"}, Keys: oidcauth.KeysFrom{InsecureHTTP: true},
		}
	}
	w.auth, err = oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{issuer(w.provider), issuer(w.cluster)},
		Leeway:  -1, // one clock, so no difference to allow for
	})
	if err != nil {
		return err
	}
	w.db, err = database.Open(database.Config{
		Path:  filepath.Join(w.dir, "messages.db"),
		Admit: oidcauth.All(oidcauth.HasIssuer(w.provider.Issuer(), w.cluster.Issuer()), oidcauth.HasAudience(audience)),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.url = "http://" + listener.Addr().String()
	w.sockets = database.NewServer(w.db, w.auth, slog.New(slog.DiscardHandler))
	w.http = &http.Server{
		Handler: w.sockets.Handler(), ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	go w.http.Serve(listener) // ends with stop
	return nil
}

// stop ends what was started, in the opposite order.
func (w *world) stop() error {
	w.cancel()
	var errs []error
	if w.http != nil {
		errs = append(errs, w.http.Close())
		w.sockets.Wait()
	}
	if w.kubelet != nil {
		<-w.kubelet
	}
	if w.db != nil {
		errs = append(errs, w.db.Close())
	}
	if w.auth != nil {
		errs = append(errs, w.auth.Close())
	}
	for _, p := range []*provider.Provider{w.provider, w.cluster} {
		if p != nil {
			p.Stop()
		}
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}
