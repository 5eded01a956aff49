package oidctest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A Fault is something wrong with an answer. Its fields may be combined; the
// zero value is no fault. What is not said about the answer stays as it would
// be: Fault{Delay: time.Second} is a late but proper answer.
//
// Where a fault waits, the wait ends when the client leaves and when the issuer
// is closed, without an answer, and when [Issuer.Clear] ends the fault: then
// the answer goes on at once.
type Fault struct {
	// Refuse refuses the connection. Over a socket, where the listener is
	// there already, it is Reset.
	Refuse bool
	// Delay passes before anything is sent.
	Delay time.Duration
	// Hang sends nothing, for as long as it takes.
	Hang bool
	// Reset breaks the connection instead of answering. Over a socket that has
	// served a request before, net/http tries once more by itself.
	Reset bool

	// Redirect sends the client to another URL, absolute or relative, with
	// Status or else 302. The documents are also served below "/moved", out of
	// reach of faults.
	Redirect string
	// Status is that of the answer, 200 to 999. Zero means 200. Unless it is 200, the
	// body is the status's name, if Body says nothing else.
	Status int
	// Header replaces headers of the answer; a nil value removes the header.
	Header http.Header
	// Body replaces the body. Nil leaves it; to send an empty body, give an
	// empty slice.
	Body []byte
	// Pad puts so many bytes of white space before the body. JSON allows
	// that: a client that reads without limit will find the document.
	Pad int64
	// Gzip compresses the body, asked for or not. With a large Pad it is a
	// gzip bomb of about a thousandth of the size.
	Gzip bool

	// Drip is a pause before each piece of DripBytes of the body.
	Drip time.Duration
	// DripBytes is the size of the pieces. Zero means 1.
	DripBytes int
	// Stall stops in the middle of the body, for as long as it takes.
	Stall bool
	// Cut breaks the connection in the middle of the body.
	Cut bool
}

// HTMLPage is an error page as a proxy in front of an issuer sends it, with
// the status given, which may be 200.
func HTMLPage(status int) Fault {
	page := fmt.Sprintf("<!DOCTYPE html>\n<html><head><title>%s</title></head><body>Please try again.</body></html>\n",
		http.StatusText(status))
	return Fault{
		Status: status,
		Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		Body:   []byte(page),
	}
}

// faultQueue is what is wrong with one endpoint.
type faultQueue struct {
	next   []Fault
	always *Fault
}

// endpoints are all that there are.
func endpoints() []Endpoint { return []Endpoint{Discovery, JWKS, Introspection, Other} }

// areEndpoints reports whether all of these are endpoints. If not, that is fatal.
func (i *Issuer) areEndpoints(named ...Endpoint) bool {
	i.helper()
	for _, at := range named {
		if !slices.Contains(endpoints(), at) {
			i.fatalf("oidctest: no endpoint %q, want one of %q", at, endpoints())
			return false
		}
	}
	return true
}

// Fail makes every request to the endpoint meet the fault, until
// [Issuer.Clear] or the next Fail.
func (i *Issuer) Fail(at Endpoint, f Fault) {
	i.helper()
	i.enqueue(at, f, func(q *faultQueue, f Fault) { q.always = &f })
}

// FailNext makes the next n requests to the endpoint meet the fault. Faults of
// earlier calls that no request has met yet come first, and that of [Issuer.Fail]
// comes last.
func (i *Issuer) FailNext(n int, at Endpoint, f Fault) {
	i.helper()
	if n < 0 {
		i.fatalf("oidctest: FailNext of %d requests", n)
		return
	}
	i.enqueue(at, f, func(q *faultQueue, f Fault) {
		for range n {
			q.next = append(q.next, f)
		}
	})
}

// Clear ends the faults of the endpoints named, or of all, and lets the
// requests go on that wait because of them.
func (i *Issuer) Clear(named ...Endpoint) {
	i.helper()
	if len(named) == 0 {
		named = endpoints()
	}
	if !i.areEndpoints(named...) {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, at := range named {
		delete(i.faults, at)
		i.eras[at]++
		for v := range i.visits {
			if v.fetch.Endpoint == at {
				v.release()
			}
		}
	}
}

func (i *Issuer) enqueue(at Endpoint, f Fault, add func(*faultQueue, Fault)) {
	i.helper()
	if !i.areEndpoints(at) {
		return
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 999) {
		i.fatalf("oidctest: fault with status %d, want 200 to 999", f.Status)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	q := i.faults[at]
	if q == nil {
		q = &faultQueue{}
		i.faults[at] = q
	}
	add(q, f.clone())
}

// clone returns a copy that shares nothing the caller may change.
func (f Fault) clone() Fault {
	header := http.Header{}
	for name, values := range f.Header {
		header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	f.Header, f.Body = header, slices.Clone(f.Body)
	return f
}

// take returns the fault that the next request meets, and uses it up. The
// caller holds the issuer's lock.
func (q *faultQueue) take() (f Fault, ok bool) {
	switch {
	case q == nil:
		return Fault{}, false
	case len(q.next) > 0:
		f = q.next[0]
		q.next = q.next[1:]
		return f, true
	case q.always != nil:
		return *q.always, true
	}
	return Fault{}, false
}

// A ticket is a request that has come in, and the fault it is going to meet.
type ticket struct {
	fetch  *Fetch
	fault  Fault
	faulty bool
	era    int // of the endpoint, see Issuer.eras
}

// admit records a request and finds out what it meets.
func (i *Issuer) admit(r *http.Request, plain bool) *ticket {
	at, moved := i.endpoint(r.URL)
	t := &ticket{fetch: newFetch(at, r, plain)}
	i.mu.Lock()
	defer i.mu.Unlock()
	if !moved {
		t.fault, t.faulty = i.faults[at].take()
	}
	t.era = i.eras[at]
	t.fetch.Refused = t.fault.Refuse || i.closed
	i.record(t.fetch)
	return t
}

// visit is a request that is being answered.
type visit struct {
	*ticket
	issuer   *Issuer
	released chan struct{}
	once     sync.Once
}

// arrive begins to answer a request. The channel is made here, in the bubble
// of the request, which need not be that of the issuer.
func (i *Issuer) arrive(t *ticket) *visit {
	v := &visit{ticket: t, issuer: i, released: make(chan struct{})}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed || t.era != i.eras[t.fetch.Endpoint] {
		v.release()
	}
	i.visits[v] = struct{}{}
	return v
}

func (i *Issuer) leave(v *visit) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.visits, v)
}

// answered notes the first status that is sent.
func (v *visit) answered(status int) {
	v.issuer.mu.Lock()
	defer v.issuer.mu.Unlock()
	if v.fetch.Status == 0 {
		v.fetch.Status = status
	}
}

// release ends the waits of a visit, those to come included.
func (v *visit) release() {
	v.once.Do(func() { close(v.released) })
}

// pause waits for d. It reports false if there is nobody to answer any more.
func (v *visit) pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-v.released:
		return !v.issuer.isClosed()
	case <-ctx.Done():
		return false
	}
}

// hang waits without end. It reports false if there is nobody to answer any more.
func (v *visit) hang(ctx context.Context) bool {
	select {
	case <-v.released:
		return !v.issuer.isClosed()
	case <-ctx.Done():
		return false
	}
}
