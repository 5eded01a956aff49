package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browsers starts Chromium, in which each call of the result is a person with cookies
// of their own.
func browsers(t *testing.T) func() *visitor {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is missing: apt-get install chromium")
		}
		t.Skip("chromium is missing: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1180, 760))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // which Chromium refuses to start as root without
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	first, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(first); err != nil {
		t.Fatal(err)
	}
	return func() *visitor {
		ctx, cancel := chromedp.NewContext(first, chromedp.WithNewBrowserContext())
		t.Cleanup(cancel)
		if err := chromedp.Do(ctx); err != nil { // the tab lives as long as this context
			t.Fatal(err)
		}
		return &visitor{t, ctx}
	}
}

// A visitor is somebody at a browser.
type visitor struct {
	t   *testing.T
	ctx context.Context
}

func (p *visitor) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.photo("failed")
		p.t.Fatal(err)
	}
}

// signIn goes from the chat's page to the provider's and back.
func (p *visitor) signIn(w *world, name, password string) {
	p.t.Helper()
	p.do(
		chromedp.Navigate(w.address),
		chromedp.Click(css("#signin"), chromedp.NodeVisible),
		chromedp.SendKeys(css(`input[name="name"]`), name, chromedp.NodeVisible),
		chromedp.SendKeys(css(`input[name="password"]`), password+kb.Enter),
		chromedp.WaitVisible(css("#composer")),
	)
	p.sees("#state", "live")
}

func (p *visitor) writes(text string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(css("#text"), text+kb.Enter))
}

// sees waits until what the selector finds says text.
func (p *visitor) sees(selector, text string) {
	p.t.Helper()
	p.until(`[...document.querySelectorAll(` + quoted(selector) + `)].some(e => e.checkVisibility() && e.textContent.includes(` + quoted(text) + `))`)
}

// until waits until a condition holds in the page, whatever page that is by then.
func (p *visitor) until(condition string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		if holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+condition+")")); err == nil && holds {
			return
		}
		select {
		case <-ctx.Done():
			p.photo("failed")
			p.t.Fatalf("after %v it still does not hold in the page that %s", patience, condition)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// finds returns what an expression is in the page.
func finds[T any](p *visitor, expression string) T {
	p.t.Helper()
	found, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// photo keeps a picture of the page, where go test -artifacts says so.
func (p *visitor) photo(name string) {
	p.t.Helper()
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Logf("no picture: %v", err)
		return
	}
	if err := os.WriteFile(filepath.Join(p.t.ArtifactDir(), name+".png"), picture, 0o600); err != nil {
		p.t.Error(err)
	}
}

type css = chromedp.CSS

func quoted(s string) string { return "`" + strings.ReplaceAll(s, "`", "\\`") + "`" }

// TestBrowser_Story has three people: one is promoted, one is sent away and is told
// why, and one watches all of it.
func TestBrowser_Story(t *testing.T) {
	open := browsers(t)
	w := newWorld(t, 2*time.Minute, warnBefore)
	alice, bob, olga := open(), open(), open()
	alice.do(chromedp.Navigate(w.address), chromedp.WaitVisible(css("#signin")))
	alice.photo("signed-out")
	alice.signIn(w, "alice", "wonderland")
	bob.signIn(w, "bob", "builder")
	olga.signIn(w, "olga", "observatory")

	bob.writes("Good morning! My rows are mine, and everybody sees them.")
	alice.sees(".message .body", "My rows are mine")
	alice.writes("And mine are mine. Only a moderator may delete another's.")
	bob.sees(".message .body", "And mine are mine")
	olga.writes("I only watch the keys.")
	bob.until(`document.querySelectorAll(".message").length === 3`)
	if n := finds[int](bob, `document.querySelectorAll(".message:not(.mine) .tools button").length`); n != 0 {
		t.Errorf("bob, no moderator yet: got %d buttons at others' messages, want none", n)
	}

	alice.do(chromedp.Click(css(`[aria-label="Make bob a moderator"]`), chromedp.NodeVisible))
	bob.sees("#roles", "moderator")
	bob.until(`document.querySelector('[aria-label="Delete “I only watch the keys.”"]') !== null`)
	alice.photo("chat")
	bob.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('[aria-label="Delete “I only watch the keys.”"]').click()`))
	alice.until(`document.querySelectorAll(".message").length === 2`)

	olga.do(chromedp.Navigate(w.address + "/operator.html"))
	olga.sees("#sessions", "bob")
	olga.sees("#issuers", "fresh")

	alice.do(
		chromedp.Click(css(`[aria-label="Send bob away"]`), chromedp.NodeVisible),
		chromedp.SendKeys(css("#ask-text"), "shouting"+kb.Enter, chromedp.NodeVisible),
	)
	bob.sees("#banner", "alice sent you away: “shouting”")
	bob.sees("#left", "ended")
	bob.photo("sent-away")
	alice.sees("#people", "away")
	bob.do(chromedp.Click(css("#banner button"), chromedp.NodeVisible))
	bob.sees("#banner", "was revoked") // the provider still knows bob, and this server does not take the token
	olga.sees("#legend", "revocation")
	olga.photo("operator")
	if log := w.log.String(); strings.Contains(log, "eyJ") {
		t.Errorf("a token is in the log:\n%s", log)
	}
}

// TestBrowser_Operator revokes somebody's tokens.
func TestBrowser_Operator(t *testing.T) {
	open := browsers(t)
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob, olga := open(), open()
	bob.signIn(w, "bob", "builder")
	bob.do(chromedp.Navigate(w.address + "/operator.html"))
	bob.sees("#banner", "This page is for operators.")
	bob.do(chromedp.Navigate(w.address))
	bob.sees("#state", "live")
	olga.signIn(w, "olga", "observatory")
	olga.do(chromedp.Navigate(w.address+"/operator.html"), chromedp.Evaluate[chromedp.Void](`window.confirm = () => true`))
	olga.do(chromedp.Click(css(`[aria-label="Revoke all that bob has"]`), chromedp.NodeVisible))
	bob.sees("#banner", "Your session has ended: the token was revoked.")
	olga.until(`!document.querySelector("#sessions").textContent.includes("bob")`)
}

// TestBrowser_Renewal keeps one socket over several tokens, while the provider changes
// its key and is away for a moment.
func TestBrowser_Renewal(t *testing.T) {
	open := browsers(t)
	w := newWorld(t, 12*time.Second, 8*time.Second)
	bob := open()
	bob.signIn(w, "bob", "builder")
	before := w.sockets.all()
	if _, err := w.provider.Rotate(); err != nil {
		t.Fatal(err)
	}
	bob.renewed(2)
	bob.photo("renewed")
	if after := w.sockets.all(); len(before) != 1 || len(after) != 1 || before[0] != after[0] {
		t.Errorf("sockets: got %d then %d, or another, want the same one", len(before), len(after))
	}
	if id, want := before[0].session.Claims().KeyID(), ""; id == want {
		t.Error("the session's token names no key")
	}
	bob.writes("still here")
	bob.sees(".message .body", "still here")

	w.provider.Withdraw()
	bob.renewed(finds[int](bob, renewals) + 1)
	bob.sees("#state", "live")
}

// renewals is how often the page says that its socket was renewed.
const renewals = `Number(document.querySelector("#renewals").textContent.split(" ")[1] ?? 0)`

// renewed waits until a socket was renewed so often, or oftener: on a busy machine there
// may be more than one renewal between two looks.
func (p *visitor) renewed(times int) {
	p.t.Helper()
	p.until(fmt.Sprintf("%s >= %d", renewals, times))
}

// TestBrowser_ForeignPage: another origin's page, in the same browser and even on the
// same host, neither opens a socket nor renews.
func TestBrowser_ForeignPage(t *testing.T) {
	open := browsers(t)
	w := newWorld(t, 2*time.Minute, warnBefore)
	foreign := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		rw.Write([]byte("<!doctype html><title>elsewhere</title><p>elsewhere"))
	}))
	t.Cleanup(foreign.Close)
	bob := open()
	bob.signIn(w, "bob", "builder")

	const tries = `(address, post) => {
		window.got = {};
		const s = new WebSocket(address.replace("http", "ws") + "/socket", ["chat.v1"]);
		s.onopen = () => window.got.socket = "open";
		s.onclose = e => window.got.socket ??= "refused";
		fetch(address + "/renew", { method: "POST", credentials: "include", mode: "no-cors" }).then(() => window.got.renew = "answered", () => window.got.renew = "failed");
	}`
	for _, row := range []struct{ name, page, socket string }{
		{"the chat's own page", w.address + "/icon.svg", "open"},
		{"a page of another origin", foreign.URL, "refused"},
	} {
		t.Run(row.name, func(t *testing.T) {
			bob.t = t
			bob.do(chromedp.Navigate(row.page), chromedp.Evaluate[chromedp.Void]("("+tries+")("+quoted(w.address)+")"))
			bob.until(`window.got.socket && window.got.renew`)
			if got := finds[string](bob, `window.got.socket`); got != row.socket {
				t.Errorf("socket: got %s, want %s", got, row.socket)
			}
		})
	}
	bob.t = t
	if log := w.log.String(); !strings.Contains(log, "origin") {
		t.Errorf("log: got no refused origin:\n%s", log)
	}
}

// TestBrowser_Phone: nothing is wider than a phone, in either scheme of colours.
func TestBrowser_Phone(t *testing.T) {
	open := browsers(t)
	w := newWorld(t, 2*time.Minute, warnBefore)
	alice := open()
	alice.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
	alice.signIn(w, "alice", "wonderland")
	alice.writes("A long word: " + strings.Repeat("wide", 60))
	alice.writes("And a short one.")
	alice.sees(".message .body", "And a short one.") // though the first was not answered yet
	for _, scheme := range []string{"light", "dark"} {
		alice.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{
					{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
				},
			})
			return err
		}))
		alice.photo("phone-" + scheme)
	}
	if wide := finds[int](alice, `document.documentElement.scrollWidth`); wide > 360 {
		t.Errorf("page: got %d pixels wide, want 360", wide)
	}
	if top := finds[float64](alice, `document.querySelector("#composer").getBoundingClientRect().bottom`); top > 740 {
		t.Errorf("message field: ends at %.0f pixels, want it in view, above 740", top)
	}
	const left = `document.querySelector("#left").getBoundingClientRect().bottom - document.querySelector("#side").getBoundingClientRect().bottom`
	if hidden := finds[float64](alice, left); hidden > 0 {
		t.Errorf("what is left of the token: %.0f pixels out of view", hidden)
	}
}

// TestBrowser_SignOut: who signs out in one window is told in the other, and who is
// signed out at the provider is told in every browser.
func TestBrowser_SignOut(t *testing.T) {
	open := browsers(t)
	w := newWorld(t, 2*time.Minute, warnBefore)
	alice, bob := open(), open()
	alice.signIn(w, "alice", "wonderland")
	bob.signIn(w, "bob", "builder")
	window := bob.window()
	window.do(chromedp.Navigate(w.address), chromedp.WaitVisible(css("#composer")))
	window.sees("#state", "live")

	bob.do(chromedp.Click(css("#logout"), chromedp.NodeVisible))
	window.sees("#banner", "Your session has ended: you have signed out in another window.")
	window.photo("signed-out-elsewhere")
	bob.sees("#state", "signed out")
	alice.sees("#people", "away")
	alice.sees("#state", "live")
	if n := len(w.sockets.all()); n != 1 {
		t.Errorf("sockets: got %d, want alice's alone", n)
	}
}

// window opens another window of the same browser.
func (p *visitor) window() *visitor {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		p.t.Fatal(err)
	}
	return &visitor{p.t, ctx}
}

// TestBrowser_Keyboard uses no mouse, and finds a name at everything it can reach.
func TestBrowser_Keyboard(t *testing.T) {
	open := browsers(t)
	w := newWorld(t, 2*time.Minute, warnBefore)
	other, alice := open(), open()
	other.signIn(w, "bob", "builder")

	alice.do(chromedp.Navigate(w.address), chromedp.WaitVisible(css("#signin")))
	alice.tabTo(`document.activeElement.id === "signin"`)
	alice.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(css(`input[name="name"]`)))
	alice.tabTo(`document.activeElement.name === "name"`)
	alice.do(chromedp.KeyEvent("alice" + kb.Tab + "wonderland" + kb.Enter))
	alice.sees("#state", "live")
	alice.until(`document.activeElement.id === "text"`) // ready to write
	alice.do(chromedp.KeyEvent("by keyboard" + kb.Enter))
	other.sees(".message .body", "by keyboard")

	alice.tabTo(`document.activeElement.ariaLabel === "Edit “by keyboard”"`)
	alice.do(chromedp.KeyEvent(kb.Enter))
	alice.until(`document.activeElement.id === "ask-text"`)
	alice.do(chromedp.KeyEvent(", edited" + kb.Enter))
	other.sees(".message .meta", "edited")

	alice.tabTo(`document.activeElement.ariaLabel === "Send bob away"`)
	alice.do(chromedp.KeyEvent(kb.Enter))
	alice.until(`document.activeElement.id === "ask-text"`)
	alice.do(chromedp.KeyEvent(kb.Escape)) // thinks better of it
	other.sees("#state", "live")

	const nameless = `[...document.querySelectorAll("button, a, input")].filter(e => e.checkVisibility() &&
		!(e.ariaLabel || e.textContent.trim() || e.labels?.length)).map(e => e.outerHTML).join("\n")`
	if got := finds[string](alice, nameless); got != "" {
		t.Errorf("without a name for a screen reader:\n%s", got)
	}
}

// tabTo presses Tab until the condition holds.
func (p *visitor) tabTo(condition string) {
	p.t.Helper()
	for range 60 {
		p.do(chromedp.KeyEvent(kb.Tab))
		if finds[bool](p, condition) {
			return
		}
	}
	p.photo("lost")
	p.t.Fatalf("by Tab nothing is reached where %s", condition)
}
