package envoyauth_test

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/envoyauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A WriteRefusal that panics, which with HTTP is a line of the server's log, does not end
// the process: the request is refused, and the log says where.
func TestServer_WriteRefusalPanics(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	var log authtest.Log
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}}, Client: iss.Client(),
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		WriteRefusal: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusOK)
			panic("no template")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	answers, err := envoyauth.New(envoyauth.Config{Authenticator: auth})
	if err != nil {
		t.Fatal(err)
	}
	for _, http := range []*authv3.AttributeContext_HttpRequest{nil, {Method: "GET", Path: "/"}} {
		got, err := answers.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Request: &authv3.AttributeContext_Request{Http: http},
		}})
		if status := got.GetDeniedResponse().GetStatus().GetCode(); err != nil || status < 400 {
			t.Errorf("%v: %v, status %d, want a refusal", http, err, status)
		}
	}
	if text := log.String(); strings.Count(text, "envoyauth_misuse_test.go:") != 2 || strings.Contains(text, "no template") {
		t.Errorf("the log does not say where, or says more: %s", text)
	}
}

// What a WriteRefusal writes in other bytes than gRPC takes as text, or with line ends in a
// header, is a refusal all the same: an answer that cannot be sent would be 503. As with
// net/http what is no name of a header is left out, and each cookie stands alone.
func TestServer_WriteRefusalOfOtherBytes(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}}, Client: iss.Client(),
		WriteRefusal: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.Header().Set("X-Reason", "verw\xe4hrt\r\nhere")
			for _, name := range []string{"", "X-Verw\xe4hrt", "X-Verwährt", "X Reason", "X-Reason:", "X-Reason\r\nX-Other", "X-Reason\x7f"} {
				w.Header()[name] = []string{"a"}
			}
			w.Header()["X-None"] = nil
			w.Header()["Set-Cookie"] = []string{"session=; Max-Age=0", "more=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, "verw\xe4hrt, é\n")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	answers, err := envoyauth.New(envoyauth.Config{Authenticator: auth})
	if err != nil {
		t.Fatal(err)
	}
	got, err := answers.Check(t.Context(), new(authv3.CheckRequest))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proto.Marshal(got); err != nil {
		t.Fatalf("the answer cannot be sent: %v", err)
	}
	denied := got.GetDeniedResponse()
	if denied.GetStatus().GetCode() != http.StatusUnauthorized || denied.GetBody() != "verw\uFFFDhrt, é\n" {
		t.Errorf("got %v", denied)
	}
	told := make(map[string][]string)
	for _, h := range denied.GetHeaders() {
		told[h.GetHeader().GetKey()] = append(told[h.GetHeader().GetKey()], h.GetHeader().GetValue())
	}
	maps.DeleteFunc(told, func(name string, _ []string) bool {
		return slices.Contains([]string{"cache-control", "x-content-type-options", "www-authenticate"}, name)
	})
	if want := map[string][]string{"x-reason": {"verw\uFFFDhrt  here"}, "set-cookie": {"session=; Max-Age=0", "more=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}}; !maps.EqualFunc(told, want, slices.Equal) {
		t.Errorf("headers %q, want %q", told, want)
	}
}

// What Authorize does to its request, as a chain of handlers may, changes nothing of what the
// service gets, nor of the line in the log.
func TestServer_AuthorizeChangesTheRequest(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	var log authtest.Log
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}}, Client: iss.Client(),
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	answers, err := envoyauth.New(envoyauth.Config{Authenticator: auth, Authorize: func(r *http.Request) error {
		forbidden := r.URL.Path == "/forbidden"
		clear(r.Header)
		r.Header, r.Method, r.URL.Path = nil, "PUT", "/elsewhere"
		if forbidden {
			return oidcauth.ErrForbidden
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	question := askedBy("203.0.113.9", iss.Token(map[string]any{"aud": "my-db"}))
	asked := question.Attributes.Request.Http
	asked.Headers["connection"], asked.Headers["x_auth_subject"] = "upgrade, x-auth-subject", "bob"
	got, err := answers.Check(t.Context(), question)
	if err != nil {
		t.Fatal(err)
	}
	connection := ""
	for _, o := range got.GetOkResponse().GetHeaders() {
		if o.GetHeader().GetKey() == "connection" {
			connection = o.GetHeader().GetValue()
		}
	}
	if removed := got.GetOkResponse().GetHeadersToRemove(); connection != "upgrade" || !slices.Contains(removed, "x_auth_subject") {
		t.Errorf("connection %q, and %q removed", connection, removed)
	}
	asked.Path = "/forbidden"
	if got, err := answers.Check(t.Context(), question); err != nil || got.GetDeniedResponse() == nil || !strings.Contains(log.String(), "method=GET path=/forbidden ") {
		t.Errorf("answered %v, %v, and the log has %q", got, err, log.String())
	}
}
