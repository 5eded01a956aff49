package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/proxied"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// The addresses at which proxies ask: without a route, and at one that rules name.
// Behind them stands what the dialect of Envoy appends.
const (
	forwardPath      = "/v1/forward-auth"
	forwardRoutePath = "/v1/route/{route}/forward-auth"
)

// forwardConfig is "forward_auth" of the configuration file.
type forwardConfig struct {
	// Proxy names the dialect; empty means that nothing is known of the requests that
	// are asked about but their headers.
	Proxy string `json:"proxy" about:"nginx, caddy, haproxy, traefik or envoy: which headers say what the client asks for" values:"nginx caddy haproxy traefik envoy"`

	// Preflight lets preflights of pages pass without a token.
	Preflight bool `json:"preflight" about:"true to let browsers' preflights pass without a token"`

	// TicketQuery is the query parameter of WebSockets with a ticket of the local
	// issuer; empty for none.
	TicketQuery string `json:"ticket_query" about:"the query parameter with a WebSocket's ticket of the local issuer"`

	// TakeTokenOut has the answer tell what is left of the headers that tokens and their
	// proofs stand in once these are out.
	TakeTokenOut bool `json:"take_token_out" about:"true to tell the proxy what is left of Authorization, Cookie, Sec-WebSocket-Protocol and DPoP"`

	// Headers are those that the service behind the proxy gets.
	Headers forwardHeaders `json:"headers" about:"the names of the headers that the service gets"`

	// Rules say who may; without them everybody with a good token.
	Rules []forwardRule `json:"rules" about:"who may make which requests; the first that fits decides, and what none fits is refused"`

	// IgnoreCase compares paths without regard to case, for services that do.
	IgnoreCase bool `json:"ignore_case" about:"true to compare paths without regard to case"`
}

// A forwarder answers proxies. It is safe for concurrent use.
type forwarder struct {
	dialect      dialect
	headers      []answerHeader
	names        proxied.Names // of headers
	rules        rules
	preflight    bool
	takeTokenOut bool
	extract      oidcauth.Extractor // of tokens
	ticket       oidcauth.Extractor // nil without tickets
}

// forwarder returns what answers proxies as c says; nil stands for the zero value. The
// rest of the file says where tokens are, and whether there are tickets.
func (c *forwardConfig) forwarder(file *fileConfig, cfg oidcauth.Config) (*forwarder, error) {
	if c == nil {
		c = new(forwardConfig)
	}
	f := &forwarder{preflight: c.Preflight, takeTokenOut: c.TakeTokenOut, extract: cfg.Extract}
	if f.extract == nil {
		f.extract = oidcauth.BearerToken
	}
	known := namingOf(&cfg)
	var err error
	if f.dialect, err = findDialect(c.Proxy); err == nil {
		err = c.check(f.dialect, file)
	}
	if err == nil {
		f.headers, err = c.Headers.list()
	}
	if err == nil {
		f.rules, err = newRules(c.Rules, f.dialect, c.IgnoreCase, known)
	}
	if err != nil {
		return nil, usageError{fmt.Errorf(`"forward_auth": %w`, err)}
	}
	f.names = namesOf(f.headers)
	if c.TicketQuery != "" {
		f.ticket = oidcauth.QueryToken(c.TicketQuery)
	}
	return f, nil
}

// namingOf returns which issuers a rule may name.
func namingOf(cfg *oidcauth.Config) naming {
	return naming{issuers: cfg.Issuers, anyOther: cfg.AnyIssuer != nil}
}

// firstUnknown returns the first issuer that a rule names and that is not known, or nothing;
// a template is no issuer's name. It may be called on nil.
func (c *forwardConfig) firstUnknown(cfg *oidcauth.Config) string {
	if c == nil {
		return ""
	}
	for _, rule := range c.Rules {
		for _, name := range rule.Issuers {
			if !strings.Contains(name, "{") && namingOf(cfg).check(name) != nil {
				return name
			}
		}
	}
	return ""
}

// check reports settings that contradict each other.
func (c *forwardConfig) check(d dialect, file *fileConfig) error {
	places := file.TokenPlaces
	switch {
	case !d.tells() && (c.Preflight || c.TicketQuery != ""):
		return errors.New(`"preflight" and "ticket_query" need "proxy", which says where the client's method and query are`)
	case !d.tells() && places != nil && places.Cookie != nil:
		return errors.New(`a token in a cookie needs "proxy", which says where the client's method is: what a page of another site sends is told by it`)
	case !d.tells() && file.Forward != nil && file.DPoP != nil:
		return errors.New(`"dpop" needs "proxy", which says where the client's method and address are: a proof is made for these`)
	case c.TicketQuery != "" && file.LocalIssuer == nil:
		return errors.New(`"ticket_query" needs "local_issuer", which sells the tickets`)
	case c.TakeTokenOut && places != nil && places.Query != "":
		return errors.New(`"take_token_out" cannot take a token out of an address, and "token_places" has "query"`)
	case c.TakeTokenOut && places != nil && len(places.Headers) > 0:
		return errors.New(`"take_token_out" is about Authorization, Cookie, Sec-WebSocket-Protocol and DPoP; have the proxy drop the "headers" of "token_places" itself`)
	case c.Rules != nil && len(c.Rules) == 0:
		return errors.New(`"rules" is empty, and lets nobody pass: leave it out for everybody with a good token`)
	case c.IgnoreCase && !slices.ContainsFunc(c.Rules, func(r forwardRule) bool { return r.Path != "" }):
		return errors.New(`"ignore_case" has no effect without a rule that has a path`)
	}
	return nil
}

// forwardRoutes lists the addresses at which proxies ask.
func (s *server) forwardRoutes() []route {
	answer := badRequestAs401(http.HandlerFunc(s.forwardAuth))
	return []route{{forwardPath, answer}, {forwardRoutePath, answer}}
}

// aboveMux serves the questions of a dialect that appends the client's path, which
// http.ServeMux would clean.
func (s *server) aboveMux(mux http.Handler) http.Handler {
	if !s.forward.dialect().appended {
		return mux
	}
	answer := badRequestAs401(http.HandlerFunc(s.forwardAuth))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if route, rest, found := cutForwardPath(r.RequestURI); found {
			r.Pattern = forwardPath
			if route != "" {
				r.Pattern = forwardRoutePath
				r.SetPathValue("route", route)
			}
			r.SetPathValue("rest", rest)
			answer.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// cutForwardPath splits an address at which a proxy asks into the route and what
// follows.
func cutForwardPath(uri string) (route, rest string, found bool) {
	if rest, found = strings.CutPrefix(uri, forwardPath); found {
		return "", rest, strings.HasPrefix(rest, "/")
	}
	before, after, _ := strings.Cut(forwardRoutePath, "{route}")
	if rest, found = strings.CutPrefix(uri, before); !found {
		return "", "", false
	}
	route, rest, _ = strings.Cut(rest, "/")
	rest, found = strings.CutPrefix("/"+rest, after)
	return route, rest, found && isRouteName(route) && strings.HasPrefix(rest, "/")
}

// forwardAuth says to a proxy whether the request that it asks about may pass, and
// whose it is.
func (s *server) forwardAuth(w http.ResponseWriter, r *http.Request) {
	before := s.forward.now()
	f := before[0]
	handed, spelled := f.handed(r), f.checkSpelling(r) // as they came
	o, err := f.dialect.original(r, r.PathValue("rest"))
	route := r.PathValue("route")
	if err == nil {
		err = f.rules.checkRoute(route)
	}
	var claims *oidcauth.Claims
	if err == nil {
		claims, err = s.forwarded(f, o)
		if errors.Is(err, oidcauth.ErrNoToken) && f.preflight && proxied.IsPreflight(o) && spelled == nil {
			f.answer(w, o, handed, nil)
			return
		}
		if err == nil {
			err = s.forward.judge(before, route, o, claims)
		}
		if err == nil {
			err = spelled
		}
		s.metrics.countOutcome(err)
	}
	switch {
	case err == nil:
		s.offerNonce(w.Header(), claims)
		f.answer(w, o, handed, claims)
	case o != nil: // which the log is to tell of, and not of the question
		s.auth.Refuse(w, o.WithContext(oidcauth.NewContext(o.Context(), claims)), err)
	default:
		s.auth.Refuse(w, r, err)
	}
}

// checkSpelling refuses a header that the service may take for one that the answer has, in
// another spelling, which no proxy replaces. Where the proxy is told to drop such headers
// there is none. It is asked before anything is taken out of the question, which the proxy
// hands on all the same.
func (f *forwarder) checkSpelling(r *http.Request) error {
	aliases := f.names.Aliases(r.Header)
	if len(aliases) == 0 {
		return nil
	}
	return refusal.New(refusal.Caller, oidcauth.ErrForbidden, "the header "+refusal.Quote(aliases[0])+", which servers may take for one that says who the caller is", "none of that name: have the proxy drop it, as in docs/deploy.md")
}

// forwarded authenticates the request that a proxy asks about.
func (s *server) forwarded(f *forwarder, o *http.Request) (*oidcauth.Claims, error) {
	if f.ticket != nil && opensWebSocket(o) {
		text, err := f.ticket(o)
		if err == nil {
			if _, err := f.extract(o); !errors.Is(err, oidcauth.ErrNoToken) {
				return nil, refusal.New(refusal.Request, oidcauth.ErrMalformedRequest, "a ticket and a token", "one of them")
			}
			return s.auth.AuthenticateTicket(o, text, forwardDatabase)
		}
		if !errors.Is(err, oidcauth.ErrNoToken) {
			return nil, err
		}
	}
	return s.auth.AuthenticateRequest(o)
}

// forwardDatabase is what a ticket is used for here, and none that can be opened.
const forwardDatabase = "forward-auth"

// handed returns the headers, of those that tokens stand in, that the answer to a question is
// to have, which is asked before anything is taken out of it. What nobody has sent is none,
// if the proxy knows the difference: the service would get it empty, and takes that for
// malformed, as an offer of no subprotocol is (RFC 6455, section 4.1).
func (f *forwarder) handed(r *http.Request) (headers []handedHeader) {
	if !f.takeTokenOut {
		return nil
	}
	for _, name := range proxied.TokenHeaders {
		if !f.dialect.absent || len(r.Header[name]) > 0 {
			headers = append(headers, handedHeader{name, proxied.Left(r.Header, name)})
		}
	}
	return headers
}

// A handedHeader is one that the answer to a question is to have, as it came with the question.
type handedHeader struct{ name, came string }

// hand puts what is left of the header into the answer. Where nothing was taken out the
// client's own is better, if the proxy has that go on: the question may not have what came, as
// Envoy's has "!" in place of each byte that is no UTF-8.
func (f *forwarder) hand(answer http.Header, h handedHeader, o *http.Request) {
	left := proxied.Left(o.Header, h.name)
	if !f.dialect.keeps || left == "" || left != h.came {
		answer.Set(h.name, left)
	}
}

// answer lets a request pass, with what is left of the headers that are handed on. Nil
// claims are those of a preflight, which is nobody's.
func (f *forwarder) answer(w http.ResponseWriter, o *http.Request, handed []handedHeader, claims *oidcauth.Claims) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	for _, h := range f.headers {
		value := ""
		if claims != nil {
			value = h.value(claims)
		}
		header[h.name] = []string{value}
	}
	for _, h := range handed {
		f.hand(header, h, o)
	}
	w.WriteHeader(http.StatusOK)
}

// badRequestAs401 turns the status 400 of a malformed request into 401,
// which every proxy takes for a refusal; nginx would answer 500 to the client
// and log an error of the server. The challenge still says invalid_request.
func badRequestAs401(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(unauthorizedWriter{w}, r)
	})
}

type unauthorizedWriter struct{ http.ResponseWriter }

func (w unauthorizedWriter) WriteHeader(status int) {
	if status == http.StatusBadRequest {
		status = http.StatusUnauthorized
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w unauthorizedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
