// Command oidcauth authenticates callers by their OpenID Connect tokens: as a
// small server to put behind a proxy, and at the prompt, to find out why a
// token is refused. Run it with --help to see what it can do.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// sameSignal is how long a second signal counts as the first one: timeout(1) and many a
// supervisor send it to the process and to its group as well, which is no impatience.
const sameSignal = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the second one ends the process at once.
	context.AfterFunc(ctx, func() { time.AfterFunc(sameSignal, stop) })
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
