package database_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket/wsjson"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/database"
	"github.com/oidcauth/oidcauth/examples/internal/provider"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/authtest"
)

const audience = "messages"

const (
	// brief is how long the tokens of client "brief" live, and warnBefore is less:
	// what a test does within either has time on a busy machine too.
	brief      = 8 * time.Second
	warnBefore = 6 * time.Second

	// patience is how long a test waits for what must happen.
	patience = 30 * time.Second
)

// bench is a database server and a provider of its callers' tokens.
type bench struct {
	provider *provider.Provider
	auth     *oidcauth.Authenticator
	db       *database.Database
	server   *httptest.Server
	file     string
	log      *authtest.Log
	stop     func() // ends the server's base context
}

// newBench starts a server whose database admits tokens for audience.
func newBench(t *testing.T) *bench {
	t.Helper()
	client := func(id, audience string, lifetime time.Duration, roles ...string) provider.Client {
		return provider.Client{ID: id, Secret: "secret", Audiences: []string{audience}, Roles: roles, TokenLifetime: lifetime}
	}
	b := &bench{server: httptest.NewUnstartedServer(nil), file: filepath.Join(t.TempDir(), "messages.db"), log: &authtest.Log{}}
	p, err := provider.Start(t.Context(), provider.Config{
		Clients: []provider.Client{
			client("writer", audience, 0, "writer"),
			client("reader", audience, 0),
			client("admin", audience, 0, "admin"),
			client("brief", audience, brief, "writer"),
			client("other", audience, 0, "writer"),
			client("reports", "reports", 0, "writer"),
			client("billing", "billing", 0, "writer"),
			{
				ID: "app", RedirectURIs: []string{"http://127.0.0.1/callback"}, Audiences: []string{audience},
				BackChannelLogoutURI: "http://" + b.server.Listener.Addr().String() + "/v1/logout",
			},
		},
		Users: []provider.User{
			{Name: "alice", Password: "correct horse", Roles: []string{"writer"}},
			{Name: "bob", Password: "battery staple", Roles: []string{"admin"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)

	b.provider = p
	b.db, err = database.Open(database.Config{Path: b.file, Admit: oidcauth.HasAudience(audience)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.db.Close() })
	logger := slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: p.Issuer(), Audiences: []string{audience, "reports", "app"}, LogoutBy: "sid", Keys: oidcauth.KeysFrom{InsecureHTTP: true}}},
		Leeway:  -1,
		Extract: oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.SubprotocolToken),
		Logger:  logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	b.auth = auth
	b.serve(t, database.NewServer(b.db, auth, logger))
	return b
}

func (b *bench) serve(t *testing.T, s *database.Server) {
	ctx, cancel := context.WithCancel(t.Context())
	s.WarnBefore = warnBefore
	b.server.Config.Handler = s.Handler()
	b.server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	b.server.Start()
	b.stop = func() { cancel(); s.Wait() }
	t.Cleanup(func() { b.stop(); b.server.Close() })
}

// token returns what a client gets for itself; a client without a name has none.
func (b *bench) token(t *testing.T, clientID string) string {
	t.Helper()
	if clientID == "" {
		return ""
	}
	return b.tokenOf(t, clientID, "")
}

// tokenOf returns what a client gets for a person.
func (b *bench) tokenOf(t *testing.T, clientID, user string) string {
	t.Helper()
	token, err := b.provider.AccessToken(t.Context(), clientID, user)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// do sends a request and returns the status and what the body says.
func (b *bench) do(t *testing.T, method, path, token, body string) (status int, answer answer) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return b.send(t, r)
}

type answer struct {
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
}

func (b *bench) send(t *testing.T, r *http.Request) (status int, got answer) {
	t.Helper()
	response, err := b.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, got
}

func TestServer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, row := range []struct {
		name, client, method, path, body string
		want                             int
		wantError                        string
	}{
		{"writer sends a message", "writer", "POST", "/v1/call/send_message", `{"text":"hello"}`, 200, ""},
		{"reader may not send", "reader", "POST", "/v1/call/send_message", `{"text":"hello"}`, 403, "insufficient_scope"},
		{"nobody may not send", "", "POST", "/v1/call/send_message", `{"text":"hello"}`, 401, "unauthorized"},
		{"reader reads own rows", "reader", "GET", "/v1/view/my_messages", "", 200, ""},
		{"nobody has own rows", "", "GET", "/v1/view/my_messages", "", 401, "unauthorized"},
		{"nobody reads the public view", "", "GET", "/v1/view/board", "", 200, ""},
		{"reader exports own rows", "reader", "POST", "/v1/run/export_messages", "", 200, ""},
		{"nobody exports nothing", "", "POST", "/v1/run/export_messages", "", 401, "unauthorized"},
		{"writer may not delete all", "writer", "POST", "/v1/call/delete_all", "", 403, "insufficient_scope"},
		{"function without a rule is closed to admins", "admin", "POST", "/v1/call/forgotten", "", 403, "insufficient_scope"},
		{"scheduler's function is closed to admins", "admin", "POST", "/v1/call/count_messages", "", 403, "insufficient_scope"},
		{"function without a rule is closed to nobody", "", "POST", "/v1/call/forgotten", "", 401, "unauthorized"},
		{"admin deletes all", "admin", "POST", "/v1/call/delete_all", "", 200, ""},
		{"token for another database of the server", "reports", "GET", "/v1/view/board", "", 403, "insufficient_scope"},
		{"token for somebody else", "billing", "GET", "/v1/view/board", "", 401, "invalid_token"},
		{"no such reducer", "writer", "POST", "/v1/call/nothing", "", 404, "not_found"},
		{"no such view", "writer", "GET", "/v1/view/nothing", "", 404, "not_found"},
		{"no such procedure", "writer", "POST", "/v1/run/nothing", "", 404, "not_found"},
		{"arguments of no function", "writer", "POST", "/v1/call/send_message", `{"test":"hello"}`, 400, "invalid_arguments"},
		{"arguments that are no JSON", "writer", "POST", "/v1/call/send_message", `hello`, 400, "invalid_arguments"},
		{"empty message", "writer", "POST", "/v1/call/send_message", `{"text":""}`, 400, "invalid_arguments"},
		{"body without end", "writer", "POST", "/v1/call/send_message", `{"text":"` + strings.Repeat("a", 1<<20) + `"}`, 400, "invalid_arguments"},
	} {
		t.Run(row.name, func(t *testing.T) {
			token := b.token(t, row.client)
			status, answer := b.do(t, row.method, row.path, token, row.body)
			if status != row.want || answer.Error != row.wantError {
				t.Errorf("got status %d, error %q, want %d, %q", status, answer.Error, row.want, row.wantError)
			}
		})
	}
}

func TestServer_CallersSeeOwnRowsOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	writer, other := b.token(t, "writer"), b.token(t, "other")
	for token, text := range map[string]string{writer: "from writer", other: "from other"} {
		if status, _ := b.do(t, "POST", "/v1/call/send_message", token, `{"text":"`+text+`"}`); status != http.StatusOK {
			t.Fatalf("send_message answered %d", status)
		}
	}
	for clientID, token := range map[string]string{"writer": writer, "other": other} {
		_, got := b.do(t, "GET", "/v1/view/my_messages", token, "")
		var rows []database.Message
		if err := json.Unmarshal(got.Result, &rows); err != nil {
			t.Fatal(err)
		}
		want := identity.New(b.provider.Issuer(), clientID)
		if len(rows) != 1 || rows[0].Owner != want || rows[0].Text != "from "+clientID {
			t.Errorf("%s sees %+v, want its own row alone", clientID, rows)
		}
	}
}

func TestServer_Ready(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.provider.Stop()
	if status, _ := b.do(t, "GET", "/readyz", "", ""); status != http.StatusServiceUnavailable {
		t.Errorf("provider down: status = %d, want 503", status)
	}
	other := newBench(t)
	if status, _ := other.do(t, "GET", "/readyz", "", ""); status != http.StatusOK {
		t.Errorf("provider up: status = %d, want 200", status)
	}
}

// TestTokensAreNeitherLoggedNorStored sends tokens in every way that a client
// can, right or wrong, and looks for them in all that the server keeps.
func TestTokensAreNeitherLoggedNorStored(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	accepted, forbidden, refused := b.token(t, "writer"), b.token(t, "reader"), b.token(t, "billing")
	forged := accepted[:len(accepted)-8] + "AAAAAAAA"
	for _, token := range []string{accepted, forbidden, refused, forged} {
		b.do(t, "POST", "/v1/call/send_message", token, `{"text":"a message to find"}`)
		b.do(t, "GET", "/v1/view/board?access_token="+token, "", "")
		b.do(t, "GET", "/v1/view/"+token, "", "")
		b.do(t, "GET", "/v1/view/"+token, token, "")
		b.do(t, "POST", "/v1/call/"+token, token, strings.Repeat(" ", 1<<17)) // refused for its body
		for header, values := range map[string][]string{
			"Authorization": {"Bearer " + token, "Bearer " + token},
			"X-Token":       {token},
			"Cookie":        {"token=" + token},
		} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", b.server.URL+"/v1/view/board", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header[header] = values
			b.send(t, r)
		}
		socketCall(t, b, token)
		for _, frame := range []any{
			database.Frame{Renew: token},
			database.Frame{Renew: token, Call: "send_message"},
			database.Frame{Call: token},
			map[string]any{"renew": []string{token}},
		} {
			conn, _ := dial(t, b, accepted)
			// A socket that is closed for what the frame says is as good as a reply.
			_ = errors.Join(wsjson.Write(t.Context(), conn, frame), wsjson.Read(t.Context(), conn, new(any)))
			conn.CloseNow()
		}
	}
	b.stop()
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}

	kept := map[string]string{"log": b.log.String(), "store": readFile(t, b.file)}
	writer := identity.New(b.provider.Issuer(), "writer")
	for _, want := range []struct{ place, text string }{
		{"log", writer.String()}, {"log", "renewal refused"}, {"store", "a message to find"},
	} {
		if !strings.Contains(kept[want.place], want.text) {
			t.Errorf("%s has no %q: the test looks in the wrong place", want.place, want.text)
		}
	}
	for _, token := range []string{accepted, forbidden, refused, forged} {
		secrets := append(strings.Split(token, ".")[1:], base64.RawURLEncoding.EncodeToString([]byte(token))[:40])
		for place, text := range kept {
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("%s keeps a part of a token", place)
				}
			}
		}
	}
}
