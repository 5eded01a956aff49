package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/process"
)

// secret is what the soak itself is known by on admin listeners of its own machine.
const secret = "the-secret-of-a-soak-that-is-no-secret"

// A server is a process that is watched.
type server struct {
	name  string
	url   string
	admin string // serve's listener for operators
	*process.Process
	log string
	// holds asks the process how many goroutines and bytes in use it has.
	holds func(ctx context.Context, s *server) (goroutines, heap float64, err error)
}

// serveConfig is the file of one "oidcauth serve". Each has another NATS server first.
func serveConfig(issuers []string, cluster []*member, n int, admin, dir string, grace time.Duration) any {
	var described []map[string]any
	for _, issuer := range issuers {
		described = append(described, map[string]any{"url": issuer, "audiences": []string{audience}})
	}
	var servers []string
	for i := range cluster {
		servers = append(servers, "nats://"+cluster[(n+i)%len(cluster)].client)
	}
	return map[string]any{
		"addr": "127.0.0.1:0", "issuers": described, "max_token_lifetime": (tokenLife + time.Minute).String(),
		"admin": map[string]any{"addr": admin, "secret_file": filepath.Join(dir, "secret")},
		"revocations": map[string]any{
			"nats":    map[string]any{"servers": servers, "replicas": members, "grace": grace.String()},
			"dir":     filepath.Join(dir, fmt.Sprintf("waiting-%d", n+1)),
			"require": true,
		},
	}
}

// startServe starts one "oidcauth serve", and waits until it accepts tokens.
func startServe(ctx context.Context, binary, dir string, n int, issuers []string, cluster []*member, grace time.Duration) (*server, error) {
	at, err := addresses(1)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(serveConfig(issuers, cluster, n, at[0], dir, grace), "", "  ")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, fmt.Sprintf("serve-%d.json", n+1))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	s := &server{name: fmt.Sprintf("serve %d", n+1), admin: "http://" + at[0], holds: serveHolds}
	if err := s.start(exec.Command(binary, "serve", "--config", file, "--allow-insecure-http"), dir, "listening on "); err != nil {
		return nil, err
	}
	return s, s.ready(ctx)
}

// startChat starts the server of examples/chat.
func startChat(binary, dir, issuer string, operator func() string) (*server, error) {
	s := &server{name: "chat", holds: func(ctx context.Context, s *server) (float64, float64, error) {
		return chatHolds(ctx, s, operator())
	}}
	return s, s.start(exec.Command(binary, "-listen", "127.0.0.1:0", "-data", filepath.Join(dir, "chat.db"),
		"-issuer", issuer, "-client-id", audience), dir, "The chat is at ")
}

func (s *server) start(cmd *exec.Cmd, dir, says string) error {
	s.log = filepath.Join(dir, strings.ReplaceAll(s.name, " ", "-")+".log")
	log, err := os.Create(s.log)
	if err != nil {
		return err
	}
	cmd.Stderr = log
	s.Process, s.url, err = process.Start(cmd, says)
	return err
}

// ready waits until the server says that it is.
func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		status, body, err := get(ctx, s.url+"/readyz", "")
		if err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after a minute: status %d, %s %v", s.name, status, body, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// client is for what is no load.
var client = &http.Client{Timeout: 20 * time.Second}

func get(ctx context.Context, url, bearer string) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return resp.StatusCode, body, err
}

// serveHolds reads the metrics of "oidcauth serve".
func serveHolds(ctx context.Context, s *server) (goroutines, heap float64, err error) {
	status, body, err := get(ctx, s.admin+"/metrics", secret)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: /metrics: status %d", s.name, status)
	}
	if err != nil {
		return 0, 0, err
	}
	values := make(map[string]float64)
	for line := range strings.Lines(string(body)) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), " "); found {
			values[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	goroutines, heap = values["go_goroutines"], values["go_gc_heap_live_bytes"]
	if goroutines == 0 {
		return 0, 0, fmt.Errorf("%s: /metrics does not say how many goroutines there are", s.name)
	}
	return goroutines, heap, nil
}

// chatHolds asks the chat as its operator.
func chatHolds(ctx context.Context, s *server, operator string) (goroutines, heap float64, err error) {
	status, body, err := get(ctx, s.url+"/operator/state", operator)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("chat: /operator/state: status %d, %s", status, body)
	}
	if err != nil {
		return 0, 0, err
	}
	var state struct {
		Process struct {
			Goroutines float64 `json:"goroutines"`
			HeapBytes  float64 `json:"heap_bytes"`
		} `json:"process"`
	}
	if err := json.Unmarshal(body, &state); err != nil || state.Process.Goroutines == 0 {
		return 0, 0, fmt.Errorf("chat: /operator/state does not say how many goroutines there are: %w", err)
	}
	return state.Process.Goroutines, state.Process.HeapBytes, nil
}
