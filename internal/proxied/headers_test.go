package proxied_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/proxied"
)

func TestValue(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"auth0|1, \"x\"": `auth0|1,%20"x"`,
		"a\tb\x7f":       "a%09b%7F",
		"é":              "%C3%A9",
		"%":              "%25",
		"":               "",
	} {
		if got := proxied.Value(value); got != want {
			t.Errorf("proxied.Value(%q) = %q, want %q", value, got, want)
		}
	}
}

func FuzzValue(f *testing.F) {
	f.Add("auth0|1")
	f.Add("a\r\nb%é")
	f.Fuzz(func(t *testing.T, value string) {
		got := proxied.Value(value)
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("proxied.Value(%q) = %q is not visible ASCII", value, got)
		}
		if back, err := url.PathUnescape(got); err != nil || back != value {
			t.Errorf("proxied.Value(%q) = %q decodes to %q, %v", value, got, back, err)
		}
	})
}

// A list is the same after encoding and decoding, whatever its values are.
func FuzzList(f *testing.F) {
	f.Add("admin", "owner,x")
	f.Add("%2C", "\r\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		if a == "" || b == "" {
			return
		}
		text := proxied.List(func(yield func(string) bool) { _ = yield(a) && yield(b) })
		var back []string
		for part := range strings.SplitSeq(text, ",") {
			value, err := url.PathUnescape(part)
			if err != nil {
				t.Fatal(err)
			}
			back = append(back, value)
		}
		if len(back) != 2 || back[0] != a || back[1] != b {
			t.Errorf("proxied.List(%q, %q) = %q, which is %q", a, b, text, back)
		}
	})
}

func TestList(t *testing.T) {
	t.Parallel()
	for want, values := range map[string][]string{"": nil, "a": {"a"}, "a,b": {"a", "", "b"}, "a%2Cb,c": {"a,b", "c"}} {
		if got := proxied.List(slices.Values(values)); got != want {
			t.Errorf("proxied.List(%q) = %q, want %q", values, got, want)
		}
	}
}

// What a token can stand in is taken out of a request before it is handed on.
func TestTokenHeaders(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Authorization", "Cookie", "Sec-WebSocket-Protocol", "DPoP"} {
		if !slices.Contains(proxied.TokenHeaders[:], http.CanonicalHeaderKey(name)) {
			t.Errorf("%s is not among %q", name, proxied.TokenHeaders)
		}
	}
}

// What is left of a client's headers is handed on in one line.
func TestLeft(t *testing.T) {
	t.Parallel()
	h := http.Header{"Cookie": {"a=1", "b=2; c=3"}, "Sec-Websocket-Protocol": {"chat", "v2"}}
	for name, want := range map[string]string{"Cookie": "a=1; b=2; c=3", "Sec-Websocket-Protocol": "chat, v2", "Authorization": ""} {
		if got := proxied.Left(h, name); got != want {
			t.Errorf("Left(%s) = %q, want %q", name, got, want)
		}
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"X-Auth-Roles": true, "Remote-User": true, "x-a": true,
		"": false, "X-": false, "Remote-": false, "X-A_B": false, "X-A.B": false, "X-A B": false, "X-\u00e9": false, "Authorization": false, "Cookie": false,
		"X-Forwarded-User": false, "X-Original-Uri": false, "X-Real-Ip": false, "X-Envoy-Auth-Headers-To-Remove": false,
	} {
		if err := proxied.CheckName(name); (err == nil) != good {
			t.Errorf("CheckName(%q) = %v, want good %t", name, err, good)
		}
	}
}

// Whatever servers that make a variable of a header's name take for one of the set is an
// alias, and the header itself is not.
func TestNames_Aliases(t *testing.T) {
	t.Parallel()
	names := proxied.NamesOf("X-Auth-Identity", "Remote-User")
	h := http.Header{}
	for _, name := range []string{
		"X-Auth-Identity", "x-auth-identity", "Remote-User", "X-Auth--Identity", "X_Auth_Identity_2", "X_Other", "XAuthIdentity",
		"X_Auth_Identity", "x.auth-IDENTITY", "X~Auth`Identity", "remote|user", "X\u00e4Auth-Identity",
	} {
		h[name] = nil
	}
	want := []string{"X_Auth_Identity", "X~Auth`Identity", "X\u00e4Auth-Identity", "remote|user", "x.auth-IDENTITY"}
	if got := names.Aliases(h); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := proxied.NamesOf().Aliases(h); got != nil {
		t.Errorf("of no names: got %q", got)
	}
}

// What a client calls the connection's own loses what is said of the caller, in whatever
// spelling, and nothing else.
func TestNames_Connection(t *testing.T) {
	t.Parallel()
	names := proxied.NamesOf("X-Auth-Identity", "X-Auth-Roles")
	for _, tt := range []struct {
		values []string
		left   string
		named  bool
	}{
		{nil, "", false},
		{[]string{"Upgrade"}, "Upgrade", false},
		{[]string{"keep-alive, X-Other", "Upgrade"}, "keep-alive, X-Other, Upgrade", false},
		{[]string{"upgrade, X-Auth-Identity"}, "upgrade", true},
		{[]string{"x_auth_IDENTITY ,\tkeep-alive", "\"x-auth-roles\", x~auth~roles;q=1"}, "keep-alive", true},
		{[]string{"X-Auth-Identity"}, "", true},
		{[]string{"X-Auth-Identity-2, X-Auth"}, "X-Auth-Identity-2, X-Auth", false},
	} {
		left, named := names.Connection(http.Header{"Connection": tt.values})
		if left != tt.left || named != tt.named {
			t.Errorf("Connection(%q) = %q, %t, want %q, %t", tt.values, left, named, tt.left, tt.named)
		}
	}
}
