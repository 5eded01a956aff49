package extract_test

import (
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/extract"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// jwt has the form of one.
const jwt = "eyJhbGciOiJub25lIn0.e30.c2ln"

func inBase64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// Published clients get their tokens through, and no form leaves one behind,
// accepted or not.
func TestSubprotocolForm(t *testing.T) {
	long := strings.Repeat("abcdefgh", 8)
	const jupyter, kubernetes = "v1.token.websocket.jupyter.org", "base64url.bearer.authorization.k8s.io."
	for _, tt := range []struct {
		name    string
		prefix  string
		paired  bool
		offered string
		want    string // the token
		left    string
		err     error
	}{
		{"a name and the token", "bearer", true, "bearer, " + jwt, jwt, "bearer", nil},
		{"a name and the token in base64url", "bearer", true, "bearer, " + inBase64(jwt), jwt, "bearer", nil},
		{"another name", "Authorization", true, "Authorization, " + jwt, jwt, "Authorization", nil},
		{"others around them", "bearer", true, "v1, bearer, " + jwt + ", v2", jwt, "v1, bearer, v2", nil},
		{"an opaque token", "bearer", true, "bearer, 0pa-que~", "0pa-que~", "bearer", nil},
		{"the pair twice", "bearer", true, "bearer, " + jwt + ", bearer, " + jwt, jwt, "bearer, bearer", nil},
		{"the pair twice, once in base64url", "bearer", true, "bearer, " + jwt + ", bearer, " + inBase64(jwt), jwt, "bearer, bearer", nil},
		{"the name twice", "bearer", true, "bearer, bearer, " + jwt, jwt, "bearer, bearer", nil},
		{"the name twice and nothing", "bearer", true, "bearer, bearer", "", "bearer, bearer", refusal.ErrNoToken},
		{"two pairs", "bearer", true, "bearer, " + jwt + ", bearer, x", "", "bearer, bearer", refusal.ErrMalformedRequest},
		{"an opaque token that is base64url", "bearer", true, "bearer, YWJj", "YWJj", "bearer", nil},
		{"a name that begins alike", "bearer", true, "bearer.x, bearery, v1", "", "bearer.x, bearery, v1", refusal.ErrNoToken},
		{"a name in capitals", "bearer", true, "Bearer, v1", "", "Bearer, v1", refusal.ErrNoToken},
		{"a name and nothing", "bearer", true, "v1, bearer", "", "v1, bearer", refusal.ErrNoToken},
		{"a name and what is no token", "bearer", true, `bearer, "x"`, "", "bearer", refusal.ErrMalformedRequest},
		{"no name", "bearer", true, "v1, v2", "", "v1, v2", refusal.ErrNoToken},

		{"Jupyter", jupyter + ".", false, jupyter + ", " + jupyter + "." + jwt, jwt, jupyter, nil},
		{"Jupyter, another order", jupyter + ".", false, jupyter + "." + jwt + "," + jupyter, jwt, jupyter, nil},
		{"Kubernetes", kubernetes, false, "base64.binary.k8s.io, " + kubernetes + inBase64(jwt), jwt, "base64.binary.k8s.io", nil},
		{"alone", kubernetes, false, kubernetes + inBase64(jwt), jwt, "", nil},
		{"two that are one", "t.", false, "t." + jwt + ", t." + inBase64(jwt) + ", v1", jwt, "v1", nil},
		{"two that differ", "t.", false, "t." + jwt + ", t.x, v1", "", "v1", refusal.ErrMalformedRequest},
		{"nothing behind the prefix", "t.", false, "t., v1", "", "v1", refusal.ErrMalformedRequest},
		{"base64url with padding, which is what it is", "t.", false, "t." + inBase64("ab") + "=, v1", inBase64("ab") + "=", "v1", nil},
		{"a JWT without the prefix", "t.", false, "v1, " + jwt, "", "v1, " + jwt, refusal.ErrNoToken},
		{"another prefix", "t.", false, "u." + jwt, "", "u." + jwt, refusal.ErrNoToken},

		{"a JWT alone", "", false, jwt, jwt, "", nil},
		{"a JWT among others", "", false, "graphql.ws.v1, " + jwt + ", v2", jwt, "graphql.ws.v1, v2", nil},
		{"two JWTs", "", false, jwt + ", " + jwt + "x", "", "", refusal.ErrMalformedRequest},
		{"names with two dots", "", false, "graphql.ws.v1, e30x.b.c", "", "graphql.ws.v1, e30x.b.c", refusal.ErrNoToken},
		{"the shortest header", "", false, "v1, e30.b.c", "e30.b.c", "v1", nil},
		{"too few parts and too many", "", false, "e30, e30.b, e30.b.c.d", "", "e30, e30.b, e30.b.c.d", refusal.ErrNoToken},
		{"headers that are no object", "", false, ".b.c, ew.b.c, fQ.b.c, eH0.b.c, e3g.b.c", "", ".b.c, ew.b.c, fQ.b.c, eH0.b.c, e3g.b.c", refusal.ErrNoToken},
		{"a header with padding", "", false, "e30=.b.c", "", "e30=.b.c", refusal.ErrNoToken},
		{"what is no token in two parts", "", false, `e30.b.c"`, "", `e30.b.c"`, refusal.ErrNoToken},
		{"none", "", false, "", "", "", refusal.ErrNoToken},

		{"a copy of a short one", "t.", false, "t.abc, abc, v1, xabc", "abc", "v1, xabc", nil},
		{"a copy of a short one in base64url", "t.", false, "t.abc, YWJj, v1, xYWJj", "abc", "v1, xYWJj", nil},
		{"63 bytes in another", "t.", false, "t." + long[1:] + ", x" + long[1:], long[1:], "x" + long[1:], nil},
		{"64 bytes in another", "t.", false, "t." + long + ", v1, x" + long, long, "v1", nil},
		{"64 bytes in another in base64url", "t.", false, "t." + long + ", v1, x" + inBase64(long), long, "v1", nil},
		{"a long list", "", false, strings.Repeat("v1,", 64) + jwt, "", "", refusal.ErrMalformedRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			take := must(t)(extract.SubprotocolForm(tt.prefix, tt.paired))
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Sec-Websocket-Protocol", tt.offered)
			got, err := take(r)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v, want %q, %v", got, err, tt.want, tt.err)
			}
			if left := r.Header.Get("Sec-Websocket-Protocol"); left != tt.left {
				t.Errorf("left %q, want %q", left, tt.left)
			}
			if err != nil && strings.Contains(err.Error(), "ln") && strings.Contains(err.Error(), jwt) {
				t.Errorf("error = %v, which repeats the token", err)
			}
		})
	}
}

// Where there is no token, the refusal says what was looked for.
func TestSubprotocolForm_Says(t *testing.T) {
	for _, tt := range []struct {
		prefix string
		paired bool
		said   string
	}{
		{"bearer", true, `a token after the subprotocol "bearer"`},
		{"", false, "a subprotocol that is a JWT"},
		{"t.", false, `a subprotocol that begins with "t."`},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Sec-Websocket-Protocol", "v1")
		_, err := must(t)(extract.SubprotocolForm(tt.prefix, tt.paired))(r)
		if !errors.Is(err, refusal.ErrNoToken) || !strings.HasSuffix(err.Error(), tt.said) {
			t.Errorf("error = %v, want %v that says %s", err, refusal.ErrNoToken, tt.said)
		}
	}
}

// Several forms of one request find one token, or the request is malformed.
func TestSubprotocolForm_Several(t *testing.T) {
	forms := extract.First([]extract.Func{
		extract.Subprotocol, must(t)(extract.SubprotocolForm("bearer", true)),
		must(t)(extract.SubprotocolForm("t.", false)), must(t)(extract.SubprotocolForm("", false)),
	})
	for offered, want := range map[string]error{
		"bearer." + inBase64(jwt) + ", v1":       nil,
		"bearer, " + jwt:                         nil,
		"v1, t." + jwt:                           nil,
		jwt:                                      nil,
		"t." + jwt + ", bearer, " + jwt + ", v1": nil,
		"t." + jwt + ", bearer, " + jwt + "x, v1": refusal.ErrMalformedRequest,
		"v1": refusal.ErrNoToken,
		"bearer." + inBase64(jwt+"x") + ", v1, " + "t." + jwt:   refusal.ErrMalformedRequest,
		"bearer." + inBase64(jwt) + ", v1, " + jwt + ", bearer": nil,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Sec-Websocket-Protocol", offered)
		got, err := forms(r)
		if !errors.Is(err, want) || (want == nil) != (got == jwt) {
			t.Errorf("%s: got %q, %v, want %v", offered, got, err, want)
		}
		if left := r.Header.Get("Sec-Websocket-Protocol"); strings.Contains(left, "eyJ") || strings.Contains(left, inBase64("eyJ")) {
			t.Errorf("%s: left %q", offered, left)
		}
	}
}

// A header holds a token and nothing else.
func TestHeader(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []string
		want   string
		err    error
	}{
		{"the token", []string{jwt}, jwt, nil},
		{"with a scheme", []string{"Bearer " + jwt}, jwt, nil},
		{"with a scheme in small letters", []string{"bearer  " + jwt}, jwt, nil},
		{"twice", []string{jwt, "Bearer " + jwt}, jwt, nil},
		{"two", []string{jwt, "x"}, "", refusal.ErrMalformedRequest},
		{"two in one", []string{jwt + ", " + jwt}, "", refusal.ErrMalformedRequest},
		{"another scheme", []string{"Basic eDp5"}, "", refusal.ErrMalformedRequest},
		{"a scheme alone", []string{"Bearer"}, "", refusal.ErrNoToken},
		{"empty", []string{""}, "", refusal.ErrNoToken},
		{"none", nil, "", refusal.ErrNoToken},
	} {
		take := must(t)(extract.Header("cf-access-jwt-assertion"))
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["X-Other"] = []string{jwt}
		if tt.values != nil {
			r.Header["Cf-Access-Jwt-Assertion"] = tt.values
		}
		got, err := take(r)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %q, %v, want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
		if left, found := r.Header["Cf-Access-Jwt-Assertion"]; found || r.Header.Get("X-Other") != jwt {
			t.Errorf("%s: left %q and %q, want the other header alone", tt.name, left, r.Header.Get("X-Other"))
		}
	}
}

// Arguments that can never be right are errors when the function is made.
func TestPlaces_Arguments(t *testing.T) {
	for name, make := range map[string]func() (extract.Func, error){
		"header without name":       func() (extract.Func, error) { return extract.Header("") },
		"header with a space":       func() (extract.Func, error) { return extract.Header("X Token") },
		"header with a colon":       func() (extract.Func, error) { return extract.Header("X-Token:") },
		"Authorization":             func() (extract.Func, error) { return extract.Header("authorization") },
		"Cookie":                    func() (extract.Func, error) { return extract.Header("cookie") },
		"Sec-WebSocket-Protocol":    func() (extract.Func, error) { return extract.Header("Sec-WebSocket-Protocol") },
		"a pair without name":       func() (extract.Func, error) { return extract.SubprotocolForm("", true) },
		"a pair, a name of two":     func() (extract.Func, error) { return extract.SubprotocolForm("a, b", true) },
		"a prefix with white space": func() (extract.Func, error) { return extract.SubprotocolForm("a ", false) },
	} {
		if take, err := make(); err == nil || take != nil {
			t.Errorf("%s: error = %v, want one", name, err)
		}
	}
}
