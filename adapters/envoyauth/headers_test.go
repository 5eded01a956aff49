package envoyauth_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/envoyauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// The service does not get the token from wherever the program has it taken from, nor a copy
// that was found, and gets all else as it came.
func TestCheck_TokenInOtherHeaders(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}}, Client: iss.Client(),
		Extract: oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.HeaderToken("X-Access-Token"), oidcauth.QueryToken("token")),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	token := iss.Token(map[string]any{"aud": "my-db"})
	for _, tt := range []struct {
		name, path string
		headers    map[string]string
		keep       bool
		set        map[string]string
		removed    []string
	}{
		{"in a header", "/", map[string]string{"x-access-token": token, "x-other": "a"}, false, nil, []string{"x-access-token"}},
		{"in two", "/", map[string]string{"x-access-token": token, "authorization": "Bearer " + token, "x-copy": token, "x-auth-subject": token}, false, nil, []string{"x-access-token", "x-copy"}},
		{"within itself, before what Envoy adds", "/?token=" + token, map[string]string{"authorization": "Bearer " + token, "x-forwarded-for": token[:40] + token + token[40:] + ",192.0.2.1"}, false, map[string]string{"x-forwarded-for": token[:40] + " " + token[40:] + ",192.0.2.1"}, nil},
		{"in the query, and where the client came from", "/?token=" + token, map[string]string{"referer": "https://a.test/x?token=" + token + "&b=1"}, false, map[string]string{"referer": "https://a.test/x?b=1"}, nil},
		{"kept, but in another spelling of a header of ours", "/?token=" + token, map[string]string{"authorization": "Bearer " + token, "x_auth_subject": token}, true, nil, []string{"x_auth_subject"}},
		{"kept", "/", map[string]string{"x-access-token": token}, true, nil, nil},
	} {
		answers, err := envoyauth.New(envoyauth.Config{Authenticator: auth, KeepToken: tt.keep})
		if err != nil {
			t.Fatal(err)
		}
		got, err := answers.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
			Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: tt.path, Headers: tt.headers},
		}}})
		if err != nil || got.GetOkResponse() == nil {
			t.Fatalf("%s: %v, %v", tt.name, got, err)
		}
		set := make(map[string]string)
		for _, o := range got.GetOkResponse().GetHeaders() {
			name := o.GetHeader().GetKey()
			if set[name] != "" {
				t.Errorf("%s: %s is set twice", tt.name, name)
			}
			set[name] = o.GetHeader().GetValue()
		}
		maps.DeleteFunc(set, func(name, _ string) bool { return strings.HasPrefix(name, "x-auth-") })
		removed := slices.DeleteFunc(got.GetOkResponse().GetHeadersToRemove(), func(name string) bool {
			return slices.Contains([]string{"authorization", "cookie", "sec-websocket-protocol", "dpop"}, name)
		})
		if !maps.Equal(set, tt.set) || !slices.Equal(removed, tt.removed) {
			t.Errorf("%s: %q set and %q removed, want %q and %q", tt.name, set, removed, tt.set, tt.removed)
		}
	}
}
