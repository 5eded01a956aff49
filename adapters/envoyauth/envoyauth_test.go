package envoyauth_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/envoyauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

const page = "https://app.example.com"

// dial starts a server with the configuration, and returns a client of it.
func dial(t *testing.T, iss *oidctest.Issuer, cfg envoyauth.Config) authv3.AuthorizationClient {
	t.Helper()
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}, Roles: []oidcauth.Path{{"roles"}}}}, Client: iss.Client(),
		Extract: oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.SubprotocolForm("bearer", true), oidcauth.CookieToken("session", page)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	cfg.Authenticator = auth
	answers, err := envoyauth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, answers)
	go server.Serve(ln)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient(ln.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return authv3.NewAuthorizationClient(conn)
}

// An answer is what Envoy is told.
type answer struct {
	code    codes.Code
	status  int
	header  map[string]string // of the request that passes, or of the refusal
	removed []string
	body    string
}

// ask asks about a request, as Envoy does.
func ask(t *testing.T, client authv3.AuthorizationClient, method, path string, headers ...string) answer {
	t.Helper()
	asked := &authv3.AttributeContext_HttpRequest{Method: method, Path: path, Host: "api.example.com", Headers: map[string]string{
		":method": method, ":path": path, ":authority": "api.example.com",
	}}
	for i := 0; i+1 < len(headers); i += 2 {
		asked.Headers[headers[i]] = headers[i+1]
	}
	return send(t, client, asked)
}

func send(t *testing.T, client authv3.AuthorizationClient, asked *authv3.AttributeContext_HttpRequest) answer {
	t.Helper()
	got, err := client.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: asked},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if said.Kept() {
		fmt.Fprintf(said.Writer{}, "answer: %v\n", got)
	}
	a := answer{code: codes.Code(got.GetStatus().GetCode()), status: 200, header: make(map[string]string)}
	options := got.GetOkResponse().GetHeaders()
	a.removed = got.GetOkResponse().GetHeadersToRemove()
	if denied := got.GetDeniedResponse(); denied != nil {
		a.status, a.body, options = int(denied.GetStatus().GetCode()), denied.GetBody(), denied.GetHeaders()
	}
	if (a.code == codes.OK) != (got.GetOkResponse() != nil) {
		t.Errorf("code %v with %v", a.code, got)
	}
	for _, o := range options {
		if o.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			t.Errorf("%s does not replace what the client sent", o.GetHeader().GetKey())
		}
		a.header[o.GetHeader().GetKey()] = o.GetHeader().GetValue()
	}
	return a
}

func TestCheck(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	client := dial(t, iss, envoyauth.Config{Authorize: func(r *http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/admin/") || r.Method != http.MethodGet {
			return oidcauth.Require(r.Context(), oidcauth.HasRole("admin"))
		}
		return oidcauth.Require(r.Context())
	}})
	user := "Bearer " + iss.Token(map[string]any{"sub": "a,b\r\nx", "aud": "my-db"})
	admin := "Bearer " + iss.Token(map[string]any{"aud": "my-db", "roles": []string{"admin"}})
	got := ask(t, client, "GET", "/items?x=y", "authorization", user, "cookie", "a=1", "x-auth-subject", "spoofed")
	if got.status != 200 || got.header["x-auth-identity"] != identity.New(iss.URL(), "a,b\r\nx").String() ||
		got.header["x-auth-issuer"] != iss.URL() || got.header["x-auth-subject"] != "a%2Cb%0D%0Ax" || len(got.header) != 3 ||
		!slices.Equal(got.removed, []string{"authorization", "sec-websocket-protocol", "dpop"}) {
		t.Errorf("accepted: %+v", got)
	}
	for _, tt := range []struct {
		name, method, path string
		headers            []string
		status             int
		code               codes.Code
		challenge          string
	}{
		{"no token", "GET", "/items", nil, 401, codes.Unauthenticated, `Bearer realm="api"`},
		{"bad token", "GET", "/items", []string{"authorization", user + "x"}, 401, codes.Unauthenticated, `error="invalid_token"`},
		{"two tokens", "GET", "/items", []string{"authorization", user + "," + admin}, 400, codes.PermissionDenied, `error="invalid_request"`},
		{"may not by path", "GET", "/admin/x", []string{"authorization", user}, 403, codes.PermissionDenied, `error="insufficient_scope"`},
		{"may not by method", "POST", "/items", []string{"authorization", user}, 403, codes.PermissionDenied, `error="insufficient_scope"`},
		{"may", "POST", "/admin/x", []string{"authorization", admin}, 200, codes.OK, ""},
		{"a path with two readings", "GET", "/items/..%2fadmin", []string{"authorization", admin}, 403, codes.PermissionDenied, ""},
		{"a path with dots", "GET", "/items/../admin", []string{"authorization", admin}, 403, codes.PermissionDenied, ""},
		{"a method in other letters", "get", "/items", []string{"authorization", admin}, 403, codes.PermissionDenied, ""},
		{"a plain path", "GET", "/items/a..b?c=/../%2f", []string{"authorization", user}, 200, codes.OK, ""},
		{"no path", "GET", "", []string{"authorization", admin}, 400, codes.PermissionDenied, "Bearer"},
		{"the server's name before the path", "GET", "https://api.example.com/items", []string{"authorization", admin}, 400, codes.PermissionDenied, "Bearer"},
		{"a path that cannot be read", "GET", "/items%zz", []string{"authorization", admin}, 400, codes.PermissionDenied, "Bearer"},
		{"no method", "", "/items", []string{"authorization", admin}, 400, codes.PermissionDenied, "Bearer"},
		{"another origin's socket", "GET", "/s", []string{"cookie", "session=" + user[7:], "sec-websocket-version", "13", "origin", "https://evil.example.com"}, 403, codes.PermissionDenied, ""},
		{"page's socket", "GET", "/s", []string{"cookie", "session=" + user[7:], "sec-websocket-version", "13", "origin", page}, 200, codes.OK, ""},
		{"preflight", "OPTIONS", "/items", []string{"origin", page, "access-control-request-method", "PUT"}, 401, codes.Unauthenticated, "Bearer"},
	} {
		got := ask(t, client, tt.method, tt.path, tt.headers...)
		if got.status != tt.status || got.code != tt.code || !strings.Contains(got.header["www-authenticate"], tt.challenge) {
			t.Errorf("%s: %+v, want %d, %v, %s", tt.name, got, tt.status, tt.code, tt.challenge)
		}
		if got.status != 200 && !json.Valid([]byte(got.body)) {
			t.Errorf("%s: body %q", tt.name, got.body)
		}
	}
	got = ask(t, client, "GET", "/s", "sec-websocket-protocol", "chat, bearer, "+user[7:])
	if got.status != 200 || got.header["sec-websocket-protocol"] != "chat, bearer" {
		t.Errorf("subprotocol: %+v", got)
	}
}

// Authorize gets the request as a handler of net/http would, but for its body.
func TestCheck_AuthorizeSees(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	client := dial(t, iss, envoyauth.Config{Authorize: func(r *http.Request) error {
		body, err := io.ReadAll(r.Body)
		if r.Method != "PUT" || r.URL.Path != "/a b" || r.URL.RawQuery != "c=d" || r.RequestURI != "/a%20b?c=d" || r.Host != "api.example.com" ||
			r.Proto != "HTTP/1.1" || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.ContentLength != 5 || len(body) != 0 || err != nil {
			t.Errorf("Authorize gets %+v, with a body of %d bytes, %v", r, len(body), err)
		}
		return nil
	}})
	for _, body := range []*authv3.AttributeContext_HttpRequest{{Body: "hello"}, {RawBody: []byte("hello")}} {
		body.Method, body.Path, body.Host = "PUT", "/a%20b?c=d", "api.example.com"
		body.Headers = map[string]string{"authorization": "Bearer " + iss.Token(map[string]any{"aud": "my-db"})}
		if got := send(t, client, body); got.status != 200 {
			t.Errorf("got %+v", got)
		}
	}
}

// A header that nothing was taken out of goes on as it came, and not as Envoy has told of it:
// with "!" in place of each byte that is no UTF-8, and several in one line with commas.
func TestCheck_LeavesOtherHeaders(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	client := dial(t, iss, envoyauth.Config{})
	token := iss.Token(map[string]any{"aud": "my-db"})
	for _, tt := range []struct {
		name    string
		headers []string
		want    map[string]string
		removed []string
	}{
		{"others beside the token", []string{"authorization", "Bearer " + token, "cookie", "name=J!ger; a=1,b=2", "sec-websocket-protocol", "chat,v2", "dpop", "nobody's"}, nil, []string{"authorization"}},
		{"the token among others", []string{"cookie", "name=J!ger; session=" + token, "authorization", "Basic YTpi"}, map[string]string{"cookie": "name=J!ger"}, []string{"sec-websocket-protocol", "dpop"}},
		{"no others", []string{"authorization", "Bearer " + token, "cookie", ""}, nil, []string{"authorization", "cookie", "sec-websocket-protocol", "dpop"}},
	} {
		got := ask(t, client, "GET", "/", tt.headers...)
		for _, name := range []string{"x-auth-identity", "x-auth-issuer", "x-auth-subject"} {
			delete(got.header, name)
		}
		if got.status != 200 || !maps.Equal(got.header, tt.want) || !slices.Equal(got.removed, tt.removed) {
			t.Errorf("%s: %+v, want %q set, and %q removed", tt.name, got, tt.want, tt.removed)
		}
	}
}

// Keys that cannot be had are told as such, and so is when to come back.
func TestCheck_Unavailable(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	iss.Fail(oidctest.JWKS, oidctest.Fault{Status: http.StatusInternalServerError})
	got := ask(t, dial(t, iss, envoyauth.Config{}), "GET", "/", "authorization", "Bearer "+iss.Token(map[string]any{"aud": "my-db"}))
	if got.status != 503 || got.header["retry-after"] == "" {
		t.Errorf("got %+v, want 503 with Retry-After", got)
	}
}

// What Envoy sends in another form than is read here is refused, not guessed.
func TestCheck_RawHeaders(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	client := dial(t, iss, envoyauth.Config{})
	token := "Bearer " + iss.Token(map[string]any{"aud": "my-db"})
	for raw, want := range map[bool]int{false: 200, true: 400} {
		asked := &authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/", Headers: map[string]string{"authorization": token}}
		if raw {
			asked.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "authorization", RawValue: []byte(token)}}}
		}
		if got := send(t, client, asked); got.status != want {
			t.Errorf("raw headers %t: %+v, want %d", raw, got, want)
		}
	}
	if got := send(t, client, nil); got.status != 400 {
		t.Errorf("nothing: %+v, want 400", got)
	}
}

func TestCheck_Preflight(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	client := dial(t, iss, envoyauth.Config{Preflight: true, Authorize: func(*http.Request) error { return oidcauth.ErrForbidden }})
	preflight := []string{"origin", page, "access-control-request-method", "PUT"}
	got := ask(t, client, "OPTIONS", "/", append(preflight, "x-auth-identity", "spoofed")...)
	if got.status != 200 || len(got.header) != 0 || !slices.Contains(got.removed, "x-auth-identity") {
		t.Errorf("got %+v, want it to pass as nobody's", got)
	}
	for name, got := range map[string]answer{
		"another method": ask(t, client, "GET", "/", preflight...),
		"no origin":      ask(t, client, "OPTIONS", "/", preflight[2:]...),
		"bad token":      ask(t, client, "OPTIONS", "/", append(preflight, "authorization", "Bearer x")...),
		"override":       ask(t, client, "OPTIONS", "/", append(preflight, "x-http-method-override", "DELETE")...),
	} {
		if got.status != 401 {
			t.Errorf("%s: %+v, want 401", name, got)
		}
	}
	for raw, want := range map[string]int{"": 200, "x": 401} {
		asked := &authv3.AttributeContext_HttpRequest{Method: "OPTIONS", Path: "/", RawBody: []byte(raw), Headers: map[string]string{
			preflight[0]: preflight[1], preflight[2]: preflight[3],
		}}
		asBytes := send(t, client, asked).status
		asked.Body, asked.RawBody = raw, nil
		if text := send(t, client, asked).status; asBytes != want || text != want {
			t.Errorf("with the body %q: %d as bytes, %d as text, want %d", raw, asBytes, text, want)
		}
	}
}

// A client is told of each scheme that it may use, in one header.
func TestCheck_Challenges(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	proofs, err := dpop.New(dpop.Config{PublicURL: "https://api.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}}, Client: iss.Client(), DPoP: proofs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	answers, err := envoyauth.New(envoyauth.Config{Authenticator: auth})
	if err != nil {
		t.Fatal(err)
	}
	got, err := answers.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/", Host: "api.example.com"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var challenges []string
	for _, h := range got.GetDeniedResponse().GetHeaders() {
		if h.GetHeader().GetKey() == "www-authenticate" {
			challenges = append(challenges, h.GetHeader().GetValue())
		}
	}
	if len(challenges) != 1 || !strings.HasPrefix(challenges[0], "Bearer ") || !strings.Contains(challenges[0], ", DPoP algs=") {
		t.Errorf("the challenges are %q", challenges)
	}
}

// A client whose proof was good is told the nonce for its next one, and nobody else is.
func TestCheck_Nonce(t *testing.T) {
	t.Parallel()
	iss, p := oidctest.NewIssuer(t, oidctest.Config{}), oidctest.NewProver(t, "")
	now := time.Now() // a nonce says when it was made
	proofs, err := dpop.New(dpop.Config{PublicURL: "https://api.example.com", Nonces: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}}, Client: iss.Client(), DPoP: proofs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	bound := iss.Token(map[string]any{"aud": "my-db", "cnf": map[string]any{"jkt": p.Thumbprint()}})
	free := iss.Token(map[string]any{"aud": "my-db"})
	for _, tt := range []struct {
		name     string
		verifier *dpop.Verifier
		token    string // none for a preflight
		told     bool
	}{
		{"a bound token", proofs, bound, true},
		{"a bound token, and no verifier", nil, bound, false},
		{"another token", proofs, free, false},
		{"a preflight", proofs, "", false},
	} {
		answers, err := envoyauth.New(envoyauth.Config{Authenticator: auth, DPoP: tt.verifier, Preflight: true})
		if err != nil {
			t.Fatal(err)
		}
		method, headers := "GET", map[string]string{"authorization": "Bearer " + tt.token}
		switch tt.token {
		case bound:
			proof := p.Proof("GET", "https://api.example.com/", bound, map[string]any{"nonce": proofs.Nonce()})
			headers = map[string]string{"authorization": "DPoP " + bound, "dpop": proof}
		case "":
			method, headers = "OPTIONS", map[string]string{"origin": page, "access-control-request-method": "PUT"}
		}
		got, err := answers.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
			Http: &authv3.AttributeContext_HttpRequest{Method: method, Path: "/", Headers: headers},
		}}})
		if err != nil || got.GetOkResponse() == nil {
			t.Fatalf("%s: %v, %v, want it to pass", tt.name, got, err)
		}
		told := make(map[string]string)
		for _, h := range got.GetOkResponse().GetResponseHeadersToAdd() {
			told[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
			if h.GetHeader().GetKey() == "access-control-expose-headers" && h.GetAppendAction() != corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD {
				t.Errorf("%s: what the service lets pages read is replaced", tt.name)
			}
		}
		if is := told["dpop-nonce"] == proofs.Nonce() && told["access-control-expose-headers"] == "DPoP-Nonce"; is != tt.told || !is && len(told) > 0 {
			t.Errorf("%s: the client is told %v", tt.name, told)
		}
	}
}

func TestCheck_Headers(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	client := dial(t, iss, envoyauth.Config{KeepToken: true, Headers: []envoyauth.Header{
		{Name: "Remote-Roles", Values: func(c *oidcauth.Claims) []string { return slices.Collect(c.Roles()) }},
		{Name: "X-Scopes", Values: func(c *oidcauth.Claims) []string { return slices.Collect(c.Scopes()) }},
	}})
	token := "Bearer " + iss.Token(map[string]any{"aud": "my-db", "roles": []string{"admin,owner", "é%"}})
	got := ask(t, client, "GET", "/", "authorization", token, "x-scopes", "spoofed")
	if got.status != 200 || got.header["remote-roles"] != "admin%2Cowner,%C3%A9%25" || len(got.header) != 1 || !slices.Equal(got.removed, []string{"x-scopes"}) {
		t.Errorf("got %+v", got)
	}
}

// What servers may take for a header that says who the caller is leaves the request, the
// preflight's, too, and nothing else does.
func TestCheck_HeadersInOtherSpellings(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	client := dial(t, iss, envoyauth.Config{KeepToken: true, Preflight: true})
	spoofed := []string{"x_auth_identity", "v", "x.auth-issuer", "v", "x-auth~subject", "v", "x_auth_other", "v", "x--auth-identity", "v"}
	want := []string{"x-auth~subject", "x.auth-issuer", "x_auth_identity"}
	got := ask(t, client, "GET", "/", append([]string{"authorization", "Bearer " + iss.Token(map[string]any{"aud": "my-db"})}, spoofed...)...)
	if got.status != 200 || !slices.Equal(got.removed, want) {
		t.Errorf("got %+v, want %q removed", got, want)
	}
	got = ask(t, client, "OPTIONS", "/", append([]string{"origin", "https://a.example", "access-control-request-method", "GET"}, spoofed...)...)
	if got.status != 200 || !slices.Equal(got.removed, append([]string{"x-auth-identity", "x-auth-issuer", "x-auth-subject"}, want...)) {
		t.Errorf("a preflight: got %+v", got)
	}
}

// A client cannot have the next one drop what is said of it, by calling that its connection's
// own. Envoy hands on what it says of that where protocols change.
func TestCheck_Connection(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	client := dial(t, iss, envoyauth.Config{KeepToken: true})
	bearer := "Bearer " + iss.Token(map[string]any{"aud": "my-db"})
	got := ask(t, client, "GET", "/", "authorization", bearer, "upgrade", "websocket", "connection", "Upgrade, X_Auth_Identity")
	if got.status != 200 || got.header["connection"] != "Upgrade" {
		t.Errorf("got %+v, want the connection without the header", got)
	}
	got = ask(t, client, "GET", "/", "authorization", bearer, "upgrade", "websocket", "connection", "keep-alive, Upgrade")
	if value, set := got.header["connection"]; got.status != 200 || set {
		t.Errorf("got %+v with connection %q, want it as it was", got, value)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}}, Client: iss.Client()})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	none := func(*oidcauth.Claims) []string { return nil }
	for name, tt := range map[string]struct {
		cfg  envoyauth.Config
		want string
	}{
		"nothing":               {envoyauth.Config{}, "Authenticator"},
		"a good one":            {envoyauth.Config{Authenticator: auth, Headers: []envoyauth.Header{{"X-A", none}, {"Remote-User", none}}}, ""},
		"a header with meaning": {envoyauth.Config{Authenticator: auth, Headers: []envoyauth.Header{{"Authorization", none}}}, "Headers[0]"},
		"Envoy's own":           {envoyauth.Config{Authenticator: auth, Headers: []envoyauth.Header{{"X-Envoy-Original-Path", none}}}, "proxy's own"},
		"another character":     {envoyauth.Config{Authenticator: auth, Headers: []envoyauth.Header{{"X-A_B", none}}}, "letters"},
		"twice":                 {envoyauth.Config{Authenticator: auth, Headers: []envoyauth.Header{{"X-A", none}, {"x-a", none}}}, "twice"},
		"no values":             {envoyauth.Config{Authenticator: auth, Headers: []envoyauth.Header{{Name: "X-A"}}}, "no function"},
	} {
		_, err := envoyauth.New(tt.cfg)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error = %v, want %q", name, err, tt.want)
		}
	}
}

// What the program does with its list after New changes nothing.
func TestNew_CopiesHeaders(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	headers := []envoyauth.Header{{Name: "X-Scopes", Values: func(c *oidcauth.Claims) []string { return slices.Collect(c.Scopes()) }}}
	client := dial(t, iss, envoyauth.Config{Headers: headers})
	headers[0].Name = "X-Other"
	got := ask(t, client, "GET", "/", "authorization", "Bearer "+iss.Token(map[string]any{"aud": "my-db", "scope": "read"}))
	if got.status != 200 || got.header["x-scopes"] != "read" || len(got.header) != 1 {
		t.Errorf("got %+v, want the scopes alone", got)
	}
}

// An Authorize or a header that panics lets nobody pass, and a Server that was not made neither.
func TestCheck_Misuse(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": "my-db"}})
	client := dial(t, iss, envoyauth.Config{Authorize: func(r *http.Request) error { panic("of Authorize: " + r.URL.Path) }})
	if a := ask(t, client, "GET", "/secret", "authorization", "Bearer "+iss.Token(nil)); a.status != http.StatusInternalServerError || strings.Contains(a.body, "secret") {
		t.Errorf("Check() = %+v, want 500", a)
	}
	client = dial(t, iss, envoyauth.Config{Headers: []envoyauth.Header{{Name: "X-A", Values: func(c *oidcauth.Claims) []string { panic(c.Subject()) }}}})
	if a := ask(t, client, "GET", "/", "authorization", "Bearer "+iss.Token(nil)); a.status != http.StatusInternalServerError || strings.Contains(a.body, "alice") {
		t.Errorf("with a header that panics: Check() = %+v, want 500", a)
	}
	got, err := new(envoyauth.Server).Check(t.Context(), nil)
	if err != nil || got.GetStatus().GetCode() == int32(codes.OK) || got.GetDeniedResponse() == nil {
		t.Errorf("Check() = %v, %v", got, err)
	}
}
