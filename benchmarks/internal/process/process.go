// Package process runs the servers that are measured, each as a process of its own,
// so that what it uses of the processor and of memory is told apart from what its
// clients use.
package process

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A Process is a server that runs. It is not safe for concurrent use.
type Process struct {
	ID   int
	cmd  *exec.Cmd
	rest <-chan struct{} // closed when standard output has ended
}

// Build compiles a package of this workspace into dir and returns where the program
// is.
func Build(dir, path string) (string, error) {
	binary := filepath.Join(dir, filepath.Base(path))
	build := exec.Command("go", "build", "-o", binary, path)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("go build %s: %w", path, err)
	}
	return binary, nil
}

// Start runs a command that prints a line with where it listens, and returns what
// stands in that line behind says.
func Start(cmd *exec.Cmd, says string) (*Process, string, error) {
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	p, err := begin(cmd)
	if err != nil {
		return nil, "", err
	}
	rest := make(chan struct{})
	p.rest = rest
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if _, where, found := strings.Cut(lines.Text(), says); found {
			go func() { // ends with the process
				defer close(rest)
				for lines.Scan() {
				}
			}()
			return p, strings.TrimSpace(where), nil
		}
	}
	close(rest)
	p.Stop()
	return nil, "", fmt.Errorf("%s does not say where it listens: no line with %q", cmd.Path, says)
}

// StartAt runs a command that listens at an address and does not say when, and waits
// until it does.
func StartAt(ctx context.Context, cmd *exec.Cmd, address string) (*Process, error) {
	p, err := begin(cmd)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			conn.Close()
			return p, nil
		}
		select {
		case <-ctx.Done():
			p.Stop()
			return nil, fmt.Errorf("%s does not listen: %w", cmd.Path, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Run runs a command, and waits for nothing.
func Run(cmd *exec.Cmd) (*Process, error) { return begin(cmd) }

func begin(cmd *exec.Cmd) (*Process, error) {
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Process{ID: cmd.Process.Pid, cmd: cmd}, nil
}

// Stop asks the process to end and waits until it has.
func (p *Process) Stop() {
	p.cmd.Process.Signal(os.Interrupt)
	if p.rest != nil {
		<-p.rest
	}
	p.cmd.Wait()
}

// Kill ends the process without giving it time to do anything, and waits until it has
// ended.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	if p.rest != nil {
		<-p.rest
	}
	p.cmd.Wait()
}
