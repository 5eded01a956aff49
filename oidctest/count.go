package oidctest

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// An Endpoint is something that an issuer serves.
type Endpoint string

// The endpoints.
const (
	Discovery     Endpoint = "discovery"     // the discovery document
	JWKS          Endpoint = "jwks"          // the key set
	Introspection Endpoint = "introspection" // where opaque tokens are asked about
	Other         Endpoint = "other"         // anything else on the issuer's host
)

// A Fetch is one request that reached an issuer, or was refused by it.
type Fetch struct {
	Endpoint    Endpoint  // what was asked for
	At          time.Time // when it came in, by time.Now
	Conditional bool      // with If-None-Match or If-Modified-Since
	NoCache     bool      // with Cache-Control: no-cache
	PlainHTTP   bool      // without TLS
	Refused     bool      // the connection was refused, nothing was served
	Status      int       // of the answer; zero if there was none, or not yet
}

// Fetches counts requests by their cause.
type Fetches struct {
	Discovery     int // for the discovery document
	JWKS          int // for the key set
	Introspection int // about opaque tokens
	Other         int // for anything else
	Conditional   int // of JWKS, those with If-None-Match or If-Modified-Since
	NotModified   int // of JWKS, those answered with 304
	NoCache       int // of JWKS, those with Cache-Control: no-cache
	Refused       int // of all, those whose connection was refused
	PlainHTTP     int // of all, those without TLS
}

// Fetches counts the requests since the start or the last
// [Issuer.ResetFetches], those that met a fault included.
func (i *Issuer) Fetches() Fetches {
	var n Fetches
	for _, f := range i.History() {
		n.add(f)
	}
	return n
}

// ResetFetches sets the counts to zero, clears the history, and returns the
// counts as they were.
func (i *Issuer) ResetFetches() Fetches {
	i.mu.Lock()
	log := i.log
	i.log = nil
	var n Fetches
	for _, f := range log {
		n.add(*f)
	}
	i.mu.Unlock()
	return n
}

// History returns the requests since the start or the last
// [Issuer.ResetFetches], oldest first.
func (i *Issuer) History() []Fetch {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := make([]Fetch, len(i.log))
	for n, f := range i.log {
		all[n] = *f
	}
	return all
}

// AwaitFetches waits until n requests for the endpoint have come in since the
// start or the last [Issuer.ResetFetches]. The requests need not be answered
// yet. It returns early only with the error of ctx.
func (i *Issuer) AwaitFetches(ctx context.Context, at Endpoint, n int) error {
	for {
		i.mu.Lock()
		if i.seen(at) >= n {
			i.mu.Unlock()
			return nil
		}
		arrival := make(chan struct{})
		i.arrivals[arrival] = struct{}{}
		i.mu.Unlock()

		select {
		case <-arrival:
		case <-ctx.Done():
			i.mu.Lock()
			delete(i.arrivals, arrival)
			i.mu.Unlock()
			return ctx.Err()
		}
	}
}

// seen counts the requests for an endpoint. The caller holds the lock.
func (i *Issuer) seen(at Endpoint) int {
	n := 0
	for _, f := range i.log {
		if f.Endpoint == at {
			n++
		}
	}
	return n
}

// record puts a request into the history. The caller holds the lock.
func (i *Issuer) record(f *Fetch) {
	i.log = append(i.log, f)
	for arrival := range i.arrivals {
		close(arrival)
		delete(i.arrivals, arrival)
	}
}

func newFetch(at Endpoint, r *http.Request, plain bool) *Fetch {
	return &Fetch{
		Endpoint:    at,
		At:          time.Now(),
		Conditional: r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "",
		NoCache:     noCache(r),
		PlainHTTP:   plain,
	}
}

func noCache(r *http.Request) bool {
	for _, line := range r.Header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(directive), "no-cache") {
				return true
			}
		}
	}
	return false
}

func (n *Fetches) add(f Fetch) {
	switch f.Endpoint {
	case Discovery:
		n.Discovery++
	case JWKS:
		n.JWKS++
		n.Conditional += one(f.Conditional)
		n.NoCache += one(f.NoCache)
		n.NotModified += one(f.Status == http.StatusNotModified)
	case Introspection:
		n.Introspection++
	default:
		n.Other++
	}
	n.Refused += one(f.Refused)
	n.PlainHTTP += one(f.PlainHTTP)
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
