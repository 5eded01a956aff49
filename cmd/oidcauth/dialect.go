package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A dialect is how a proxy tells of the request that it asks about. Only headers that
// this proxy sets itself in every question are read, never one that it would hand on
// as the client sent it. The zero dialect tells nothing: the question is all there is.
type dialect struct {
	name   string
	method string // the header with the client's method
	target string // the header with the client's path and query

	// appended says that there are no such headers: the question has the client's own
	// method, and behind the path that it is sent to the client's path and query.
	appended bool

	// absent says that the proxy copies a header of the answer that is not there as well: as
	// none, or not at all. Another's is to have each, an empty one where nothing is left.
	absent bool

	// keeps says that where the answer has no header of a name the client's own goes on.
	keeps bool
}

// dialects are those that a configuration can name. What nginx and HAProxy send is up
// to whoever configures them, and docs/deploy.md says how; the names are others than
// X-Forwarded-Method and X-Forwarded-Uri, because nginx hands on these as the client
// sent them wherever they were forgotten.
var dialects = []dialect{
	{name: "nginx", method: "X-Original-Method", target: "X-Original-Uri", absent: true},
	{name: "haproxy", method: "X-Original-Method", target: "X-Original-Uri", absent: true},
	{name: "caddy", method: "X-Forwarded-Method", target: "X-Forwarded-Uri"}, // 2.6 copies the name of what is absent
	{name: "traefik", method: "X-Forwarded-Method", target: "X-Forwarded-Uri", absent: true},
	{name: "envoy", appended: true, absent: true, keeps: true},
}

// findDialect returns the dialect of a proxy; without a name the zero one.
func findDialect(name string) (dialect, error) {
	var names []string
	for _, d := range dialects {
		if d.name == name {
			return d, nil
		}
		names = append(names, d.name)
	}
	if name == "" {
		return dialect{}, nil
	}
	return dialect{}, fmt.Errorf("got proxy %s, want one of %s", quoteArgument(name), strings.Join(names, ", "))
}

// tells reports whether the client's method and path are known.
func (d dialect) tells() bool { return d.name != "" }

// errProxy is a question that the configured proxy does not ask.
var errProxy = errors.New("the proxy is not configured as docs/deploy.md says")

// original returns the request that a proxy asks about, in the place of the question,
// whose headers it shares. The rest is what stands in the question's address behind
// the path of forward-auth. Who is calling these proxies say in X-Forwarded-For: what the
// question has as Forwarded the client has sent, and it is dropped.
func (d dialect) original(r *http.Request, rest string) (*http.Request, error) {
	if !d.tells() {
		return r, nil
	}
	delete(r.Header, "Forwarded")
	method, target := r.Method, rest
	if !d.appended {
		var err error
		if method, err = only(r, d.method); err == nil {
			target, err = only(r, d.target) // empty without a path, as of "OPTIONS *"
		}
		if err != nil {
			return nil, err
		}
		if method == "" {
			return nil, fmt.Errorf("%w: got an empty header %s, want the method", errProxy, d.method)
		}
	}
	u, err := url.ParseRequestURI(target)
	if err != nil || !strings.HasPrefix(target, "/") {
		return nil, refusal.New(refusal.Request, oidcauth.ErrMalformedRequest, "path "+withoutQuery(target), "one that begins with a slash, and has two digits behind each %")
	}
	o := r.WithContext(r.Context())
	o.Method, o.URL, o.RequestURI = method, u, target
	return o, nil
}

// withoutQuery quotes what a target begins with, for the log: a query may hold a token,
// and what stands in front of a host a password.
func withoutQuery(target string) string {
	if end := strings.IndexAny(target, "?#"); end >= 0 {
		target = target[:end]
	}
	return refusal.QuoteAddress(target)
}

// only returns the one value of a header that the proxy sets in every question.
func only(r *http.Request, name string) (string, error) {
	values := r.Header[name]
	if len(values) != 1 {
		return "", fmt.Errorf("%w: got %d values of the header %s, want the one that it sets itself", errProxy, len(values), name)
	}
	return values[0], nil
}

// opensWebSocket reports whether a request may be the beginning of a WebSocket. Proxies
// drop the header Upgrade from their questions, but not those that browsers send
// beside it and let no page set.
func opensWebSocket(r *http.Request) bool {
	for _, name := range []string{"Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Protocol"} {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	return false
}
