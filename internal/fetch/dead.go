package fetch

import (
	"cmp"
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
		pings.SendPingTimeout, pings.PingTimeout = within/2, cmp.Or(pings.PingTimeout, within/2)
	}
	t.HTTP2 = &pings
}

// usualTime is what questions have that are asked while a token waits.
const usualTime = 5 * time.Second

// Transport returns what carries a client's requests. Where the program gave none that is
// one for all of them together: what [http.DefaultTransport] is at the time, but that it
// notices dead connections.
func Transport(c *http.Client) http.RoundTripper {
	if c == nil || c.Transport == nil {
		return usual{}
	}
	return c.Transport
}

// usual is the transport of all who were given none.
type usual struct{}

// asUsual is the copy of net/http's own that usual goes by. It is safe for concurrent use.
var asUsual struct {
	mu   sync.Mutex // guards what follows
	like *http.Transport
	t    *http.Transport
}

// RoundTrip implements [http.RoundTripper]. A program may set another transport at any
// time: tests do, and what traces requests.
func (usual) RoundTrip(r *http.Request) (*http.Response, error) {
	like, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport.RoundTrip(r) // the program's own
	}
	return noticingCopy(like).RoundTrip(r)
}

// noticingCopy returns the copy of a transport that notices dead connections.
func noticingCopy(like *http.Transport) *http.Transport {
	asUsual.mu.Lock()
	defer asUsual.mu.Unlock()
	if asUsual.like == like {
		return asUsual.t
	}
	if asUsual.t != nil {
		asUsual.t.CloseIdleConnections()
	}
	t := like.Clone() // which settles whether like speaks HTTP/2
	if like.TLSNextProto["h2"] != nil {
		freshProtocols(t)
	}
	NoticeDead(t, usualTime)
	asUsual.like, asUsual.t = like, t
	return t
}
