// Package envoyauth answers the questions of Envoy's filter ext_authz over gRPC
// (envoy.service.auth.v3.Authorization) with [github.com/oidcauth/oidcauth]: whether a
// request may pass, and whose it is.
//
//	answers, err := envoyauth.New(envoyauth.Config{
//		Authenticator: auth,
//		Authorize: func(r *http.Request) error {
//			if r.URL.Path == "/admin" || strings.HasPrefix(r.URL.Path, "/admin/") {
//				return oidcauth.Require(r.Context(), oidcauth.HasRole("admin"))
//			}
//			return nil
//		},
//	})
//	…
//	server := grpc.NewServer()
//	authv3.RegisterAuthorizationServer(server, answers)
//
// Envoy's filter names the server, and nothing of a refusal is lost on the way, which
// it is over HTTP: status, challenge, Retry-After and body are the library's.
//
//	http_filters:
//	- name: envoy.filters.http.ext_authz
//	  typed_config:
//	    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
//	    transport_api_version: V3
//	    status_on_error: {code: ServiceUnavailable}
//	    grpc_service: {envoy_grpc: {cluster_name: oidcauth}, timeout: 5s}
//
// Leave failure_mode_allow and encode_raw_headers as they are, false; and have the
// connection manager make paths plain (normalize_path, merge_slashes,
// path_with_escaped_slashes_action), or requests with others are refused. What else a client may
// use to name a method or a path is the service's: one for which /Admin is /admin, too, wants
// rules for both.
package envoyauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/proxied"
)

// Config configures a [Server].
type Config struct {
	// Authenticator judges the tokens, and takes them out of the requests as its
	// Config.Extract says. What it accounts to callers by address it accounts to the
	// source that Envoy names, or, where that is one of its Config.Proxies, before Envoy,
	// to whom X-Forwarded-For says. Its Config.Certificate is [Certificate], if any.
	// Required.
	Authenticator *oidcauth.Authenticator

	// Authorize says who may make a request, which has the client's method, URL, address
	// and headers without the token, and no body; [oidcauth.FromContext] finds the
	// caller in its context, and [Extensions] the route. It is not asked about a path that
	// Envoy and the service may read differently, with dot segments, two slashes, a
	// semicolon or encoded ones for instance, nor about a method with small letters: these
	// are refused. A header by
	// which the service lets clients name another method (X-HTTP-Method-Override) is for
	// it to look at. The error is answered as [oidcauth.Authenticator.Refuse]
	// does; return that of [oidcauth.Require]. Nil lets every caller with a good token
	// pass. What it does to the request is for itself alone. It must be safe for concurrent
	// use.
	Authorize func(r *http.Request) error

	// DPoP is the Verifier of the Authenticator, oidcauth.Config.DPoP, where tokens may be
	// bound to a key: a client whose proof was good is told the nonce for its next one in
	// the answer of the service (RFC 9449, section 8.2). With nil it learns of a nonce by a
	// refusal alone.
	DPoP *dpop.Verifier

	// Headers are those that the service gets of the caller. Nil means identity,
	// issuer and subject, as X-Auth-Identity, X-Auth-Issuer and X-Auth-Subject.
	Headers []Header

	// KeepToken hands the client's headers on as they came. False takes the token out of
	// whatever header Config.Extract has taken it out of, and the proof that was used out of
	// DPoP; what a query has stays. Authorization, Cookie, Sec-WebSocket-Protocol and DPoP of
	// which Envoy does not tell (allowed_headers) are removed. What else stands in a header
	// that something was taken out of has "!" in place of each byte that is no UTF-8, as
	// Envoy tells of it; a header that nothing was taken out of goes on as it came.
	KeepToken bool

	// Preflight lets what is a preflight by its form pass without a token and without
	// Authorize: OPTIONS with one Origin and one Access-Control-Request-Method, without
	// credentials, a Content-Type or a Content-Length, or another method in a header or
	// the query. Of a body with neither Envoy says nothing. The service must answer it
	// with CORS headers, read no body and do nothing else. False refuses it.
	Preflight bool
}

// A Header tells the service behind Envoy of the caller. It is in every answer that
// lets a request pass, and replaces what the client sent; without a value it is removed. So
// is what the client sent under a name that servers may take for it, x_auth_identity for
// instance, as far as Envoy tells of it (allowed_headers).
type Header struct {
	// Name is the header's. It begins with "X-" or "Remote-".
	Name string

	// Values returns what it says, values separated by commas. In each, every byte
	// that is not visible ASCII, the comma and "%" are written as "%" and two
	// hexadecimal digits. Claims are never nil. It must be safe for concurrent use.
	Values func(*oidcauth.Claims) []string
}

// Server answers Envoy. It is safe for concurrent use.
type Server struct {
	authv3.UnimplementedAuthorizationServer
	cfg   Config
	names proxied.Names // of cfg.Headers
}

// New returns a server. It fails when the configuration can never be right.
func New(cfg Config) (*Server, error) {
	if cfg.Authenticator == nil {
		return nil, errors.New("envoyauth: Config.Authenticator is nil")
	}
	if cfg.Headers == nil {
		cfg.Headers = defaultHeaders()
	}
	cfg.Headers = append([]Header{}, cfg.Headers...)
	taken := make(map[string]bool)
	for i := range cfg.Headers {
		h := &cfg.Headers[i]
		if err := checkHeader(*h); err != nil {
			return nil, fmt.Errorf("envoyauth: Config.Headers[%d]: %w", i, err)
		}
		if h.Name = strings.ToLower(h.Name); taken[h.Name] {
			return nil, fmt.Errorf("envoyauth: Config.Headers[%d]: %s comes twice", i, h.Name)
		}
		taken[h.Name] = true
	}
	return &Server{cfg: cfg, names: proxied.NamesOf(slices.Collect(maps.Keys(taken))...)}, nil
}

// Check implements [authv3.AuthorizationServer]. It never fails: what cannot be
// understood is refused.
func (s *Server) Check(ctx context.Context, question *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	client := question.GetAttributes().GetSource()
	from := addressOf(client)
	ctx = withExtensions(withCertificate(ctx, client), question.GetAttributes())
	r, err := request(ctx, question.GetAttributes().GetRequest().GetHttp())
	if err != nil {
		return s.refuse(&http.Request{Method: http.MethodGet, URL: new(url.URL), Header: http.Header{}, RemoteAddr: from}, err), nil
	}
	came := r.Header.Clone()
	r = s.onAccount(r, from)
	claims, err := s.cfg.Authenticator.AuthenticateRequest(r)
	r.RemoteAddr = from // for the log, and the program: of the token it has decided nothing
	left, taken := r.Header, takenOut(came, r.Header)
	if s.cfg.KeepToken {
		left, taken = came, nil
	}
	switch {
	case errors.Is(err, oidcauth.ErrNoToken) && s.cfg.Preflight && proxied.IsPreflight(r):
		claims, err = nil, nil
	case err == nil:
		r = r.WithContext(oidcauth.NewContext(r.Context(), claims)) // also of what is refused from here on
		err = s.authorize(r)
	}
	if err != nil {
		return s.refuse(r, err), nil
	}
	passed, err := s.pass(left, taken, claims)
	if err != nil {
		return s.refuse(r, err), nil
	}
	return passed, nil
}

// authorize asks the program whether the caller may, about nothing that the service may
// read differently.
func (s *Server) authorize(r *http.Request) (err error) {
	if s.cfg.Authorize == nil {
		return nil
	}
	if err := proxied.CheckMethod(r.Method); err != nil {
		return fmt.Errorf("%w: a method that can be read in several ways: %w", oidcauth.ErrForbidden, err)
	}
	path, err := proxied.Path(r.RequestURI)
	if err != nil {
		return fmt.Errorf("%w: a path that can be read in several ways: %w", oidcauth.ErrForbidden, err)
	}
	r.URL.Path = path
	defer panics.Catch(&err) // nobody else would, and the process would end
	own := r.Clone(r.Context())
	return s.cfg.Authorize(own)
}

// request returns the request that Envoy asks about.
func request(ctx context.Context, asked *authv3.AttributeContext_HttpRequest) (*http.Request, error) {
	malformed := func(what string) error { return fmt.Errorf("%w: %s", oidcauth.ErrMalformedRequest, what) }
	if asked.GetHeaderMap() != nil {
		return nil, malformed("encode_raw_headers is not understood")
	}
	u, err := url.ParseRequestURI(asked.GetPath())
	if err != nil || !strings.HasPrefix(asked.GetPath(), "/") || asked.GetMethod() == "" {
		return nil, malformed("no method, or no path that begins with a slash")
	}
	header := make(http.Header, len(asked.GetHeaders()))
	for name, value := range asked.GetHeaders() {
		if !strings.HasPrefix(name, ":") {
			name = textproto.CanonicalMIMEHeaderKey(name)
			header[name] = append(header[name], value) // two spellings are two headers
		}
	}
	r := &http.Request{
		Method: asked.GetMethod(), URL: u, RequestURI: asked.GetPath(), Host: asked.GetHost(), Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
		ContentLength: int64(len(asked.GetBody()) + len(asked.GetRawBody())),
	}
	return r.WithContext(ctx), nil
}

// pass lets a request through whose headers are what is left of the client's, of which those
// differ from it that a token was taken out of. Nil claims are nobody's. A function of the
// program's that panics is an error.
func (s *Server) pass(left http.Header, taken []leftover, claims *oidcauth.Claims) (passed *authv3.CheckResponse, err error) {
	defer panics.Catch(&err)
	ok := new(authv3.OkHttpResponse)
	said := make(map[string]bool)
	set := func(name, value string) {
		if said[name] { // the first word is ours, of the caller
			return
		}
		said[name] = true
		if value == "" {
			ok.HeadersToRemove = append(ok.HeadersToRemove, name)
			return
		}
		ok.Headers = append(ok.Headers, option(name, value))
	}
	for _, h := range s.cfg.Headers {
		var values []string
		if claims != nil {
			values = h.Values(claims)
		}
		set(h.Name, proxied.List(slices.Values(values)))
	}
	for _, name := range s.names.Aliases(left) {
		set(strings.ToLower(name), "")
	}
	if connection, named := s.names.Connection(left); named { // Envoy hands it on where protocols change
		set("connection", connection)
	}
	for _, h := range taken {
		set(strings.ToLower(h.name), h.left)
	}
	ok.ResponseHeadersToAdd = s.nonce(claims)
	return &authv3.CheckResponse{
		Status:       &status.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok},
	}, nil
}

// nonce returns the headers that tell a client which has proved its key the nonce for its
// next proof, and its browser that the page may read it.
func (s *Server) nonce(claims *oidcauth.Claims) []*corev3.HeaderValueOption {
	nonce := s.cfg.DPoP.Nonce()
	if _, bound := claims.LookupString("cnf", "jkt"); !bound || nonce == "" {
		return nil
	}
	expose := option("access-control-expose-headers", "DPoP-Nonce")
	expose.AppendAction = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD // to the service's own
	return []*corev3.HeaderValueOption{option("dpop-nonce", nonce), expose}
}

// refuse answers as the library does. An answer that the program's own function failed at
// stays as far as it got, and the log has that, too.
func (s *Server) refuse(r *http.Request, err error) *authv3.CheckResponse {
	w := &recorder{header: make(http.Header)}
	if failed := s.write(w, r, err); failed != nil {
		_ = s.write(&recorder{header: make(http.Header)}, r, failed)
	}
	code := codes.PermissionDenied
	if w.status == http.StatusUnauthorized {
		code = codes.Unauthenticated
	}
	denied := &authv3.DeniedHttpResponse{Status: &typev3.HttpStatus{Code: typev3.StatusCode(w.status)}, Body: sendable(w.body.String())}
	denied.Headers = sendableHeaders(w.header)
	return &authv3.CheckResponse{
		Status:       &status.Status{Code: int32(code)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: denied},
	}
}

// write writes a refusal. The program's WriteRefusal may panic, which nobody else would
// catch, and the process would end.
func (s *Server) write(w http.ResponseWriter, r *http.Request, err error) (failed error) {
	defer panics.Catch(&failed)
	s.cfg.Authenticator.Refuse(w, r, err)
	return nil
}

// option is a header that replaces all of its name.
func option(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

// A recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }
