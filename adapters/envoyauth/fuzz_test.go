package envoyauth_test

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/envoyauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// FuzzCheck: only a question with the good token is answered with yes, and never to
// where the caller may not; the service behind gets each header about the caller from
// here, and the token from nowhere.
func FuzzCheck(f *testing.F) {
	for _, seed := range [][6]string{
		{"GET", "/items?x=y", "authorization", "Bearer TOKEN", "x-auth-subject", "spoofed"}, {"GET", "/admin/x", "authorization", "Bearer TOKEN", "cookie", "a=1"}, {"GET", "/a", "cookie", "session=TOKEN; b=2", "origin", "https://app.example.com"},
		{"GET", "/items/..%2fadmin", "authorization", "Bearer TOKEN", "", ""}, {"GET", "/items//admin", "Authorization", "Bearer TOKEN", "authorization", "Bearer x"}, {"", "/a", "authorization", "Bearer TOKEN", "", ""}, {"get", "/a", "authorization", "bearer TOKEN", "", ""},
		{"GET", "http://a/admin", "authorization", "Bearer TOKEN", "", ""}, {"GET", "/a", "sec-websocket-protocol", "v1, bearer, TOKEN", "sec-websocket-key", "x"}, {"OPTIONS", "/a", "origin", "https://a.test", "access-control-request-method", "GET"}, {"GET", "/a", ":authority", "x", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], []byte{})
	}
	f.Add("", "", "", "", "", "", []byte{10, 4, 34, 2, 18, 0})
	issuer := oidctest.NewIssuer(nil, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": "my-db"}})
	f.Cleanup(issuer.Close)
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client(),
		Extract: oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.SubprotocolForm("bearer", true), oidcauth.CookieToken("session", page)),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { auth.Close() })
	var asked string
	server, err := envoyauth.New(envoyauth.Config{Authenticator: auth, Authorize: func(r *http.Request) error {
		if asked = r.URL.Path; strings.HasPrefix(r.URL.Path, "/admin/") || r.URL.Path == "/admin" {
			return oidcauth.ErrForbidden
		}
		return nil
	}})
	if err != nil {
		f.Fatal(err)
	}
	token := issuer.Token(map[string]any{"exp": int64(4102444800)})
	f.Fuzz(func(t *testing.T, method, target, name, value, other, otherValue string, raw []byte) {
		value, otherValue = strings.ReplaceAll(value, "TOKEN", token), strings.ReplaceAll(otherValue, "TOKEN", token)
		question := new(authv3.CheckRequest)
		if len(raw) > 0 && proto.Unmarshal(raw, question) == nil {
			if got, err := server.Check(t.Context(), question); err != nil || got.GetOkResponse() != nil || got.GetStatus().GetCode() == int32(codes.OK) {
				t.Errorf("answered %v, %v to %v", got, err, question)
			}
		}
		question = &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: method, Path: target, Headers: map[string]string{name: value, other: otherValue},
		}}}}
		asked = ""
		got, err := server.Check(t.Context(), question)
		if err != nil {
			t.Fatal(err)
		}
		ok := got.GetOkResponse()
		if (ok != nil) != (got.GetStatus().GetCode() == int32(codes.OK)) {
			t.Fatalf("answered %v", got)
		}
		if ok == nil {
			if status := int(got.GetDeniedResponse().GetStatus().GetCode()); status < 400 || status == 500 || strings.Contains(got.String(), token) {
				t.Errorf("answered %v", got)
			}
			return
		}
		if name != other && strings.EqualFold(name, "authorization") && strings.EqualFold(other, "authorization") && value != otherValue {
			t.Errorf("lets %q and %q pass", value, otherValue)
		}
		checkPassed(t, ok, token, http.Header{strings.ToLower(name): {value}, strings.ToLower(other): {otherValue}})
		u, err := url.ParseRequestURI(target)
		if !strings.Contains(value+otherValue, token) || err != nil || strings.TrimSuffix(u.Path, "/") != strings.TrimSuffix(path.Clean(u.Path), "/") || u.Path != asked || strings.HasPrefix(u.Path+"/", "/admin/") {
			t.Errorf("lets %q pass, asked about %q", target, asked)
		}
	})
}

// checkPassed expects every header about the caller to be ours, and no token in what goes on,
// or stays as it came.
func checkPassed(t *testing.T, ok *authv3.OkHttpResponse, token string, came http.Header) {
	t.Helper()
	said := slices.Clone(ok.GetHeadersToRemove())
	for _, o := range ok.GetHeaders() {
		h := o.GetHeader()
		said = append(said, h.GetKey())
		if o.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD || strings.Contains(h.GetValue(), token) || h.GetKey() == "x-auth-subject" && h.GetValue() != "alice" {
			t.Errorf("hands on %v", o)
		}
	}
	for _, name := range []string{"x-auth-identity", "x-auth-issuer", "x-auth-subject"} {
		if !slices.Contains(said, name) {
			t.Errorf("leaves %s as it came", name)
		}
	}
	for _, name := range []string{"authorization", "cookie", "sec-websocket-protocol"} {
		if !slices.Contains(said, name) && (len(came[name]) == 0 || strings.Contains(came[name][0], token)) {
			t.Errorf("leaves %s as it came, %q", name, came[name])
		}
	}
}
