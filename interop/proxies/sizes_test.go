package proxies_test

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"
)

// longestTried is what oidcauth itself reads of a request's headers in any case: 32
// KiB, of which the others need some.
const longestTried = 32_000

// TestProxies_HeaderSizes measures how long one header of a request may be before the
// proxy, or oidcauth behind it, refuses it, and compares that with the page's table.
func TestProxies_HeaderSizes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, binary)
			w.serveFor(t, p, nil)
			p.start(t, w)
			w.ready(t)
			line := w.longest(t, "X-Filler: ")
			if cookie := w.longest(t, "Cookie: a="); cookie != line {
				t.Errorf("a cookie's line: %s bytes, another's %s", cookie, line)
			}
			if row := fmt.Sprintf("| %s | %s |", p.name, line); !strings.Contains(string(text), row) {
				t.Errorf("measured %s, which %s does not have", row, document)
			}
		})
	}
}

// others is how many bytes a request has beside the line that is measured.
const others = 1000

// longest returns how many bytes the line of a header may have, the end of the line
// not counted, for the request to reach the service.
func (w *world) longest(t *testing.T, begin string) string {
	t.Helper()
	good := token(w.issuer, nil, "")
	const rest = "GET /items HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\nAuthorization: Bearer \r\nX-Pad: \r\n\r\n"
	pad := strings.Repeat("p", others-len(rest)-len(good))
	name, value, _ := strings.Cut(begin, ": ")
	least := len(begin) + 1
	n := sort.Search(longestTried-least, func(n int) bool {
		got, err := w.trySend("GET", "/items", "", "Authorization", "Bearer "+good, "X-Pad", pad, name, value+strings.Repeat("a", n+1))
		return err != nil || got.seen == nil
	})
	if n += least - 1; n < longestTried-1 {
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	return "more than 32,000"
}
