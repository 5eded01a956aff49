package spacetimedb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/identity"

	"github.com/oidcauth/oidcauth/interop/internal/programs"
)

// Pages give Chromium a page with SpacetimeDB's client, as it is published
// for browsers, and hears what the client is told.
type pages struct {
	url    string
	events chan event
}

func servePages(t *testing.T) *pages {
	t.Helper()
	p := &pages{events: make(chan event, 8)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><script>onerror = message => fetch("/event", { method: "POST", body: JSON.stringify({ event: "error", message }) })</script>
			<script type="importmap">{"imports": {"base64-js": "/base64-js.mjs",
			"safe-stable-stringify": "/safe-stable-stringify.mjs"}}</script><script type="module" src="/page.mjs"></script>`)
	})
	mux.HandleFunc("GET /page.mjs", script(t, "%s", "browser.mjs"))
	mux.HandleFunc("GET /sdk.mjs", script(t, "%s", "node_modules/spacetimedb/dist/index.browser.mjs"))
	// What the client imports is published for Node.js alone.
	const wrapped = "const module = { exports: {} };\n(function (module, exports) {\n%s\n})(module, module.exports);\n"
	mux.HandleFunc("GET /base64-js.mjs", script(t, wrapped+"export const fromByteArray = module.exports.fromByteArray;", "node_modules/base64-js/index.js"))
	mux.HandleFunc("GET /safe-stable-stringify.mjs", script(t, wrapped+"export const stringify = module.exports;", "node_modules/safe-stable-stringify/index.js"))
	mux.HandleFunc("POST /event", func(w http.ResponseWriter, r *http.Request) {
		var e event
		if json.NewDecoder(r.Body).Decode(&e) == nil {
			p.events <- e
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// script serves a file of JavaScript in a frame.
func script(t *testing.T, frame, name string) http.HandlerFunc {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprintf(w, frame, text)
	}
}

// browse opens a page in a new browser, which ends with the test.
func browse(t *testing.T, page string) {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--remote-debugging-port=0", "--user-data-dir="+profile, page)
	cmd.Env = append(os.Environ(), "HOME="+profile)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	// Its helpers hold its standard error open, and end when it does as it is asked.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
		os.RemoveAll(profile)
		if t.Failed() {
			t.Logf("the browser says: %s", &stderr)
		}
	})
}

// next returns the next event, which must be of that kind.
func (p *pages) next(t *testing.T, want string) event {
	t.Helper()
	select {
	case e := <-p.events:
		if e.Event != want {
			t.Fatalf("the page says %+v, want %s", e, want)
		}
		return e
	case <-time.After(time.Minute):
		t.Fatalf("the page says nothing, want %s", want)
		return event{}
	}
}

// A player in a browser, who has no header to send, is who they were at the third
// visit. The page is of another origin than the server, and is asked about before
// each exchange.
func TestBrowser_Visits(t *testing.T) {
	programs.SpacetimeDB.Need(t)
	programs.Chromium.Need(t)
	for _, name := range []string{"nobody, stores", "nobody, keeps", "alice, stores", "alice, keeps"} {
		t.Run(name, func(t *testing.T) {
			p := servePages(t)
			w := newWorld(t, p.url)
			ask := url.Values{"server": {w.url}, "visits": {"3"}}
			alice := ""
			if name[:5] == "alice" {
				ask.Set("first", w.issuer.Token(nil))
				alice = identity.New(w.issuer.URL(), "alice").String()
			}
			if name[len(name)-5:] == "keeps" {
				ask.Set("keeps", "")
			}
			browse(t, p.url+"/?"+ask.Encode())
			first := p.next(t, "connect")
			if alice != "" && first.Identity != alice {
				t.Errorf("the player is %s, want %s", first.Identity, alice)
			}
			for n := 2; n <= 3; n++ {
				if again := p.next(t, "connect"); again.Identity != first.Identity || again.Connection == first.Connection {
					t.Errorf("visit %d is by %s, want %s", n, again.Identity, first.Identity)
				}
			}
		})
	}
}

// A page that the server does not know gets nowhere, whatever token it has.
func TestBrowser_OtherPage(t *testing.T) {
	programs.SpacetimeDB.Need(t)
	programs.Chromium.Need(t)
	p := servePages(t)
	w := newWorld(t, "https://app.example.com")
	browse(t, p.url+"/?"+url.Values{"server": {w.url}, "first": {w.issuer.Token(nil)}}.Encode())
	p.next(t, "refused")
}
