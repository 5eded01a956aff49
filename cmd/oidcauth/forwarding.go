package main

import (
	"errors"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/oidcauth/oidcauth"
)

// A forwarding is what answers proxies now. While issuers are replaced the rules of the
// former and of the next are in force together, so that nobody passes by the rules of
// one and the issuers of the other, and the former answers: the next may yet be refused.
// It is safe for concurrent use; changes are one at a time.
type forwarding struct {
	current atomic.Pointer[[]*forwarder] // the first one answers
}

func (f *forwarding) put(all ...*forwarder) { f.current.Store(&all) }

// now returns those that are in force, at least one.
func (f *forwarding) now() []*forwarder { return *f.current.Load() }

// dialect returns that of all.
func (f *forwarding) dialect() dialect { return f.now()[0].dialect }

// begin puts the next one in force beside the current one. The function ends that: what
// was before stays, or the next one alone does.
func (f *forwarding) begin(next *forwarder) (done func(changed bool), err error) {
	former := f.now()
	last := former[len(former)-1]
	if last.dialect != next.dialect {
		return nil, errors.New("only a restart changes forward_auth.proxy: restart the server, or put back what was there")
	}
	f.put(last, next)
	return func(changed bool) {
		if changed {
			f.put(next)
		} else {
			f.put(last)
		}
	}, nil
}

// judge reports why the caller may not make a request: by the rules that were in force
// before the token was looked at, and by those that are now.
func (f *forwarding) judge(before []*forwarder, route string, r *http.Request, claims *oidcauth.Claims) error {
	all := before
	for _, one := range f.now() {
		if !slices.Contains(all, one) {
			all = append(slices.Clip(all), one)
		}
	}
	for _, one := range all {
		if err := one.rules.judge(route, r, claims); err != nil {
			return err
		}
	}
	return nil
}
