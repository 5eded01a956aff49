package forwarded_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/forwarded"
)

// Whatever a client writes into the headers about its way, behind a proxy that adds
// to them it is itself, or as the proxy where nothing can be made of them: never
// somebody of its choice.
func TestCaller_NeverAnotherByChoice(t *testing.T) {
	t.Parallel()
	const proxy, client = "10.0.0.1", "192.0.2.1"
	pieces := []string{
		"203.0.113.7", "10.0.0.2", client, "for=", "For=", "by=", `"`, `\"`, `"[2001:db8::7]:80"`, "[2001:db8::7]",
		",", ";", " ", "\t", "=", "unknown", "_hidden", ":", ":80", "::ffff:203.0.113.7", "for=203.0.113.7", `for="203.0.113.7"`, `, for="`, `x="`,
	}
	written := func(random *rand.Rand) string {
		var b strings.Builder
		for range random.IntN(12) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		return b.String()
	}
	// How proxies add, to the last line or in one of their own.
	add := func(h http.Header, name, element string, own bool) {
		lines := h[name]
		if own || len(lines) == 0 {
			h[name] = append(lines, element)
			return
		}
		lines[len(lines)-1] += ", " + element
	}
	elements := map[string][]string{
		"X-Forwarded-For": {client, client + ":4711", "::ffff:" + client},
		"Forwarded":       {"for=" + client, `for="` + client + `:4711"`, `by=10.0.0.1;for=` + client + `;proto=https`, `proto="https"; For="` + client + `"`},
	}
	random := rand.New(rand.NewPCG(1, 1))
	counts := map[string]int{}
	for range 40_000 {
		r := &http.Request{RemoteAddr: proxy + ":1", Header: http.Header{}}
		for name := range elements {
			for range random.IntN(3) {
				r.Header[name] = append(r.Header[name], written(random))
			}
		}
		own := random.IntN(2) == 0
		for _, name := range [][]string{{"X-Forwarded-For"}, {"Forwarded"}, {"X-Forwarded-For", "Forwarded"}}[random.IntN(3)] {
			add(r.Header, name, elements[name][random.IntN(len(elements[name]))], own)
		}
		got := forwarded.Caller(r, proxies).String()
		if got != client && got != proxy {
			t.Fatalf("caller = %s, want %s or %s: %q", got, client, proxy, r.Header)
		}
		counts[got]++
	}
	if counts[client] < 4000 || counts[proxy] < 4000 {
		t.Errorf("got %v, want some thousands of each", counts)
	}
}
