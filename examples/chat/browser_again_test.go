package main

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/oidcauth/oidcauth"
)

// TestBrowser_Slept: a page that was asleep when its token was to be renewed, on a phone in
// a pocket for instance, goes on by itself where its login does.
func TestBrowser_Slept(t *testing.T) {
	open := browsers(t)
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob := open()
	bob.signIn(w, "bob", "builder")
	bob.do(chromedp.Evaluate[chromedp.Void](`{ const real = window.fetch; window.fetch = (...all) => { window.asked = true; return real(...all); }; }`))
	before := w.sockets.all()[0]
	before.signedOut(oidcauth.ErrExpired)
	<-before.outbox.over // it was told so
	bob.until(`window.asked`)
	bob.sees("#state", "live")
	bob.writes("awake again")
	bob.sees(".message .body", "awake again")
	if all := w.sockets.all(); len(all) != 1 || all[0] == before {
		t.Errorf("sockets: got %d, or the one of before, want another", len(all))
	}
}

// TestBrowser_SomebodyElse: where somebody else signs in in one window, the others of that
// browser are theirs, too, and say so.
func TestBrowser_SomebodyElse(t *testing.T) {
	open := browsers(t)
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob := open()
	bob.signIn(w, "bob", "builder")
	bob.do(chromedp.SendKeys(css("#text"), "not sent yet"))
	window := bob.window()
	window.do(
		chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error { // bob has left the provider
			_, err := cdp.Call(ctx, tab, network.DeleteCookies, network.DeleteCookiesParams{Name: "provider_session", URL: w.address})
			return err
		}),
		chromedp.Navigate(w.address+"/login"),
		chromedp.SendKeys(css(`input[name="name"]`), "alice", chromedp.NodeVisible),
		chromedp.SendKeys(css(`input[name="password"]`), "wonderland"+kb.Enter),
		chromedp.WaitVisible(css("#composer")),
	)
	window.sees("#people .name", "alice (you)")
	bob.sees("#people .name", "alice (you)")
	if text := finds[string](bob, `document.querySelector("#text").value`); text != "" {
		t.Errorf("the message field has what bob wrote: %q", text)
	}
	for _, k := range w.sockets.all() {
		if k.who.String() != w.identity(t, "alice") {
			t.Error("a socket of bob's is open")
		}
	}
}

// TestBrowser_SignOutFails: who could not be signed out is told.
func TestBrowser_SignOutFails(t *testing.T) {
	open := browsers(t)
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob := open()
	bob.signIn(w, "bob", "builder")
	bob.do(chromedp.Evaluate[chromedp.Void](`window.fetch = async () => { throw new TypeError("no network"); }`))
	bob.do(chromedp.Click(css("#logout"), chromedp.NodeVisible))
	bob.sees("#banner", "You are still signed in")
}

// TestBrowser_NetworkGone: a page whose messages go nowhere, as on a phone that has changed
// its network, says so and connects again, and what somebody wrote is not gone. So it is
// where nobody writes, and the page comes back into sight.
func TestBrowser_NetworkGone(t *testing.T) {
	const swallowed = `{
		const real = WebSocket.prototype.send;
		let gone;
		WebSocket.prototype.send = function (text) {
			gone ??= this;
			if (gone !== this) real.call(this, text);
		};
		new MutationObserver(() => window.said ||= document.querySelector("#banner").textContent.includes("connection was lost"))
			.observe(document.querySelector("#banner"), { childList: true, subtree: true });
	}`
	open := browsers(t)
	w := newWorld(t, 2*time.Minute, warnBefore)
	for name, act := range map[string]func(*visitor){
		"written": func(bob *visitor) { bob.writes("on my way") },
		"seen again": func(bob *visitor) {
			bob.do(chromedp.Evaluate[chromedp.Void](`document.dispatchEvent(new Event("visibilitychange"))`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			bob := open()
			bob.signIn(w, "bob", "builder")
			bob.t = t
			bob.do(chromedp.Evaluate[chromedp.Void](swallowed))
			act(bob)
			bob.until(`window.said`)
			bob.sees("#state", "live")
			if name != "written" {
				return
			}
			if text := finds[string](bob, `document.querySelector("#text").value`); text != "on my way" {
				t.Errorf("the message field has %q, want what was not sent", text)
			}
		})
	}
}

// TestBrowser_NoAnswer: a page whose question to the server has no answer, since the
// connection that it went by has gone, asks again.
func TestBrowser_NoAnswer(t *testing.T) {
	const unanswered = `{
		const real = [window.fetch, AbortSignal.timeout];
		AbortSignal.timeout = ms => real[1].call(AbortSignal, ms / 1000);
		window.fetch = (_, how) => {
			[window.fetch, AbortSignal.timeout] = real;
			window.asked = true;
			return new Promise((_, reject) => how.signal?.addEventListener("abort", () => reject(how.signal.reason)));
		};
	}`
	open := browsers(t)
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob := open()
	bob.signIn(w, "bob", "builder")
	bob.do(chromedp.Evaluate[chromedp.Void](unanswered))
	before := w.sockets.all()[0]
	before.signedOut(oidcauth.ErrExpired)
	<-before.outbox.over // it was told so
	bob.until(`window.asked`)
	bob.sees("#state", "live")
	bob.writes("here again")
	bob.sees(".message .body", "here again")
}
