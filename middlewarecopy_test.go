package oidcauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"testing"
	"weak"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A token that was seen before costs one allocation on its way through the
// middleware: the handler's request, with its context.
func TestMiddleware_Allocations(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	authorization := []string{"Bearer " + issuer.Token(nil)}
	r := newRequest(t, "GET /")
	served := 0
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, ok := oidcauth.FromContext(r.Context()); ok {
			served++
		}
	})
	for name, handler := range map[string]http.Handler{"Middleware": a.Middleware(next), "Optional": a.Optional(next)} {
		served = 0
		if n := testing.AllocsPerRun(100, func() {
			r.Header["Authorization"] = authorization
			handler.ServeHTTP(nil, r)
		}); n != 1 {
			t.Errorf("%s: %v allocations, want 1", name, n)
		}
		if served != 101 {
			t.Errorf("%s: served %d of 101 requests", name, served)
		}
	}
}

// The handler's request is as r.WithContext makes it: it has all of the caller's,
// and what the handler changes in it is not changed in the caller's.
func TestMiddleware_CopiesTheRequest(t *testing.T) {
	type key struct{}
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	var inner *http.Request
	handler := a.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inner = r
		if r.Pattern != "GET /db/{name}" || r.PathValue("name") != "my-db" || r.PathValue("extra") != "set before" {
			t.Errorf("pattern %q, name %q, extra %q", r.Pattern, r.PathValue("name"), r.PathValue("extra"))
		}
		if r.Context().Value(key{}) != "value" || r.Host != "db.test" || r.RemoteAddr != "192.0.2.7:4711" || r.Header.Get("X-Other") != "kept" {
			t.Errorf("the handler's request lacks something of the caller's: %+v", r)
		}
		if c, ok := oidcauth.FromContext(r.Context()); !ok || c.Subject() != "alice" {
			t.Errorf("the request acts for %v", c)
		}
		r.Method, r.URL, r.Pattern, r.RemoteAddr = "PUT", &url.URL{Path: "/changed"}, "changed", "changed"
		r.SetPathValue("name", "changed")
	}))
	var outer, before *http.Request
	mux := http.NewServeMux()
	mux.HandleFunc("GET /db/{name}", func(w http.ResponseWriter, r *http.Request) {
		r.SetPathValue("extra", "set before")
		r = r.WithContext(context.WithValue(r.Context(), key{}, "value"))
		outer, before = r, r.WithContext(r.Context())
		handler.ServeHTTP(w, r)
	})
	r := newRequest(t, "GET /db/my-db", "Authorization: Bearer "+issuer.Token(nil), "X-Other: kept")
	r.Host, r.RemoteAddr = "db.test", "192.0.2.7:4711"
	mux.ServeHTTP(httptest.NewRecorder(), r)
	if inner == nil || inner == outer {
		t.Fatal("the handler got no request of its own")
	}
	if outer.Method != before.Method || outer.URL != before.URL || outer.Pattern != before.Pattern || outer.RemoteAddr != before.RemoteAddr {
		t.Errorf("the caller's request has changed: %+v", outer)
	}
	if c, ok := oidcauth.FromContext(outer.Context()); ok {
		t.Errorf("the caller's request acts for %v", c)
	}
}

// The request's context ends for the handler when it ends for the caller.
func TestMiddleware_ContextEnds(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	ctx, cancel := context.WithCancel(t.Context())
	served := false
	a.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		served = true
		derived, stop := context.WithCancel(r.Context())
		defer stop()
		cancel()
		if r.Context().Err() == nil || derived.Err() == nil {
			t.Error("the contexts go on")
		}
	})).ServeHTTP(nil, newRequest(t, "GET /", "Authorization: Bearer "+issuer.Token(nil)).WithContext(ctx))
	if !served {
		t.Error("not served")
	}
}

// A session outlives the request that it began in, and keeps none of it.
func TestNewSession_LetsTheRequestGo(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	var s *oidcauth.Session
	var request weak.Pointer[http.Request]
	a.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c, _ := oidcauth.FromContext(r.Context())
		s = a.NewSession(r.Context(), c)
		request = weak.Make(r)
	})).ServeHTTP(nil, newRequest(t, "GET /", "Authorization: Bearer "+issuer.Token(nil)))
	runtime.GC()
	if request.Value() != nil {
		t.Error("the request is kept")
	}
	if s.CallContext().Err() != nil {
		t.Error("the session has ended")
	}
}
