package browser_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/browser"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// greet says who has come, and closes.
func greet(w http.ResponseWriter, r *http.Request, elsewhere ...string) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{"notes.v1"}, OriginPatterns: elsewhere,
	})
	if err != nil {
		return
	}
	claims, _ := oidcauth.FromContext(r.Context())
	conn.Write(r.Context(), websocket.MessageText, []byte(claims.Subject()))
	conn.Close(3000, "that was all")
}

// serve starts an issuer and a server with a page, and returns the page's address and
// a token of alice's. Pages elsewhere may come as well, from the first of these hosts.
func serve(t *testing.T, elsewhere ...string) (page, token string) {
	t.Helper()
	issuer := oidctest.NewIssuer(t, oidctest.Config{})
	issuer.Start()
	local, err := localissuer.New(localissuer.Config{URL: "localhost", Dir: filepath.Join(t.TempDir(), "keys"), Audiences: []string{"notes"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { local.Close() })
	server := httptest.NewUnstartedServer(nil)
	page = "http://" + server.Listener.Addr().String()
	greet := func(w http.ResponseWriter, r *http.Request) { greet(w, r, elsewhere...) }
	auth, err := browser.New(oidcauth.Issuer{
		URL: issuer.URL(), Audiences: []string{"notes"}, Keys: oidcauth.KeysFrom{InsecureHTTP: true},
	}, local, page)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	token = issuer.Token(map[string]any{"sub": "alice", "aud": "notes"})
	mux := http.NewServeMux()
	mux.Handle("/", browser.Elsewhere("https://app.example.com", browser.Routes(auth, local, http.HandlerFunc(greet))))
	mux.Handle("GET /ways.js", http.FileServerFS(browser.Ways))
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: token, HttpOnly: true, Path: "/subscribe"})
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>page</title>")
	})
	server.Config.Handler = mux
	server.Start()
	t.Cleanup(server.Close)
	return page, token
}

// TestWays opens a WebSocket by each way that the guide shows, in a browser.
func TestWays(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is missing: apt-get install chromium")
		}
		t.Skip("chromium is missing: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	tab, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(tab); err != nil {
		t.Fatal(err)
	}
	page, token := serve(t)
	address := strings.Replace(page, "http", "ws", 1) + "/subscribe"
	if err := chromedp.Do(tab, chromedp.Navigate(page+"/page")); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, open, want string }{
		{"by subprotocol", fmt.Sprintf("ways.bySubprotocol(%q, %q)", address, token), "alice, 3000 that was all"},
		{"by ticket", fmt.Sprintf("await ways.byTicket(%q, '/ticket', %q)", address+"/ticket", token), "alice, 3000 that was all"},
		{"by cookie", fmt.Sprintf("ways.byCookie(%q)", address), "alice, 3000 that was all"},
		{"with a token that is none", fmt.Sprintf("ways.bySubprotocol(%q, 'x.y.z')", address), ", 1006 "},
		{"by a ticket for no token", fmt.Sprintf("await ways.byTicket(%q, '/ticket', 'x.y.z').catch(e => { throw e.message })", address+"/ticket"), "no ticket: 401"},
	} {
		t.Run(row.name, func(t *testing.T) {
			script := fmt.Sprintf(`(async () => {
				const ways = await import('/ways.js');
				try {
					const socket = %s;
					return await new Promise(done => {
						let said = '';
						ways.watch(socket, { message: text => said += text, renew() {}, ended: (code, reason) => done(said + ', ' + code + ' ' + reason) });
					});
				} catch (error) {
					return String(error);
				}
			})()`, row.open)
			ctx, cancel := context.WithTimeout(tab, 30*time.Second)
			defer cancel()
			got, err := chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
			if err != nil || got != row.want {
				t.Errorf("got %q, %v, want %q", got, err, row.want)
			}
		})
	}
}

// TestElsewhere has a page of another origin buy a ticket, as its browser does, and open a
// WebSocket with it.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, origin string
		accepts      []string
		allowed      string
		status       int
	}{
		{"a page that may", "https://app.example.com", []string{"app.example.com"}, "https://app.example.com", 101},
		{"not by the WebSocket library", "https://app.example.com", nil, "https://app.example.com", 403},
		{"another page", "https://evil.example.com", []string{"app.example.com"}, "", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			page, token := serve(t, tt.accepts...)
			ask := func(method string) *http.Response {
				r, err := http.NewRequestWithContext(t.Context(), method, page+"/ticket", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Origin", tt.origin)
				if method == http.MethodPost {
					r.Header.Set("Authorization", "Bearer "+token)
				} else {
					r.Header.Set("Access-Control-Request-Headers", "authorization")
				}
				response, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				if got := response.Header.Get("Access-Control-Allow-Origin"); got != tt.allowed {
					t.Errorf("%s: allowed to %q, want %q", method, got, tt.allowed)
				}
				return response
			}
			if got := ask(http.MethodOptions); got.StatusCode != 200 && tt.allowed != "" {
				t.Errorf("the first question is answered with %d", got.StatusCode)
			}
			ticket, _ := io.ReadAll(ask(http.MethodPost).Body)
			conn, response, err := websocket.Dial(t.Context(), page+"/subscribe/ticket?ticket="+string(ticket), &websocket.DialOptions{
				Subprotocols: []string{"notes.v1"}, HTTPHeader: http.Header{"Origin": {tt.origin}},
			})
			if err == nil {
				conn.CloseNow()
			}
			if response == nil || response.StatusCode != tt.status {
				t.Errorf("the upgrade was answered %v, %v, want %d", response, err, tt.status)
			}
		})
	}
}
