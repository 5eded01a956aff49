package fetch

import (
	"net/http"
	"sync"
	"time"
)

// NoticeDead has a transport that carries nothing yet let go of a connection over HTTP/2
// from which nothing has come for so long, not even the answer to a ping: a machine on the
// way may have forgotten it without a word. By itself net/http goes on to use such a
// connection, for all requests to that host, until the system gives it up, a quarter of
// an hour perhaps, or nobody asks for as long as it may be idle. Where a request has no
// answer within that time the next finds another connection, then. What the transport has
// been told of pings stays.
func NoticeDead(t *http.Transport, within time.Duration) {
	var pings http.HTTP2Config
	if t.HTTP2 != nil {
		pings = *t.HTTP2
	}
	if pings.SendPingTimeout == 0 {
		pings.SendPingTimeout, pings.PingTimeout = within/2, within/2
	}
	t.HTTP2 = &pings
}

// usualTime is what questions have that are asked while a token waits.
const usualTime = 5 * time.Second

// usual is the transport of all who were given none.
var usual struct {
	mu   sync.Mutex // guards what follows
	like *http.Transport
	t    *http.Transport
}

// Usual returns what carries the requests of whom the program gave nothing for that, all of
// them together: what [http.DefaultTransport] is, but that it notices dead connections.
func Usual() http.RoundTripper {
	like, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // the program's own
	}
	usual.mu.Lock()
	defer usual.mu.Unlock()
	if usual.like != like {
		usual.like, usual.t = like, like.Clone()
		freshProtocols(usual.t)
		NoticeDead(usual.t, usualTime)
	}
	return usual.t
}
