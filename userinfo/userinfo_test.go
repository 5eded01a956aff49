package userinfo_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/mtls"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
	"github.com/oidcauth/oidcauth/userinfo"
)

// An endpoint answers as the test says.
func newEndpoint(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	s := httptest.NewTLSServer(answer)
	t.Cleanup(s.Close)
	return s
}

func newAuthenticator(t *testing.T, s *httptest.Server, url string, claims ...string) (*oidcauth.Authenticator, *oidctest.Issuer) {
	t.Helper()
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": "my-db"}})
	ask, err := userinfo.Supplement(s.Client(), url, claims...)
	if err != nil {
		t.Fatal(err)
	}
	a, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}, Roles: []oidcauth.Path{{"groups"}}, Supplement: ask}},
		Client:  issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a, issuer
}

func TestSupplement(t *testing.T) {
	json := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			fmt.Fprint(w, body)
		}
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		roles  string
		want   error
	}{
		{"groups", json(`{"sub":"alice","groups":["staff"],"email":"a@b.test","exp":1}`), "staff", nil},
		{"no groups", json(`{"sub":"alice"}`), "", nil},
		{"a subject in an escape", json(`{"sub":"\u0061lice","groups":["staff"]}`), "staff", nil},
		{"another's answer", json(`{"sub":"Alice","groups":["staff"]}`), "", oidcauth.ErrAnswerUnavailable},
		{"nobody's answer", json(`{"groups":["staff"]}`), "", oidcauth.ErrAnswerUnavailable},
		{"a subject as a number", json(`{"sub":1,"groups":["staff"]}`), "", oidcauth.ErrAnswerUnavailable},
		{"two subjects", json(`{"sub":"alice","sub":"bob"}`), "", oidcauth.ErrAnswerUnavailable},
		{"no object", json(`[]`), "", oidcauth.ErrAnswerUnavailable},
		{"long, of which little is taken", json(`{"sub":"alice","groups":"staff","x":"` + strings.Repeat("x", 200<<10) + `"}`), "staff", nil},
		{"a signed answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwt")
		}, "", oidcauth.ErrAnswerUnavailable},
		{"401", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "", oidcauth.ErrRevoked},
		{"403", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "", oidcauth.ErrAnswerUnavailable},
		{"500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "", oidcauth.ErrAnswerUnavailable},
		{"no answer of HTTP", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+strings.Repeat("x", 100<<10)+"\r\n\r\n")
		}, "", oidcauth.ErrAnswerUnavailable},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/else" {
				json(`{"sub":"alice","groups":["staff"]}`)(w, r)
				return
			}
			http.Redirect(w, r, "/else", http.StatusFound)
		}, "", oidcauth.ErrAnswerUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var presented []string
			s := newEndpoint(t, func(w http.ResponseWriter, r *http.Request) {
				presented = append(presented, r.Header.Get("Authorization"))
				if accept := r.Header.Get("Accept"); accept != "application/json" {
					t.Errorf("Accept: %q, want application/json", accept)
				}
				tt.answer(w, r)
			})
			a, issuer := newAuthenticator(t, s, s.URL+"/userinfo", "groups", "missing")
			token := issuer.Token(nil)
			c, err := a.Authenticate(t.Context(), token)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Authenticate() error = %v, want %v", err, tt.want)
			}
			if !slices.Equal(presented, []string{"Bearer " + token}) {
				t.Errorf("%d requests, or another token", len(presented))
			}
			if err != nil {
				if strings.Contains(err.Error(), token) {
					t.Error("the error holds the token")
				}
				if len(err.Error()) > 500 {
					t.Errorf("an error of %d bytes", len(err.Error()))
				}
				return
			}
			if roles := strings.Join(slices.Collect(c.Roles()), "+"); roles != tt.roles || strings.Contains(string(c.Supplement()), "email") {
				t.Errorf("roles %q of %s, want %q", roles, c.Supplement(), tt.roles)
			}
		})
	}
}

// That the endpoint does not take a bound token without proof says nothing of the token.
func TestSupplement_Bound(t *testing.T) {
	var status atomic.Int32
	status.Store(http.StatusUnauthorized)
	s := newEndpoint(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(status.Load()))
		io.WriteString(w, `{"sub":"alice","groups":["staff"]}`)
	})
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": "my-db"}})
	ask, err := userinfo.Supplement(s.Client(), s.URL, "groups")
	if err != nil {
		t.Fatal(err)
	}
	a, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}, Roles: []oidcauth.Path{{"groups"}}, Supplement: ask}},
		Client:  issuer.Client(), Certificate: mtls.Connection,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	certificate := &x509.Certificate{Raw: []byte("own")}
	ctx := possession.NewContext(t.Context(), possession.Proof{Certificate: certificate})
	token := issuer.Token(map[string]any{"cnf": map[string]any{"x5t#S256": possession.Thumbprint(certificate)}})
	if _, err := a.Authenticate(ctx, token); !errors.Is(err, oidcauth.ErrAnswerUnavailable) {
		t.Errorf("401: Authenticate() error = %v, want %v", err, oidcauth.ErrAnswerUnavailable)
	}
	status.Store(http.StatusOK) // of an endpoint that does not ask for proof
	if c, err := a.Authenticate(ctx, issuer.Token(map[string]any{"jti": "2", "cnf": map[string]any{"x5t#S256": possession.Thumbprint(certificate)}})); err != nil || !c.HasRole("staff") {
		t.Errorf("200: Authenticate() error = %v, want none, and the role", err)
	}
}

// An issuer that names callers by numbers does so at its endpoint, too.
func TestSupplement_NumericSubject(t *testing.T) {
	for sub, want := range map[string]error{`7`: nil, `"7"`: oidcauth.ErrAnswerUnavailable, `8`: oidcauth.ErrAnswerUnavailable, `7.0`: oidcauth.ErrAnswerUnavailable, `""`: oidcauth.ErrAnswerUnavailable} {
		s := newEndpoint(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"sub":%s,"groups":["staff"]}`, sub)
		})
		issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"sub": 7, "aud": "my-db"}})
		ask, err := userinfo.Supplement(s.Client(), s.URL, "groups")
		if err != nil {
			t.Fatal(err)
		}
		a, err := oidcauth.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}, Roles: []oidcauth.Path{{"groups"}}, NumericSubject: true, Supplement: ask}},
			Client:  issuer.Client(),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		c, err := a.Authenticate(t.Context(), issuer.Token(nil))
		if !errors.Is(err, want) || err == nil && !c.HasRole("staff") {
			t.Errorf("an answer about %s: Authenticate() error = %v, want %v", sub, err, want)
		}
	}
}

func TestSupplement_Arguments(t *testing.T) {
	for _, tt := range []struct {
		name, endpoint string
		claims         []string
		ok             bool
	}{
		{"https", "https://issuer.test/userinfo", []string{"groups"}, true},
		{"http", "http://issuer.test/userinfo", []string{"groups"}, false},
		{"a fragment", "https://issuer.test/userinfo#a", []string{"groups"}, false},
		{"no host", "https:///userinfo", []string{"groups"}, false},
		{"no URL", "issuer.test/userinfo", []string{"groups"}, false},
		{"a password in it", "https://a:hunter2@issuer.test/userinfo", []string{"groups"}, false},
		{"no claims", "https://issuer.test/userinfo", nil, false},
		{"the subject", "https://issuer.test/userinfo", []string{"groups", "sub"}, false},
		{"a claim without a name", "https://issuer.test/userinfo", []string{"groups", ""}, false},
		{"a claim twice", "https://issuer.test/userinfo", []string{"groups", "email", "groups"}, false},
	} {
		if _, err := userinfo.Supplement(nil, tt.endpoint, tt.claims...); (err == nil) != tt.ok || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: Supplement() error = %v", tt.name, err)
		}
	}
}

// A body notes how much is read of it, and that it is closed.
type body struct {
	io.Reader
	read   int
	closed bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

func (b *body) Close() error {
	b.closed = true
	return nil
}

// A round gives one answer, or none.
type round func() (*http.Response, error)

func (f round) RoundTrip(*http.Request) (*http.Response, error) { return f() }

// ask asks an endpoint that is given by its answer, of a token about nobody.
func ask(t *testing.T, endpoint round) (string, error) {
	t.Helper()
	ask, err := userinfo.Supplement(&http.Client{Transport: endpoint}, "https://issuer.test/userinfo", "groups")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ask(t.Context(), nil, "token")
	return string(got), err
}

// However an answer fails, its cause is told, without the address. It is read up to its
// bound, and closed.
func TestSupplement_Body(t *testing.T) {
	t.Parallel()
	const most = 256 << 10
	broken := errors.New("broken off")
	for _, tt := range []struct {
		name   string
		status int
		body   io.Reader
		read   int
		want   string
	}{
		{"refused", 401, strings.NewReader("{}"), 0, "token revoked, says the userinfo endpoint"},
		{"another status", 500, strings.NewReader("{}"), 0, "userinfo: got status 500, want 200"},
		{"broken off", 200, io.MultiReader(strings.NewReader("{"), iotest.ErrReader(broken)), 1, "userinfo: broken off"},
		{"as long as may be", 200, strings.NewReader("{}" + strings.Repeat(" ", most-2)), most, "userinfo: the answer is not about the token's subject"},
		{"longer", 200, strings.NewReader("{}" + strings.Repeat(" ", most-1)), most + 1, "userinfo: got more than 262144 bytes"},
		{"much longer", 200, strings.NewReader(strings.Repeat(" ", 2*most)), most + 1, "userinfo: got more than 262144 bytes"},
	} {
		b := &body{Reader: tt.body}
		got, err := ask(t, func() (*http.Response, error) {
			return &http.Response{StatusCode: tt.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: b}, nil
		})
		if got != "" || err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %q, error = %v, want %s", tt.name, got, err, tt.want)
		}
		if b.read != tt.read || !b.closed {
			t.Errorf("%s: read %d bytes, closed %t, want %d and closed", tt.name, b.read, b.closed, tt.read)
		}
	}
	_, err := ask(t, func() (*http.Response, error) {
		return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"30"}}, Body: http.NoBody}, nil
	})
	var busy interface{ RetryAfter() time.Duration }
	if !errors.As(err, &busy) || busy.RetryAfter() != 30*time.Second || err.Error() != "userinfo: got status 429, want 200" {
		t.Errorf("too many requests: error = %v, want one that says when to ask again", err)
	}
	none := errors.New("no route")
	if got, err := ask(t, func() (*http.Response, error) { return nil, none }); got != "" || !errors.Is(err, none) || err.Error() != "userinfo: no route" {
		t.Errorf("without an answer: got %q, error = %v, want userinfo: no route", got, err)
	}
}

// A nil context is an error, and does not take the process down.
func TestSupplement_NilContext(t *testing.T) {
	ask, err := userinfo.Supplement(nil, "https://issuer.test/userinfo", "groups")
	if err != nil {
		t.Fatal(err)
	}
	var none context.Context
	if _, err := ask(none, nil, "token"); err == nil || !strings.Contains(err.Error(), "nil context") {
		t.Errorf("error = %v, want one about the nil context", err)
	}
}
