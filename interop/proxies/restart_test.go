package proxies_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNginx_RestartWithoutDowntime restarts two servers, one after the other, while
// requests come in. None is refused.
func TestNginx_RestartWithoutDowntime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, binary)
	dir := t.TempDir()
	w.write(t, dir, "nginx.conf", "upstream.conf")
	nginx, err := os.ReadFile(filepath.Join(dir, "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.ReadFile(filepath.Join(dir, "upstream.conf"))
	if err != nil {
		t.Fatal(err)
	}
	one := regexp.MustCompile(`(?m)^upstream oidcauth .*$`)
	if !one.Match(nginx) {
		t.Fatal("no upstream to replace")
	}
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), one.ReplaceAllLiteral(nginx, two), 0o644); err != nil {
		t.Fatal(err)
	}
	ports := []string{w.oidcauth, w.second}
	var stop [2]func()
	start := func(i int) {
		w.oidcauth = ports[i]
		file := filepath.Join(t.TempDir(), "oidcauth.json")
		if err := os.WriteFile(file, w.settings(t, "nginx", nil), 0o600); err != nil {
			t.Fatal(err)
		}
		stop[i], w.log = w.run(t, "oidcauth", exec.Command(w.binary, "serve", "--config", file, "--allow-insecure-http"))
		await(t, ports[i], w.log)
		awaitReady(t, w, ports[i])
	}
	start(0)
	start(1)
	_, printed := w.run(t, "nginx", proxies[0].command(t, dir))
	await(t, w.front, printed)
	w.ready(t)
	unavailable(t, w, proxies[0]) // at both
	stop[0]()
	for range 4 { // in whatever order they are asked
		unavailable(t, w, proxies[0])
	}
	stop[1]()
	unavailable(t, w, proxies[0])
	start(0)
	start(1)

	var sent [4]atomic.Int64 // by each client
	good, done := token(w.issuer, nil, ""), make(chan struct{})
	var clients sync.WaitGroup
	for i := range sent {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got, err := w.trySend("GET", "/items", "", "Authorization", "Bearer "+good)
				if err != nil || got.status != http.StatusOK {
					t.Errorf("after %d requests: %+v, %v", sent[i].Load(), got, err)
					return
				}
				sent[i].Add(1)
			}
		})
	}
	for range 3 {
		for i := range stop {
			stop[i]()
			start(i)
			// As the page has it: nginx has seen which of its connections have ended.
			for c := range sent {
				awaitMore(t, &sent[c])
			}
		}
	}
	close(done)
	clients.Wait()
}

// awaitMore waits until a client has got an answer to what it asked after the call.
func awaitMore(t *testing.T, sent *atomic.Int64) {
	t.Helper()
	want := sent.Load() + 2 // the first may have been under way
	for deadline := time.Now().Add(patience); sent.Load() < want && !t.Failed(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("a client gets no answer any more")
		}
	}
}

// awaitReady waits until a server has the keys of the issuer that has some.
func awaitReady(t *testing.T, w *world, port string) {
	t.Helper()
	req, err := http.NewRequest("GET", "http://127.0.0.1:"+port+"/v1/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token(w.issuer, nil, ""))
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		resp, err := http.DefaultClient.Do(req.Clone(t.Context()))
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %v\n%s", err, w.log)
		}
	}
}
