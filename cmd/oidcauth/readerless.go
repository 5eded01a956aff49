package main

import (
	"os"
	"os/signal"
	"syscall"
)

// outliveReaders has the server go on when nobody reads its log any more, a program at the
// other end of a pipe for instance that has ended: the next line would be the end of the
// server as well, and whoever sends a token that is refused has it write one. It counts
// until the process ends: what a supervisor sees is the exit code, and not this signal,
// which systemd takes for an end without failure.
func outliveReaders() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // which nobody looks at
}
