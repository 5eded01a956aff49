// Service is the other side of oidcauth: a program that calls a database server
// over HTTP and holds a WebSocket to it for longer than any of its tokens lives.
//
//	go run ./examples/service
//
// starts a provider, a database server and four services, and tells how they
// fare. Three renew their tokens, each in its own way: by client credentials, by
// signing with the key of a service account, and by reading the file into which
// Kubernetes projects a token. Their sockets go on under each new token. The
// fourth does not renew, and is shown the door. It exits with status 1 if
// anything came out otherwise than it should.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const storyLimit = 2 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	ctx, cancel := context.WithTimeout(ctx, storyLimit)
	err := tellStory(ctx, os.Stdout)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}
