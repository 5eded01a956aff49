package extract_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/extract"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

const token = "aaa.bbb.ccc"

// must returns a function that was made of good arguments.
func must(t *testing.T) func(extract.Func, error) extract.Func {
	return func(take extract.Func, err error) extract.Func {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return take
	}
}

// What is left of a request is what it would have been without the token.
func TestLeft(t *testing.T) {
	t.Parallel()
	query := must(t)(extract.Query("t"))
	cookie := must(t)(extract.Cookie("c", []string{"https://app.test"}))
	const header, referer, protocol = "Authorization", "Referer", "Sec-Websocket-Protocol"
	tests := []struct {
		name       string
		take       extract.Func
		address    string
		headers    [2]string // a name and a value; empty for none
		wantFound  bool
		wantTarget string
		want       string // of the header
	}{
		{"bearer", extract.Bearer, "/", [2]string{header, "Bearer " + token}, true, "/", ""},
		{"bearer, another scheme", extract.Bearer, "/", [2]string{header, "Basic x"}, false, "/", "Basic x"},
		{"bearer, a scheme that begins alike", extract.Bearer, "/", [2]string{header, "Bearer-x y"}, false, "/", "Bearer-x y"},
		{"subprotocol", extract.Subprotocol, "/", [2]string{protocol, "v1, bearer.YWFhLmJiYi5jY2M,v2"}, true, "/", "v1, v2"},
		{"subprotocol, none of a token", extract.Subprotocol, "/", [2]string{protocol, "v1,v2"}, false, "/", "v1,v2"},
		{"cookie", cookie, "/", [2]string{"Cookie", "a=1;c=" + token + "; b=2"}, true, "/", "a=1; b=2"},
		{"cookie alone", cookie, "/", [2]string{"Cookie", "c=" + token}, true, "/", ""},
		{"cookie in quotes", cookie, "/", [2]string{"Cookie", `c="` + token + `"`}, true, "/", ""},
		{"cookie of another name", cookie, "/", [2]string{"Cookie", "cc=" + token}, false, "/", "cc=" + token},
		{"query", query, "/p?t=" + token, [2]string{}, true, "/p", ""},
		{"query, the rest as it was written", query, "/p?b=%7e&t=" + token + "&a=+&&x;y", [2]string{}, true, "/p?b=%7e&a=+&&x;y", ""},
		{"query, name in escapes", query, "/p?%74=" + token, [2]string{}, true, "/p", ""},
		{"query, of another name", query, "/p?tt=" + token + "&T=x", [2]string{}, false, "/p?tt=" + token + "&T=x", ""},
		{"query, in the page's address too", query, "/p?t=" + token, [2]string{referer, "https://a.test/?a=1&t=" + token + "#f"}, true, "/p", "https://a.test/?a=1#f"},
		{"query, in the page's address alone", query, "/p", [2]string{referer, "https://a.test/?t=" + token}, false, "/p", "https://a.test/"},
		{"page's address without it", query, "/p", [2]string{referer, "https://a.test/?x=t#t=1"}, false, "/p", "https://a.test/?x=t#t=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", tt.address, nil)
			if tt.headers[0] != "" {
				r.Header.Set(tt.headers[0], tt.headers[1])
			}
			got, err := tt.take(r)
			if tt.wantFound != (err == nil && got == token) || !tt.wantFound && !errors.Is(err, refusal.ErrNoToken) {
				t.Errorf("got %q, %v, want the token: %t", got, err, tt.wantFound)
			}
			if r.RequestURI != tt.wantTarget || r.URL.RequestURI() != tt.wantTarget {
				t.Errorf("left %q and %q, want %q", r.RequestURI, r.URL.RequestURI(), tt.wantTarget)
			}
			if left := r.Header.Get(tt.headers[0]); left != tt.want {
				t.Errorf("left %q, want %q", left, tt.want)
			}
		})
	}
}

// Without its token a request's target has the path that the client wrote, by which rules
// are judged: the address may have another spelling of it.
func TestQuery_PathAsWritten(t *testing.T) {
	t.Parallel()
	take, err := extract.Query("t")
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{
		"/a%2Fb^?t=" + token:                   "/a%2Fb^",
		"/%61|?x=1&t=" + token + "&y=/?":       "/%61|?x=1&y=/?",
		"http://a.test/a%2Fb^?t=" + token:      "http://a.test/a%2Fb^",
		"http://a.test?b=c&t=" + token + "&t=": "http://a.test?b=c",
	} {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{Method: "GET", URL: u, RequestURI: target, Header: http.Header{}}
		take(r)
		if r.RequestURI != want {
			t.Errorf("of %s left %s, want %s", target, r.RequestURI, want)
		}
	}
	asks := httptest.NewRequest("GET", "/p?b=c&t="+token, nil)
	asks.RequestURI = "" // a client's, or a program's own
	if _, err := take(asks); err != nil || asks.RequestURI != "/p?b=c" {
		t.Errorf("without a target: left %q, %v", asks.RequestURI, err)
	}
}

// Arguments that can never be right are errors when the function is made.
func TestArguments(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func() (extract.Func, error){
		"query without name":  func() (extract.Func, error) { return extract.Query("") },
		"cookie without name": func() (extract.Func, error) { return extract.Cookie("", nil) },
		"cookie with a space": func() (extract.Func, error) { return extract.Cookie("a b", nil) },
		"origin with a path":  func() (extract.Func, error) { return extract.Cookie("a", []string{"https://a.test/"}) },
	} {
		if take, err := make(); err == nil || take != nil {
			t.Errorf("%s: error = %v, want one", name, err)
		}
	}
}

// What took the token from two places cuts it out of headers where somebody else
// has left it, if it is long enough to be no accident.
func TestFirst_Copies(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 70) + ".b.c"
	for _, tt := range []struct{ name, token, header, value, want string }{
		{"whole", long, "X-Assertion", long, ""},
		{"a scheme before it", long, "X-Auth", "bearer " + long, ""},
		{"words around it", long, "X-Auth", "a " + long + " b", "a  b"},
		{"a cookie", long, "Cookie", "x=1; y=" + long + "; z=2", "x=1; z=2"},
		{"a cookie alone", long, "Cookie", "y=" + long, ""},
		{"a short one", token, "X-Assertion", token, token},
		{"no copy", long, "X-Assertion", "a", "a"},
		{"64 bytes", long[:64], "X-Assertion", long[:64], ""},
		{"63 bytes", long[:63], "X-Assertion", long[:63], long[:63]},
		{"one within another, and what a proxy adds", long, "X-Forwarded-For", long[:40] + long + long[40:] + ", 192.0.2.1", long[:40] + " " + long[40:] + ", 192.0.2.1"},
	} {
		r := httptest.NewRequest("GET", "/?t="+tt.token, nil)
		r.Header.Set("Authorization", "Bearer "+tt.token)
		r.Header.Set(tt.header, tt.value)
		got, err := extract.First([]extract.Func{extract.Bearer, must(t)(extract.Query("t"))})(r)
		if err != nil || got != tt.token || r.Header.Get(tt.header) != tt.want {
			t.Errorf("%s: got %q, %v, left %q, want %q", tt.name, got, err, r.Header.Get(tt.header), tt.want)
		}
	}
}

// Who brings no token is told all that was looked for.
func TestFirst_Wants(t *testing.T) {
	t.Parallel()
	inner := extract.First([]extract.Func{must(t)(extract.Query("t")), func(*http.Request) (string, error) { return "", nil }})
	_, err := extract.First([]extract.Func{extract.Bearer, inner})(httptest.NewRequest("GET", "/", nil))
	const want = `want an Authorization header with a bearer token, or a query parameter "t"`
	if !errors.Is(err, refusal.ErrNoToken) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error = %v, want %v, %s", err, refusal.ErrNoToken, want)
	}
}

// What is beside a copy stays as it is, and so does everything where the token stood in
// one place alone.
func TestFirst_LeavesOthers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 70) + ".b.c"
	for _, tt := range []struct {
		target string
		left   []string
	}{
		{"/?t=" + long, []string{" a ", "b"}},
		{"/", []string{" a ", long, "b " + long}},
	} {
		r := httptest.NewRequest("GET", tt.target, nil)
		r.Header.Set("Authorization", "Bearer "+long)
		r.Header["X-Values"] = []string{" a ", long, "b " + long}
		got, err := extract.First([]extract.Func{extract.Bearer, must(t)(extract.Query("t"))})(r)
		if left := r.Header["X-Values"]; err != nil || got != long || !slices.Equal(left, tt.left) {
			t.Errorf("%s: got %q, %v, left %q, want %q", tt.target, got, err, left, tt.left)
		}
	}
}

// One token in all places, or none.
func TestFirst(t *testing.T) {
	t.Parallel()
	found := func(token string, err error) extract.Func {
		return func(*http.Request) (string, error) { return token, err }
	}
	own := errors.New("own")
	for _, tt := range []struct {
		name   string
		places []extract.Func
		want   error
	}{
		{"one", []extract.Func{found(token, nil)}, nil},
		{"the same twice", []extract.Func{found(token, nil), found(token, nil)}, nil},
		{"two", []extract.Func{found(token, nil), found("x", nil)}, refusal.ErrMalformedRequest},
		{"one, and none", []extract.Func{found("", refusal.ErrNoToken), found(token, nil)}, nil},
		{"one, and neither token nor error", []extract.Func{found("", nil), found(token, nil)}, nil},
		{"one, and an error", []extract.Func{found(token, nil), found("", own)}, refusal.ErrMalformedRequest},
		{"an error alone", []extract.Func{found("", own)}, own},
		{"none", []extract.Func{found("", refusal.ErrNoToken)}, refusal.ErrNoToken},
	} {
		got, err := extract.First(tt.places)(httptest.NewRequest("GET", "/", nil))
		if !errors.Is(err, tt.want) || (tt.want == nil) != (got == token) {
			t.Errorf("%s: got %q, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}
