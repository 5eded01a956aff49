package introspect_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/introspect"
	"github.com/oidcauth/oidcauth/oidctest"
)

// secret is this server's at the issuer.
const secret = "of-this-server-at-the-issuer"

func TestMain(m *testing.M) {
	said.Secret("client's secret", secret)
	said.Secret("client's secret", "from a file of secrets")
	os.Exit(m.Run())
}

// token is one that the issuer knows nothing of.
const token = oidctest.OpaquePrefix + "of-somebody-whom-nobody-knows"

// newAsk is [introspect.New], with its errors and those of what it returns kept.
func newAsk(cfg introspect.Config) (func(context.Context, string) (json.RawMessage, error), error) {
	ask, err := introspect.New(cfg)
	said.Error(err)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, token string) (json.RawMessage, error) {
		answer, err := ask(ctx, token)
		said.Error(err)
		return answer, err
	}, nil
}

// newAuthenticator returns one that asks the issuer about its opaque tokens.
func newAuthenticator(t *testing.T, issuer *oidctest.Issuer) *oidcauth.Authenticator {
	t.Helper()
	ask, err := newAsk(introspect.Config{Issuer: issuer.URL(), Client: issuer.Client(), ClientID: "db", ClientSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	return authtest.NewAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}, Introspect: ask, OpaquePrefix: oidctest.OpaquePrefix}},
		Client:  issuer.Client(),
	})
}

// What is no answer is told apart from one, and says nothing about the token.
func TestNew_Answers(t *testing.T) {
	header := func(name, value string) http.Header { return http.Header{name: {value}} }
	for _, tt := range []struct {
		name        string
		fault, twin oidctest.Fault
		want        error
	}{
		{"a charset", oidctest.Fault{Header: header("Content-Type", "application/json; charset=utf-8")}, oidctest.Fault{}, nil},
		{"another type", oidctest.Fault{Header: header("Content-Type", "text/html")}, oidctest.Fault{}, oidcauth.ErrAnswerUnavailable},
		{"no type", oidctest.Fault{Header: header("Content-Type", "")}, oidctest.Fault{}, oidcauth.ErrAnswerUnavailable},
		{"a signed answer", oidctest.Fault{Header: header("Content-Type", "application/token-introspection+jwt")}, oidctest.Fault{}, oidcauth.ErrAnswerUnavailable},
		{"a redirect", oidctest.Fault{Redirect: "/moved/introspect", Status: 307}, oidctest.Fault{}, oidcauth.ErrAnswerUnavailable},
		{"401", oidctest.Fault{Status: 401}, oidctest.Fault{Status: 200}, oidcauth.ErrAnswerUnavailable},
		{"403", oidctest.Fault{Status: 403}, oidctest.Fault{Status: 200}, oidcauth.ErrAnswerUnavailable},
		{"500", oidctest.Fault{Status: 500}, oidctest.Fault{Status: 200}, oidcauth.ErrAnswerUnavailable},
		{"201", oidctest.Fault{Status: 201}, oidctest.Fault{Status: 200}, oidcauth.ErrAnswerUnavailable},
		{"huge", oidctest.Fault{Pad: 64 << 10}, oidctest.Fault{Pad: 1 << 10}, oidcauth.ErrAnswerUnavailable},
		{"endless", oidctest.Fault{Pad: 1 << 40}, oidctest.Fault{}, oidcauth.ErrAnswerUnavailable},
		{"a bomb", oidctest.Fault{Pad: 1 << 24, Gzip: true}, oidctest.Fault{}, oidcauth.ErrAnswerUnavailable},
		{"slow", oidctest.Fault{Delay: 6 * time.Second}, oidctest.Fault{Delay: 4 * time.Second}, oidcauth.ErrAnswerUnavailable},
		{"slow in pieces", oidctest.Fault{Drip: time.Second}, oidctest.Fault{Drip: time.Second, DripBytes: 1 << 10}, oidcauth.ErrAnswerUnavailable},
		{"never", oidctest.Fault{Hang: true}, oidctest.Fault{}, oidcauth.ErrAnswerUnavailable},
		{"broken off", oidctest.Fault{Cut: true}, oidctest.Fault{}, oidcauth.ErrAnswerUnavailable},
		{"refused", oidctest.Fault{Refuse: true}, oidctest.Fault{}, oidcauth.ErrAnswerUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
				a := newAuthenticator(t, issuer)
				token := issuer.OpaqueToken(nil)
				issuer.FailNext(1, oidctest.Introspection, tt.fault)
				_, err := a.Authenticate(t.Context(), token)
				if !errors.Is(err, tt.want) {
					t.Errorf("error = %v, want %v", err, tt.want)
				}
				if err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "introspect?")) {
					t.Errorf("the token, or an address, in %v", err)
				}
				time.Sleep(2 * time.Second)
				issuer.FailNext(1, oidctest.Introspection, tt.twin)
				if _, err := a.Authenticate(t.Context(), token); err != nil {
					t.Errorf("the twin: error = %v", err)
				}
				a.Close()
			})
		})
	}
}

// A transport answers requests as a test wants.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// A body tells how much of it was read, and whether it was closed.
type body struct {
	io.Reader
	read   int
	closed bool
}

func (b *body) Read(p []byte) (n int, err error) {
	n, err = b.Reader.Read(p)
	b.read += n
	return n, err
}

func (b *body) Close() error {
	b.closed = true
	return nil
}

// An error says what was wrong with an answer, without the address; and nothing is left
// behind.
func TestNew_Says(t *testing.T) {
	t.Parallel()
	const redirect, stranger = ": a redirect is not followed: set Endpoint to where it leads", ": the endpoint does not accept this server's credentials"
	const signed = "got a signed answer (RFC 9701), want application/json: have the issuer leave out introspection_signed_response_alg for this client"
	text := func(size int) io.Reader { return strings.NewReader(strings.Repeat("x", size)) }
	for _, tt := range []struct {
		status int
		media  string
		text   io.Reader
		want   string
	}{
		{200, "application/json", text(1), ""},
		{299, "application/json", text(1), "got status 299, want 200"},
		{300, "application/json", text(1), "got status 300" + redirect},
		{399, "application/json", text(1), "got status 399" + redirect},
		{400, "application/json", text(1), "got status 400, want 200"},
		{401, "application/json", text(1), "got status 401" + stranger},
		{403, "application/json", text(1), "got status 403" + stranger},
		{404, "application/json", text(1), "got status 404, want 200"},
		{200, "application/jwt", text(1), signed},
		{200, "application/token-introspection+jwt", text(1), signed},
		{200, "text/html", text(1), `got content type "text/html", want application/json`},
		{200, "application/json", text(64 << 10), ""},
		{200, "application/json", text(64<<10 + 1), "got more than 65536 bytes"},
		{200, "application/json", text(128 << 10), "got more than 65536 bytes"},
		{200, "application/json", iotest.ErrReader(errors.New("broken off")), "reading the answer: broken off"},
	} {
		b := &body{Reader: tt.text}
		var question context.Context
		ask, err := newAsk(introspect.Config{Endpoint: "https://issuer.test/introspect", Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			question = r.Context()
			return &http.Response{StatusCode: tt.status, Header: http.Header{"Content-Type": {tt.media}}, Body: b, Request: r}, nil
		})}})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := ask(t.Context(), token)
		if tt.want == "" && (err != nil || !strings.HasPrefix(string(answer), "x")) || tt.want != "" && (answer != nil || err == nil || err.Error() != "introspect: "+tt.want) {
			t.Errorf("%d %s: %d bytes, error = %v, want %q", tt.status, tt.media, len(answer), err, tt.want)
		}
		if b.read > 64<<10+1 {
			t.Errorf("%d bytes were read of an answer that is too long", b.read)
		}
		if !b.closed || question.Err() == nil {
			t.Errorf("%d %s: the body is closed: %t; the question has ended: %v", tt.status, tt.media, b.closed, question.Err())
		}
	}
	ask, err := newAsk(introspect.Config{Endpoint: "https://issuer.test/introspect", Client: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("no route")
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := ask(t.Context(), token); answer != nil || err == nil || err.Error() != "introspect: no route" {
		t.Errorf("no answer: %s, error = %v, want it without the address", answer, err)
	}
}

// A question that nobody answers is over after five seconds, if not before.
func TestNew_Timeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ask, err := newAsk(introspect.Config{Endpoint: "https://issuer.test/introspect", Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}})
		if err != nil {
			t.Fatal(err)
		}
		for _, patience := range []time.Duration{4 * time.Second, time.Minute} {
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, err := ask(ctx, token)
			if after, want := time.Since(began), min(patience, 5*time.Second); !errors.Is(err, context.DeadlineExceeded) || after != want {
				t.Errorf("error = %v after %v, want it after %v", err, after, want)
			}
			cancel()
		}
	})
}

// What is printed of a configuration is all but the secret.
func TestConfig_Shows(t *testing.T) {
	t.Parallel()
	cfg := introspect.Config{Endpoint: "https://issuer.test/i", ClientID: "db", ClientSecret: secret}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(verb, cfg); strings.Contains(got, secret) || !strings.Contains(got, "https://issuer.test/i") || !strings.Contains(got, "db") {
			t.Errorf("%s: got %s, want all but the secret", verb, got)
		}
	}
}

// A token that is ended at its issuer ends what is live.
func TestNew_Session(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
		a := newAuthenticator(t, issuer)
		defer a.Close()
		token := issuer.OpaqueToken(nil)
		c, err := a.Authenticate(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		s := a.NewSession(t.Context(), c)
		time.Sleep(5 * time.Minute)
		if s.Context().Err() != nil {
			t.Fatalf("a session of an active token: %v", context.Cause(s.Context()))
		}
		issuer.SetAnswer(token, nil)
		time.Sleep(61 * time.Second)
		if cause := context.Cause(s.Context()); !errors.Is(cause, oidcauth.ErrRevoked) {
			t.Errorf("session ended with %v, want %v", cause, oidcauth.ErrRevoked)
		}
	})
}

// The endpoint learns who asks as it is configured, and the token from the form alone.
func TestNew_Credentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from a file of secrets\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	for _, tt := range []struct {
		name   string
		cfg    introspect.Config
		header string
		form   url.Values
	}{
		{"nothing", introspect.Config{}, "", nil},
		{"basic", introspect.Config{ClientID: "db", ClientSecret: secret}, basic("db:" + secret), nil},
		{"basic, encoded", introspect.Config{ClientID: "d:b", ClientSecret: "s%:+ü "}, basic("d%3Ab:s%25%3A%2B%C3%BC+"), nil},
		{"post", introspect.Config{ClientID: "d:b", ClientSecret: "s%", SecretInBody: true}, "", url.Values{"client_id": {"d:b"}, "client_secret": {"s%"}}},
		{"a file", introspect.Config{ClientID: "db", ClientSecretFile: file}, basic("db:from+a+file+of+secrets"), nil},
		{"no secret", introspect.Config{ClientID: "db"}, "", url.Values{"client_id": {"db"}}},
		{"an assertion", introspect.Config{ClientID: "db", Form: func(context.Context) (url.Values, error) {
			return url.Values{"client_assertion": {"signed"}}, nil
		}}, "", url.Values{"client_id": {"db"}, "client_assertion": {"signed"}}},
	} {
		var got *http.Request
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			got = r
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"active":false}`)
		}))
		tt.cfg.Client, tt.cfg.Endpoint = s.Client(), s.URL+"/ask"
		ask, err := newAsk(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := ask(t.Context(), "a+b %")
		s.Close()
		if err != nil || string(answer) != `{"active":false}` {
			t.Errorf("%s: %s, %v", tt.name, answer, err)
			continue
		}
		want := url.Values{"token": {"a+b %"}, "token_type_hint": {"access_token"}}
		for name, values := range tt.form {
			want[name] = values
		}
		if got.Header.Get("Authorization") != tt.header || got.PostForm.Encode() != want.Encode() || got.URL.RawQuery != "" || got.Header.Get("Accept") != "application/json" || got.Method != http.MethodPost {
			t.Errorf("%s: got %q, %v, %q, want %q, %v", tt.name, got.Header.Get("Authorization"), got.PostForm, got.URL.RawQuery, tt.header, want)
		}
	}
}

// A secret in a file is read at each question.
func TestNew_SecretFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got string
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, got, _ = r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
	}))
	t.Cleanup(s.Close)
	write("one")
	ask, err := newAsk(introspect.Config{Endpoint: s.URL, Client: s.Client(), ClientID: "db", ClientSecretFile: file})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		content string
		fine    bool
	}{{"one", true}, {"two\r\n", true}, {"", false}, {"\n", false}, {strings.Repeat("s", 4<<10), true}, {strings.Repeat("s", 4<<10+1), false}, {strings.Repeat(secret, 200), false}} {
		write(tt.content)
		_, err := ask(t.Context(), token)
		if (err == nil) != tt.fine || tt.fine && got != strings.TrimSpace(tt.content) || err != nil && tt.content != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("secret of %d bytes: got %q, %v", len(tt.content), got, err)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t.Context(), token); err == nil {
		t.Error("a secret that is gone: no error")
	}
}

// Discovery says where to ask, unless what it says could be anybody's word.
func TestNew_Discovery(t *testing.T) {
	for _, tt := range []struct {
		name    string
		members map[string]any
		want    string
	}{
		{"as it is", nil, ""},
		{"another issuer's", map[string]any{"issuer": "https://other.test"}, "document is of issuer"},
		{"no endpoint", map[string]any{"introspection_endpoint": nil}, "set Endpoint"},
		{"a number", map[string]any{"introspection_endpoint": 1}, "set Endpoint"},
		{"plain http", map[string]any{"introspection_endpoint": "http://issuer.test/introspect"}, "https"},
		{"https in capitals", map[string]any{"introspection_endpoint": "HTTPS://issuer.test/introspect"}, ""},
		{"no address", map[string]any{"introspection_endpoint": "ask me"}, "introspection_endpoint"},
	} {
		issuer := oidctest.NewIssuer(t, oidctest.Config{})
		issuer.SetDiscovery(tt.members)
		ask, err := newAsk(introspect.Config{Issuer: issuer.URL(), Client: issuer.Client(), ClientID: "db", ClientSecret: secret})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = ask(t.Context(), token); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error = %v, want one about %q", tt.name, err, tt.want)
		}
	}
}

// The document is read once an hour, and what it said serves while it cannot be had.
func TestNew_DiscoveryAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.NewIssuer(t, oidctest.Config{})
		ask, err := newAsk(introspect.Config{Issuer: issuer.URL(), Client: issuer.Client(), ClientID: "db", ClientSecret: secret})
		if err != nil {
			t.Fatal(err)
		}
		fails := func(when string, want bool, fetches int) {
			t.Helper()
			if _, err := ask(t.Context(), token); (err != nil) != want {
				t.Errorf("%s: error = %v", when, err)
			}
			if got := issuer.Fetches().Discovery; got != fetches {
				t.Errorf("%s: %d documents read, want %d", when, got, fetches)
			}
		}
		issuer.Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
		fails("at first", true, 1)
		fails("at once again", true, 1)
		issuer.Clear()
		time.Sleep(2 * time.Second)
		fails("later", false, 2)
		fails("within an hour", false, 2)
		issuer.Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
		time.Sleep(time.Hour)
		fails("after an hour", false, 3)
		time.Sleep(time.Minute - time.Second)
		fails("within a minute of that", false, 3)
		time.Sleep(time.Second)
		fails("after a minute", false, 4)
	})
}

// A document that never comes keeps no question about tokens from being put, once it is
// known where to.
func TestNew_DiscoveryHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.NewIssuer(t, oidctest.Config{})
		ask, err := newAsk(introspect.Config{Issuer: issuer.URL(), Client: issuer.Client(), ClientID: "db", ClientSecret: secret})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ask(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		issuer.Fail(oidctest.Discovery, oidctest.Fault{Hang: true})
		time.Sleep(time.Hour)
		for round, waits := range []time.Duration{2 * time.Second, 0} {
			began, failed := time.Now(), make(chan error, 8)
			for range cap(failed) {
				go func() {
					_, err := ask(t.Context(), token)
					failed <- err
				}()
			}
			for range cap(failed) {
				if err := <-failed; err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			}
			if waited := time.Since(began); waited > waits {
				t.Errorf("round %d: waited for %v, want %v at most", round, waited, waits)
			}
			time.Sleep(2 * time.Second)
		}
		issuer.Clear()
		before := issuer.Fetches().Discovery
		time.Sleep(time.Minute)
		if _, err := ask(t.Context(), token); err != nil || issuer.Fetches().Discovery != before+1 {
			t.Errorf("after a minute: %v, and %d documents read, want one more than %d", err, issuer.Fetches().Discovery, before)
		}
	})
}

// A question that is given up, since its turn goes to another caller's for instance, does
// not take the document along that others wait for, too.
func TestNew_DiscoveryOutlivesItsQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.NewIssuer(t, oidctest.Config{})
		issuer.Fail(oidctest.Discovery, oidctest.Fault{Delay: time.Second})
		ask, err := newAsk(introspect.Config{Issuer: issuer.URL(), Client: issuer.Client(), ClientID: "db", ClientSecret: secret})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		leaving, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer leave()
		if _, err := ask(leaving, token); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 100*time.Millisecond {
			t.Errorf("a question that is given up: error = %v after %v", err, time.Since(began))
		}
		if _, err := ask(t.Context(), token); err != nil || time.Since(began) != time.Second {
			t.Errorf("the next one: error = %v after %v, want none after a second", err, time.Since(began))
		}
		if got := issuer.Fetches().Discovery; got != 1 {
			t.Errorf("%d documents read, want 1", got)
		}
	})
}

// Settings that contradict each other are refused.
func TestNew_Refuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	for _, tt := range []struct {
		name string
		cfg  introspect.Config
		want string
	}{
		{"an endpoint", introspect.Config{Endpoint: "https://issuer.test/i"}, ""},
		{"an issuer", introspect.Config{Issuer: "https://issuer.test"}, ""},
		{"neither", introspect.Config{ClientID: "db"}, "whom to ask"},
		{"plain http", introspect.Config{Endpoint: "http://issuer.test/i"}, "Endpoint"},
		{"plain http at an issuer", introspect.Config{Issuer: "http://issuer.test"}, "Issuer"},
		{"plain http on loopback", introspect.Config{Endpoint: "http://127.0.0.1:4445/i"}, "Endpoint"},
		{"plain http on loopback, permitted", introspect.Config{Endpoint: "http://127.0.0.1:4445/i", InsecureHTTP: true}, ""},
		{"plain http to a host, permitted", introspect.Config{Endpoint: "http://hydra:4445/i", InsecureHTTPHosts: []string{"hydra"}}, ""},
		{"plain http to another host", introspect.Config{Endpoint: "http://other:4445/i", InsecureHTTPHosts: []string{"hydra"}}, "Endpoint"},
		{"plain http to what is no host", introspect.Config{Endpoint: "https://issuer.test/i", InsecureHTTPHosts: []string{"http://hydra"}}, "http host"},
		{"a password in the address", introspect.Config{Endpoint: "https://a:b@issuer.test/i"}, "Endpoint"},
		{"two secrets", introspect.Config{Endpoint: "https://issuer.test/i", ClientID: "db", ClientSecret: "s", ClientSecretFile: file}, "both"},
		{"a secret of nobody", introspect.Config{Endpoint: "https://issuer.test/i", ClientSecret: secret}, "ClientID"},
		{"a body without secret", introspect.Config{Endpoint: "https://issuer.test/i", ClientID: "db", SecretInBody: true}, "SecretInBody"},
		{"a file that is not there", introspect.Config{Issuer: "https://issuer.test", ClientID: "db", ClientSecretFile: file}, "ClientSecretFile"},
		{"a secret in the place of its file", introspect.Config{Issuer: "https://issuer.test", ClientID: "db", ClientSecretFile: secret}, "could be the secret itself"},
		{"a directory", introspect.Config{Issuer: "https://issuer.test", ClientID: "db", ClientSecretFile: t.TempDir()}, "ClientSecretFile"},
	} {
		_, err := newAsk(tt.cfg)
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret)) {
			t.Errorf("%s: error = %v, want one about %q", tt.name, err, tt.want)
		}
	}
}

// What Form adds never takes the place of what belongs to the question.
func TestNew_Form(t *testing.T) {
	issuer := oidctest.NewIssuer(t, oidctest.Config{})
	failed := errors.New("no key")
	for _, tt := range []struct {
		name string
		form url.Values
		err  error
		want bool
	}{
		{"more", url.Values{"resource": {"x"}}, nil, true},
		{"another token", url.Values{"token": {"x"}}, nil, false},
		{"another client", url.Values{"client_id": {"x"}}, nil, false},
		{"another client's secret", url.Values{"client_secret": {"x"}}, nil, false},
		{"another hint", url.Values{"token_type_hint": {"x"}}, nil, false},
		{"a failure", nil, failed, false},
	} {
		ask, err := newAsk(introspect.Config{Issuer: issuer.URL(), Client: issuer.Client(), Form: func(context.Context) (url.Values, error) { return tt.form, tt.err }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ask(t.Context(), token); (err == nil) != tt.want || tt.err != nil && !errors.Is(err, tt.err) {
			t.Errorf("%s: error = %v", tt.name, err)
		}
	}
}

// A question without a context is an error.
func TestNew_NilContext(t *testing.T) {
	t.Parallel()
	ask, err := newAsk(introspect.Config{Endpoint: "https://issuer.test/introspect", ClientID: "db", ClientSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	var none context.Context
	if answer, err := ask(none, "opaque"); answer != nil || err == nil {
		t.Errorf("the answer is %s, %v", answer, err)
	}
}

// What net/http repeats of an answer that it cannot read is cut: it goes to the log, at
// each question.
func TestNew_LongErrors(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"HTTP/1.1 200 OK\r\n" + strings.Repeat("x", 100<<10) + "\r\n\r\n", strings.Repeat("y", 100<<10) + "\r\n\r\n"} {
		endpoint := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			io.WriteString(conn, answer)
		}))
		defer endpoint.Close()
		ask, err := newAsk(introspect.Config{Endpoint: endpoint.URL, Client: endpoint.Client()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ask(t.Context(), token); err == nil || !strings.Contains(err.Error(), "malformed") || len(err.Error()) > 400 {
			t.Errorf("got an error of %d bytes, want a short one: %.100q", len(fmt.Sprint(err)), fmt.Sprint(err))
		}
	}
}
