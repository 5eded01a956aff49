package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	// holding is how long the services hold their sockets: as long as a token lives, and
	// so long that a socket whose token is never renewed has ended on a busy machine, too.
	holding = brief + 5*time.Second
	early   = brief - time.Second // so that a busy machine has time to renew
	pause   = 200 * time.Millisecond

	// How a socket ends: by the service when its time is over, which is what
	// websocket.CloseStatus says then, or by the server.
	closedByService    websocket.StatusCode = -1
	statusUnauthorized websocket.StatusCode = 3000
)

var errWrong = errors.New("the story went wrong")

// chapter is what one service does, and what must come of it.
type chapter struct {
	name   string
	how    string
	source oauth2.TokenSource
	early  time.Duration        // how long before the expiry it renews; 0 for never
	insert int                  // the status of its call over HTTP
	ends   websocket.StatusCode // how its socket ends
}

// outcome is what came of it.
type outcome struct {
	status int
	held   held
	err    error
}

// tellStory runs the services side by side in a world of their own.
func tellStory(ctx context.Context, out io.Writer) (err error) {
	w, err := startWorld(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	chapters, err := w.chapters(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "provider  %s  for the services with a secret or a key\n", w.provider.Issuer())
	fmt.Fprintf(out, "cluster   %s  for the pod\n", w.cluster.Issuer())
	fmt.Fprintf(out, "database  %s  accepts tokens for %q\n\n", w.url, audience)
	fmt.Fprintf(out, "Every token lives for %v. The services hold their sockets for %v.\n\n", brief, holding)

	outcomes := make([]chan outcome, len(chapters))
	for i, c := range chapters {
		outcomes[i] = make(chan outcome, 1)
		go func() { outcomes[i] <- c.play(ctx, w.url) }() // ends with ctx
	}
	wrong := 0
	for i, c := range chapters {
		if !c.tell(out, <-outcomes[i]) {
			wrong++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%w: %d of %d services", errWrong, wrong, len(chapters))
	}
	fmt.Fprintf(out, "All %d services fared as they should.\n", len(chapters))
	return nil
}

// chapters lists the services.
func (w *world) chapters(ctx context.Context) ([]chapter, error) {
	secret := clientcredentials.Config{ClientID: "importer", ClientSecret: demoSecret, TokenURL: w.provider.TokenURL()}
	robot, err := serviceAccount(ctx, early, w.keyFile(), w.provider.Issuer())
	if err != nil {
		return nil, err
	}
	return []chapter{
		{"importer", "client credentials", clientCredentials(ctx, early, secret), early, http.StatusOK, closedByService},
		{"robot", "a service account's key", robot, early, http.StatusOK, closedByService},
		{"pod", "a projected file; no role to write", projectedFile(early, w.tokenFile()), early, http.StatusForbidden, closedByService},
		{"forgetful", "client credentials, never renewed", clientCredentials(ctx, early, secret), 0, http.StatusOK, statusUnauthorized},
	}, nil
}

// play calls the database over HTTP and then holds a socket.
func (c chapter) play(ctx context.Context, url string) (got outcome) {
	service := &client{url: url, source: c.source, early: c.early, pause: pause}
	if got.status, got.err = service.insert(ctx, "hello from "+c.name); got.err != nil {
		return got
	}
	got.held, got.err = service.hold(ctx, holding)
	return got
}

// tell prints what happened and reports whether it is what should have.
func (c chapter) tell(out io.Writer, got outcome) bool {
	problem := c.judge(got)
	mark := "ok"
	if problem != nil {
		mark = "WRONG"
	}
	fmt.Fprintf(out, "%-5s  %-9s  %s\n", mark, c.name, c.how)
	fmt.Fprintf(out, "       call over HTTP    %d\n", got.status)
	end := "closed by the service"
	if got.held.closed != closedByService {
		end = fmt.Sprintf("closed by the server, status %d", got.held.closed)
	}
	fmt.Fprintf(out, "       socket            %d calls, %d renewals in %v, %s\n\n",
		got.held.calls, got.held.renewals, got.held.lasted.Round(time.Second), end)
	if problem != nil {
		fmt.Fprintf(out, "       %v\n\n", problem)
	}
	return problem == nil
}

// judge compares what came of a service with what should have.
func (c chapter) judge(got outcome) error {
	switch {
	case got.err != nil:
		return got.err
	case got.status != c.insert:
		return fmt.Errorf("call over HTTP: got status %d, want %d", got.status, c.insert)
	case got.held.closed != c.ends:
		return fmt.Errorf("socket: got close status %d, want %d", got.held.closed, c.ends)
	case got.held.calls == 0:
		return errors.New("socket: no call was answered")
	case c.early > 0 && got.held.renewals < 2:
		return fmt.Errorf("socket: got %d renewals, want 2 at least", got.held.renewals)
	case c.early == 0 && got.held.lasted >= holding:
		return fmt.Errorf("socket: lasted %v under a token of %v", got.held.lasted, brief)
	}
	return nil
}
