package main

import (
	"testing"
)

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rule, path string
		want       bool
	}{
		{"/", "/", true}, {"/", "/x", true}, {"/admin", "/admin", true}, {"/admin", "/admin/", true}, {"/admin", "/admin/x", true},
		{"/admin", "/administrator", false}, {"/admin", "/", false}, {"/admin/x", "/admin", false}, {"/admin", "/Admin", false},
	} {
		if got := covers(tt.rule, tt.path); got != tt.want {
			t.Errorf("covers(%q, %q) = %t", tt.rule, tt.path, got)
		}
	}
}

// The address at which Envoy asks ends with whatever the client's path is.
func TestCutForwardPath(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{ // route, a space, and the rest
		"/v1/forward-auth/":                             " /",
		"/v1/forward-auth//x":                           " //x",
		"/v1/forward-auth/../whoami":                    " /../whoami",
		"/v1/forward-auth/v1/route/a/forward-auth/x":    " /v1/route/a/forward-auth/x",
		"/v1/route/a/forward-auth/x?y":                  "a /x?y",
		"/v1/route/a/forward-auth/../../b/forward-auth": "a /../../b/forward-auth",
		"/v1/forward-auth":                              "",
		"/v1/forward-authx":                             "",
		"/v1/forward-auth?x":                            "",
		"/v1/route//forward-auth/x":                     "",
		"/v1/route/../forward-auth/x":                   "",
		"/v1/route/a/b/forward-auth/x":                  "",
		"/v1/route/a%2Fb/forward-auth/x":                "",
		"/v1/whoami":                                    "",
		"/healthz":                                      "",
	} {
		route, rest, found := cutForwardPath(uri)
		if got := route + " " + rest; found != (want != "") || found && got != want {
			t.Errorf("cutForwardPath(%q) = %q, %t, want %q", uri, got, found, want)
		}
	}
}
