package simulation_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/userinfo"
)

const userinfoPath = "/userinfo"

// A registry is what an issuer's userinfo endpoint tells of its subjects.
type registry struct {
	mu      sync.Mutex // guards what follows
	roles   map[string]string
	barred  map[string]time.Time // whose tokens it says are good no longer
	fault   string
	changed time.Time // fault is what it is
}

// What can be wrong with the endpoint.
var userinfoFaults = []string{"", "", "", "answers 500", "hangs", "answers about somebody else", "has a page"}

func newRegistry() *registry {
	x := &registry{roles: map[string]string{}, barred: map[string]time.Time{}}
	for _, sub := range subjects {
		x.roles[sub] = "reader"
	}
	return x
}

func answerTo(r *http.Request, status int, media, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {media}}, Body: io.NopCloser(strings.NewReader(body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)), Request: r,
	}
}

// supplement returns the function that asks a provider about the subjects of its
// tokens.
func (n *node) supplement(p *provider) func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
	ask, err := userinfo.Supplement(&http.Client{Transport: n.net}, p.URL()+userinfoPath, "roles")
	if err != nil {
		n.w.fail(nil, "userinfo.Supplement() error = %v", err)
	}
	read := func(text json.RawMessage) *said {
		var a struct{ Roles []string }
		if json.Unmarshal(text, &a) != nil {
			return nil
		}
		return &said{good: true, roles: a.Roles}
	}
	return func(ctx context.Context, c *oidcauth.Claims, token string) (json.RawMessage, error) {
		put := func(ctx context.Context, token string) (json.RawMessage, error) { return ask(ctx, c, token) }
		return n.asking(put, read)(ctx, token)
	}
}

// serve answers a request to the endpoint, by whose token comes with it.
func (x *registry) serve(r *http.Request) (*http.Response, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	sub := readParts(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")).Sub
	switch {
	case x.fault == "hangs":
		x.mu.Unlock()
		<-r.Context().Done()
		x.mu.Lock()
		return nil, r.Context().Err()
	case x.fault == "answers 500":
		return answerTo(r, 500, "text/plain", "no"), nil
	case x.fault == "has a page":
		return answerTo(r, 200, "text/html", "<html>"), nil
	case x.fault == "answers about somebody else":
		sub = "mallory"
	case !x.barred[sub].IsZero():
		return answerTo(r, 401, "application/json", "{}"), nil
	}
	text, _ := json.Marshal(map[string]any{"sub": sub, "roles": []string{x.roles[sub]}, "email": sub + "@example.com"})
	return answerTo(r, 200, "application/json", string(text)), nil
}

// changeRegistry has an issuer give a subject another role, bar it, or let it in again,
// and its endpoint fail or recover.
func (w *world) changeRegistry() {
	x := w.providers[0].registry
	if x == nil {
		return
	}
	sub := pick(w.random, subjects)
	x.mu.Lock()
	defer x.mu.Unlock()
	switch w.random.IntN(4) {
	case 0:
		x.roles[sub] = pick(w.random, []string{"reader", "writer", "admin"})
		w.note("the registry: %s is %s", sub, x.roles[sub])
	case 1:
		if x.barred[sub].IsZero() {
			x.barred[sub] = time.Now()
		} else {
			delete(x.barred, sub)
		}
		w.note("the registry: %s is barred: %v", sub, !x.barred[sub].IsZero())
	default:
		x.fault, x.changed = pick(w.random, userinfoFaults), time.Now()
		w.note("the registry: %q", x.fault)
	}
}

// barredSince returns since when a subject is barred; zero for not.
func (x *registry) barredSince(sub string) time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.barred[sub]
}

func (x *registry) heal() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.fault, x.changed = "", time.Now()
}

// answers reports whether the endpoint says that a subject's tokens are good, to
// whoever asks.
func (x *registry) answers(sub string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	const backOff = 15 * time.Second
	return x.fault == "" && time.Since(x.changed) > backOff && x.barred[sub].IsZero()
}

// supplied reports whether what a token says is supplemented by its issuer.
func (t *token) supplied() bool { return t.p != nil && t.p.registry != nil && t.opaque == nil }

// dueSupplied is the check that follows all others: an answer of its issuer about the
// token's subject, which counts for as long as answers do.
func (n *node) dueSupplied(t *token) due {
	if !t.supplied() {
		return only(nil)
	}
	last, good := n.answers(t)
	d := noAnswer
	if last != good {
		d = d.or(only(oidcauth.ErrRevoked))
	}
	if n.young(good) {
		d = d.or(only(nil))
		if last == good && n.inHand(t, good) {
			d = only(nil)
		}
	}
	return d
}

// checkSupplied expects that what was supplied is what the issuer said, at most so long
// ago, and that nobody acts whom it has barred before that.
func (w *world) checkSupplied(n *node, t *token, c *oidcauth.Claims) {
	age := w.answerAge()
	if since := t.p.registry.barredSince(t.sub); !since.IsZero() && time.Since(since) >= age {
		w.fail(t, "%s accepted a token %v after its issuer barred the subject\n%s", n.name, time.Since(since), n.explain(t))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, q := range n.asked[t.text] {
		if q.said.good && time.Since(q.begun) < age && slices.Equal(q.said.roles, slices.Collect(c.Roles())) {
			return
		}
	}
	w.fail(t, "%s: the roles are %q, and no answer of the last %v says so", n.name, slices.Collect(c.Roles()), age)
}
