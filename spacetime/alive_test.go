package spacetime_test

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/spacetime"
)

// A brimful connection takes what the server writes until it is full, and then nothing.
type brimful struct {
	net.Conn
	full   *atomic.Bool
	closed context.Context
	close  context.CancelFunc
}

func (b brimful) Write(p []byte) (int, error) {
	if b.full.Load() {
		<-b.closed.Done()
		return 0, net.ErrClosed
	}
	return b.Conn.Write(p)
}

func (b brimful) Close() error {
	b.close()
	return b.Conn.Close()
}

// A client that takes nothing of what waits for it, so that it cannot be asked whether it
// is there, has vanished.
func TestConn_VanishedFull(t *testing.T) {
	inBubble(t, spacetime.Config{}, func(t *testing.T, w *world, p pipes) {
		client, server := net.Pipe()
		full := new(atomic.Bool)
		closed, end := context.WithCancel(t.Context())
		defer end()
		p <- brimful{server, full, closed, end}
		defer client.Close()
		began := time.Now()
		answers := w.subscribeBy(t, client, w.issuer.Token(map[string]any{"exp": began.Add(24 * time.Hour).Unix()}))
		readFrame(t, answers)
		full.Store(true)
		io.Copy(io.Discard, answers)
		if after := time.Since(began); after != 35*time.Second {
			t.Errorf("the connection ended after %v, want five seconds after it was to be asked", after)
		}
	})
}
