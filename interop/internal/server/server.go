// Package server starts the programs of others that tests talk to, on the loopback
// interface, and ends them with the test, also when that is killed.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	startLimit = 4 * time.Minute
	stopLimit  = time.Minute
)

// A Command is how a program is started.
type Command struct {
	Name  string // for messages
	Dir   string // the working directory, in which the log is kept
	Env   []string
	Args  []string
	Ready string // an address that answers 200 when the program is ready; empty: it need not be waited for
}

// A Server is a program that runs.
type Server struct {
	command Command
	process *exec.Cmd
	leash   io.Closer // the process ends when it is closed
	ended   chan error
}

// leashed runs its arguments as a program that ends with this script's input,
// so that no server outlives a test that was killed.
const leashed = `exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{ read -r _ <&3; kill -TERM $program 2>/dev/null; } &
exec 3<&-
wait $program`

// Start starts a program and waits until it answers.
func Start(ctx context.Context, c Command) (*Server, error) {
	s := &Server{command: c}
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.process = exec.Command("sh", append([]string{"-c", leashed, "sh"}, c.Args...)...)
	s.process.Dir = c.Dir
	s.process.Env = append(os.Environ(), c.Env...)
	s.process.Stdout, s.process.Stderr = log, log
	if s.leash, err = s.process.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	s.ended = make(chan error, 1)
	go func() { s.ended <- s.process.Wait() }()
	if c.Ready == "" {
		return s, nil
	}
	if err := s.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(), s.LastLines())
	}
	return s, nil
}

// awaitReady polls until the server answers, ends, or is too late.
func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("%s did not answer within %v", s.command.Name, startLimit))
	defer cancel()
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.command.Ready, nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-poll.C:
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("%s ended before it answered: %w", s.command.Name, err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Stop ends the server and keeps its data. Stopping twice is fine.
func (s *Server) Stop() error {
	if s.process == nil {
		return nil
	}
	defer func() { s.process = nil }()
	s.leash.Close()
	select {
	case <-s.ended:
		// A server that was told to end says so in its exit code; nothing to report.
		return nil
	case <-time.After(stopLimit):
		return errors.Join(fmt.Errorf("%s did not end within %v", s.command.Name, stopLimit), s.process.Process.Kill())
	}
}

func (s *Server) logFile() string { return filepath.Join(s.command.Dir, "log") }

// LastLines returns the end of the server's log as an error.
func (s *Server) LastLines() error {
	const most = 4000
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err
	}
	return fmt.Errorf("the end of the log of %s:\n%s", s.command.Name, text[max(0, len(text)-most):])
}
