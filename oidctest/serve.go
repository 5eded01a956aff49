package oidctest

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	discoveryPath = "/.well-known/openid-configuration"
	movedPath     = "/moved"
)

// answer is what an endpoint says when nothing is wrong.
type answer struct {
	header   http.Header
	body     []byte
	modified time.Time // zero: no Last-Modified
}

// Handler returns the issuer as a handler, for a listener of your own. It
// serves the discovery document and the key set, and answers about opaque
// tokens, under the path of the issuer's URL, on every host.
//
// Both documents are served a second time below "/moved", as in
// "/moved/jwks.json", where no fault reaches them: a place for redirects to
// point to.
func (i *Issuer) Handler() http.Handler {
	return http.HandlerFunc(i.serve)
}

// Start serves the issuer on a loopback socket, and makes the server's
// address, with the path that the issuer's URL had, the issuer's URL. The
// server ends with the issuer.
func (i *Issuer) Start() *httptest.Server {
	return i.start((*httptest.Server).Start)
}

// StartTLS is [Issuer.Start] with TLS. The server's own client trusts its
// certificate.
func (i *Issuer) StartTLS() *httptest.Server {
	return i.start((*httptest.Server).StartTLS)
}

func (i *Issuer) start(begin func(*httptest.Server)) *httptest.Server {
	s := httptest.NewUnstartedServer(i.Handler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	begin(s)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.servers = append(i.servers, s)
	path := ""
	if u, err := url.Parse(i.url); err == nil {
		path = u.EscapedPath()
	}
	i.url = s.URL + path
	return s
}

// SetDiscovery replaces members of the discovery document, such as "issuer"
// or "jwks_uri"; a nil value removes the member. Each call starts from the
// proper document, so that SetDiscovery(nil) restores it.
func (i *Issuer) SetDiscovery(members map[string]any) {
	i.helper()
	if _, err := json.Marshal(members); err != nil {
		i.fatalf("oidctest: SetDiscovery: %v", err)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.discovery = maps.Clone(members)
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	v := i.arrive(i.ticketOf(r))
	defer i.leave(v)
	if i.isClosed() {
		panic(http.ErrAbortHandler)
	}
	w = &statusWriter{ResponseWriter: w, visit: v}
	if v.faulty {
		v.serveFault(w, r)
		return
	}
	i.serveWell(v.fetch.Endpoint, w, r)
}

// serveWell answers a request that meets no fault.
func (i *Issuer) serveWell(at Endpoint, w http.ResponseWriter, r *http.Request) {
	switch {
	case at == Other && i.other != nil:
		i.other.ServeHTTP(w, r)
	case at == Other:
		http.NotFound(w, r)
	case !slices.Contains(at.methods(), r.Method):
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	default:
		i.answer(at, r).write(w, r)
	}
}

// endpoint says what a URL is for, and whether it lies below movedPath.
func (i *Issuer) endpoint(u *url.URL) (at Endpoint, moved bool) {
	path := u.Path
	if moved = strings.HasPrefix(path, movedPath+"/"); moved {
		path = strings.TrimPrefix(path, movedPath)
	} else if own, err := url.Parse(i.base()); err == nil {
		var below bool
		if path, below = strings.CutPrefix(path, own.Path); !below {
			return Other, false // also what lost the path of the issuer's URL on its way
		}
	}
	switch path {
	case discoveryPath:
		return Discovery, moved
	case i.jwksPath:
		return JWKS, moved
	case introspectionPath:
		return Introspection, moved
	}
	return Other, false
}

// answer returns the proper answer of an endpoint, caching headers included.
func (i *Issuer) answer(at Endpoint, r *http.Request) answer {
	about := ""
	if at == Introspection {
		about = r.PostFormValue("token")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	a := answer{header: http.Header{"Content-Type": {"application/json"}}}
	switch at {
	case Discovery:
		a.body = i.discoveryDocument()
	case JWKS:
		a.body = i.keySet()
	case Introspection:
		a.body = i.answerAbout(about)
	}
	return i.cached(at, r, a)
}

// discoveryDocument is put together anew for each request, because keys and
// the URL change. The caller holds the lock.
func (i *Issuer) discoveryDocument() []byte {
	base := strings.TrimSuffix(i.url, "/")
	document := map[string]any{
		"issuer":                                i.url,
		"authorization_endpoint":                base + "/authorize",
		"token_endpoint":                        base + "/token",
		"jwks_uri":                              base + i.jwksPath,
		"introspection_endpoint":                base + introspectionPath,
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": i.algorithms(),
	}
	body, err := json.Marshal(overlay(document, i.discovery))
	if err != nil {
		panic("oidctest: discovery document: " + err.Error())
	}
	return append(body, '\n')
}

// algorithms lists those of the published keys, apart from broken ones. The
// caller holds the lock.
func (i *Issuer) algorithms() []string {
	list := []string{i.alg}
	for _, e := range i.set {
		if e.alg != "" {
			list = append(list, e.alg)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// write sends the answer, or 304 if the client has it already.
func (a answer) write(w http.ResponseWriter, r *http.Request) {
	maps.Copy(w.Header(), a.header)
	http.ServeContent(w, r, "", a.modified, bytes.NewReader(a.body))
}

// statusWriter notes the status of an answer in the history.
type statusWriter struct {
	http.ResponseWriter
	visit *visit
}

func (w *statusWriter) WriteHeader(status int) {
	w.visit.answered(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.visit.answered(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
