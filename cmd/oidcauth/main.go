// Command oidcauth authenticates callers by their OpenID Connect tokens: as a
// small server to put behind a proxy, and at the prompt, to find out why a
// token is refused. Run it with --help to see what it can do.
package main

import (
	"context"
	"fmt"
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
	context.AfterFunc(ctx, func() {
		time.AfterFunc(sameSignal, stop)
		endInTime()
	})
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// endInTime ends the process after [stopLimit], whatever it waits for: no signal ends the
// reading of a file, which may be a pipe that nobody writes to, or on a disk that hangs.
func endInTime() {
	const toTell = time.Second // on a machine that is busy, if somebody reads it
	time.AfterFunc(stopLimit, func() {
		told := make(chan struct{})
		go func() {
			fmt.Fprintf(os.Stderr, "oidcauth: it has not ended within %v of the signal, as with a file whose content does not come: cut off\n", stopLimit)
			close(told)
		}()
		select {
		case <-told:
		case <-time.After(toTell):
		}
		os.Exit(exitFailed)
	})
}
