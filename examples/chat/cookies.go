package main

import (
	"net/http"
	"strings"
	"time"
)

const (
	tokenCookie = "chat_token" // the ID token, which requests and the WebSocket are made with
	loginCookie = "chat_login" // the login's ID, for renewals
	flowCookie  = "chat_flow_" // and the state: nonce and verifier of a sign-in under way
	hintCookie  = "chat_hint"  // the ID token once more, for the way to the provider after a sign-out

	maxFlows = 8 // sign-ins that one browser has under way, in as many windows
)

// cookies are those of the page, which no script can read.
type cookies struct{ secure bool } // for https alone

func cookiesFor(address string) cookies { return cookies{strings.HasPrefix(address, "https://")} }

// named is the name that a browser has a cookie by. By https it has a prefix that has the
// browser take it from this very host: any other of the same domain could set it otherwise,
// and finish a sign-in that it has begun itself in the browser of somebody else, who would
// write as its person from then on.
func (c cookies) named(name string) string {
	if c.secure {
		return "__Host-" + name
	}
	return name
}

// get returns what the browser that sent r has in a cookie, or nothing.
func (c cookies) get(r *http.Request, name string) string {
	cookie, err := r.Cookie(c.named(name))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// has reports whether the browser that sent r has a cookie, be it an empty one.
func (c cookies) has(r *http.Request, name string) bool {
	return len(r.CookiesNamed(c.named(name))) > 0
}

// set has the browser keep a cookie for some time, or drop it where that is negative.
func (c cookies) set(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: c.named(name), Value: value, Path: "/", MaxAge: int(life.Seconds()),
		HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode,
	})
}

// bound makes room for another cookie among those whose names begin alike, of which a browser
// has so many at most. It sends the oldest first (RFC 6265, section 5.4), and those go.
func (c cookies) bound(w http.ResponseWriter, r *http.Request, prefix string, most int) {
	var names []string
	for _, cookie := range r.Cookies() {
		if name, ours := strings.CutPrefix(cookie.Name, c.named("")); ours && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	for _, name := range names[:max(0, len(names)-most+1)] {
		c.set(w, name, "", -time.Second)
	}
}
