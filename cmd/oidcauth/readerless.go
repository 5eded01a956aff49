package main

import (
	"os"
	"os/signal"
	"syscall"
)

// outliveReaders has the server go on when nobody reads its log any more, a program at the
// other end of a pipe for instance that has ended: the next line would be the end of the
// server as well, and whoever sends a token that is refused has it write one.
func outliveReaders() (stop func()) {
	broken := make(chan os.Signal, 1) // which nobody looks at
	signal.Notify(broken, syscall.SIGPIPE)
	return func() { signal.Stop(broken) }
}
