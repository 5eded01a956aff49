package fetch_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

// pipeClient returns a client whose connections are pipes to serve, which is
// given each connection when it has read a request from it.
func pipeClient(t *testing.T, cfg fetch.Config, serve func(net.Conn)) *fetch.Client {
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		serving.Go(func() {
			defer far.Close()
			if _, err := http.ReadRequest(bufio.NewReader(far)); err == nil {
				serve(far)
			}
		})
		return near, nil
	}}
	t.Cleanup(transport.CloseIdleConnections)
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{}
	}
	cfg.HTTP.Transport = transport
	cfg.InsecureHTTP = true
	return newClient(t, cfg)
}

// drip writes s byte by byte, one each interval, until the other end closes.
func drip(interval time.Duration, s string) func(net.Conn) {
	return func(conn net.Conn) {
		for i := range len(s) {
			time.Sleep(interval)
			if _, err := io.WriteString(conn, s[i:i+1]); err != nil {
				return
			}
		}
	}
}

// silence waits until the other end closes.
func silence(conn net.Conn) {
	_, _ = conn.Read(make([]byte, 1))
}

const (
	pipeURL  = "http://127.0.0.1/"
	fullBody = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
)

func TestGet_Timeout(t *testing.T) {
	t.Parallel()
	head := "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
	tests := []struct {
		name  string
		cfg   fetch.Config
		serve func(net.Conn)
		want  error
		after time.Duration
	}{
		{"answer at once", fetch.Config{}, drip(0, fullBody), nil, 0},
		{"slow, but in time", fetch.Config{}, drip(100*time.Millisecond, fullBody), nil, 100 * time.Millisecond * time.Duration(len(fullBody))},
		{"no answer", fetch.Config{}, silence, fetch.ErrTimeout, 10 * time.Second},
		{"header drips", fetch.Config{}, drip(time.Second, head), fetch.ErrTimeout, 10 * time.Second},
		{"body drips", fetch.Config{}, func(conn net.Conn) {
			_, _ = io.WriteString(conn, head)
			drip(time.Second, strings.Repeat(" ", 1000))(conn)
		}, fetch.ErrTimeout, 10 * time.Second},
		{"body of unknown length never ends", fetch.Config{}, func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}")
			silence(conn)
		}, fetch.ErrTimeout, 10 * time.Second},
		{"shorter limit", fetch.Config{Timeout: time.Second}, silence, fetch.ErrTimeout, time.Second},
		{"given client's limit is shorter", fetch.Config{HTTP: &http.Client{Timeout: time.Second}}, silence, fetch.ErrTimeout, time.Second},
		{"given client's limit is the shortest", fetch.Config{HTTP: &http.Client{Timeout: 1}}, silence, fetch.ErrTimeout, 1},
		{"given client's limit is longer", fetch.Config{HTTP: &http.Client{Timeout: time.Hour}}, silence, fetch.ErrTimeout, 10 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := pipeClient(t, tt.cfg, tt.serve)
				start := time.Now()
				_, err := c.Get(t.Context(), pipeURL, fetch.Request{})
				if !errors.Is(err, tt.want) {
					t.Fatalf("Get() error = %v, want %v", err, tt.want)
				}
				if took := time.Since(start); took != tt.after {
					t.Errorf("Get() took %v, want %v", took, tt.after)
				}
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Get() error = %v, which reads as if the caller's deadline had passed", err)
				}
			})
		})
	}
}

func TestGet_RedirectsShareTheTimeLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := pipeClient(t, fetch.Config{}, func(conn net.Conn) {
			time.Sleep(6 * time.Second)
			_, _ = io.WriteString(conn, "HTTP/1.1 302 Found\r\nLocation: /again\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		})
		start := time.Now()
		_, err := c.Get(t.Context(), pipeURL, fetch.Request{})
		if !errors.Is(err, fetch.ErrTimeout) || time.Since(start) != 10*time.Second {
			t.Errorf("Get() error = %v after %v, want %v after 10s", err, time.Since(start), fetch.ErrTimeout)
		}
	})
}

func TestGet_CallersContext(t *testing.T) {
	t.Parallel()
	t.Run("cancelled while waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := pipeClient(t, fetch.Config{}, silence)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(3*time.Second, cancel)
			start := time.Now()
			_, err := c.Get(ctx, pipeURL, fetch.Request{})
			if !errors.Is(err, context.Canceled) || time.Since(start) != 3*time.Second {
				t.Errorf("Get() error = %v after %v, want %v after 3s", err, time.Since(start), context.Canceled)
			}
		})
	})
	t.Run("deadline before ours", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := pipeClient(t, fetch.Config{}, drip(time.Second, fullBody))
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, err := c.Get(ctx, pipeURL, fetch.Request{})
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, fetch.ErrTimeout) {
				t.Errorf("Get() error = %v, want %v alone", err, context.DeadlineExceeded)
			}
		})
	})
	t.Run("ended before the request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			asked := false
			c := pipeClient(t, fetch.Config{}, func(net.Conn) { asked = true })
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := c.Get(ctx, pipeURL, fetch.Request{}); !errors.Is(err, context.Canceled) || asked {
				t.Errorf("Get() error = %v, asked %t, want %v", err, asked, context.Canceled)
			}
		})
	})
}

func TestGet_BrokenAnswer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		sent string
		want error
	}{
		{"complete", fullBody, nil},
		{"ends in the body", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", io.ErrUnexpectedEOF},
		{"ends in the header", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", io.ErrUnexpectedEOF},
		{"ends before it begins", "", io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := pipeClient(t, fetch.Config{}, func(conn net.Conn) { _, _ = io.WriteString(conn, tt.sent) })
				if _, err := c.Get(t.Context(), pipeURL, fetch.Request{}); !errors.Is(err, tt.want) {
					t.Errorf("Get() error = %v, want %v", err, tt.want)
				}
			})
		})
	}
}

func TestGet_NotHTTPIsNotRepeatedAtLength(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := pipeClient(t, fetch.Config{}, func(conn net.Conn) {
			_, _ = io.WriteString(conn, "SSH-2.0-"+strings.Repeat("x", 4000)+"\r\n")
		})
		_, err := c.Get(t.Context(), pipeURL+"?secret", fetch.Request{})
		if err == nil || len(err.Error()) > 300 || strings.Contains(err.Error(), "secret") {
			t.Errorf("Get() error = %v, want a short one", err)
		}
	})
}
