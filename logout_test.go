package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutClaims are those of a good logout token, with changes; a nil value takes
// a claim out.
func logoutClaims(i *oidctest.Issuer, changes map[string]any) map[string]any {
	now := time.Now()
	claims := map[string]any{
		"iss": i.URL(), "sub": "alice", "aud": testAudience, "jti": "logout-1",
		"iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"events": map[string]any{logoutEvent: map[string]any{}},
	}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return claims
}

func logoutToken(i *oidctest.Issuer, changes map[string]any) string {
	return i.Sign(map[string]any{"typ": "logout+jwt"}, logoutClaims(i, changes))
}

func postLogout(a *oidcauth.Authenticator, tokens ...string) *http.Response {
	r := httptest.NewRequest(http.MethodPost, "/logout", strings.NewReader(url.Values{"logout_token": tokens}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return serve(a.LogoutHandler(), r)
}

// A logout ends what its token names, and by an issuer's description less of it.
func TestLogoutHandler(t *testing.T) {
	t.Parallel()
	const (
		elsewhere = "alice/login-2"
		unsaid    = "alice/" // of which login session, her token does not say
		login     = "alice/login-1"
		shared    = "bob/login-1"
		other     = "bob/login-2"
	)
	sid := map[string]any{"sid": "login-1"}
	onlySid := map[string]any{"sid": "login-1", "sub": nil}
	tests := []struct {
		name, by string
		logout   map[string]any
		ended    []string
	}{
		{"by subject", "", nil, []string{elsewhere, unsaid, login}},
		{"by login session", "", onlySid, []string{login, shared}},
		{"by both", "", sid, []string{elsewhere, unsaid, login, shared}},
		{"by both, the description wants the login session", "sid", sid, []string{login, shared}},
		{"by subject, the description wants the login session", "sid", nil, []string{elsewhere, unsaid, login}},
		{"by login session, and so the description wants it", "sid", onlySid, []string{login, shared}},
		{"by subject and an empty login session", "sid", map[string]any{"sid": ""}, []string{elsewhere, unsaid, login}},
		{"by login session and an empty subject", "", map[string]any{"sid": "login-1", "sub": ""}, []string{login, shared}},
		{"by both, without expiry", "", map[string]any{"sid": "login-1", "exp": nil}, []string{elsewhere, unsaid, login, shared}},
		{"by login session, without expiry", "", map[string]any{"sid": "login-1", "sub": nil, "exp": nil}, []string{login, shared}},
		{"by a login session that is none", "", map[string]any{"sid": "login-9", "sub": nil}, nil},
		{"by an alias", "", map[string]any{"iss": "alias.test"}, []string{elsewhere, unsaid, login}},
		{"by an alias, both", "", map[string]any{"iss": "alias.test", "sid": "login-1"}, []string{elsewhere, unsaid, login, shared}},
		{"one of two audiences", "", map[string]any{"aud": []string{"x", testAudience}}, []string{elsewhere, unsaid, login}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				trusted.Aliases, trusted.LogoutBy = []string{"alias.test"}, tt.by
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				token := func(who string) string {
					sub, sid, _ := strings.Cut(who, "/")
					if sid == "" {
						return issuer.Token(map[string]any{"sub": sub})
					}
					return issuer.Token(map[string]any{"sub": sub, "sid": sid})
				}
				tokens, sessions := map[string]string{}, map[string]*oidcauth.Session{}
				for _, who := range []string{elsewhere, unsaid, login, shared, other} {
					tokens[who] = token(who)
					sessions[who] = a.NewSession(t.Context(), authenticate(t, a, tokens[who]))
				}
				time.Sleep(time.Minute)
				resp := postLogout(a, logoutToken(issuer, tt.logout))
				if resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "no-store" {
					t.Fatalf("got status %d, headers %v, body %s", resp.StatusCode, resp.Header, bodyOf(t, resp))
				}
				for who, s := range sessions {
					var want error
					if slices.Contains(tt.ended, who) {
						want = oidcauth.ErrRevoked
					}
					expectEnd(t, s, want)
					if _, err := a.Authenticate(t.Context(), tokens[who]); !errors.Is(err, want) {
						t.Errorf("%s: Authenticate() error = %v, want %v", who, err, want)
					}
				}
				// Whoever logs in again is welcome.
				time.Sleep(time.Second)
				for _, who := range []string{unsaid, "alice/login-3"} {
					expectEnd(t, a.NewSession(t.Context(), authenticate(t, a, token(who))), nil)
				}
			})
		})
	}
}

// The subject of a logout token is the issuer's, whatever the identity is made of.
func TestLogoutHandler_MappedSubject(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.Subject = []oidcauth.Path{{"oid"}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"oid": "object-1"})))
	other := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"oid": "object-1", "sub": "bob"})))
	if resp := postLogout(a, logoutToken(issuer, nil)); resp.StatusCode != http.StatusOK {
		t.Fatalf("got status %d, body %s", resp.StatusCode, bodyOf(t, resp))
	}
	if !errors.Is(context.Cause(s.Context()), oidcauth.ErrRevoked) || other.Context().Err() != nil {
		t.Errorf("causes = %v, %v", context.Cause(s.Context()), context.Cause(other.Context()))
	}
}

// No logout token but a good one does anything, and each works once.
func TestLogoutHandler_Attacks(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	other := oidctest.NewIssuer(t, oidctest.Config{URL: "https://other.test"})
	stranger := oidctest.NewIssuer(t, oidctest.Config{URL: "https://stranger.test"})
	down := oidctest.NewIssuer(t, oidctest.Config{URL: "https://down.test"})
	down.Fail(oidctest.Discovery, oidctest.Fault{Status: http.StatusInternalServerError})
	cfg := oidcauth.Config{Client: oidctest.Client(issuer, other, down), Issuers: []oidcauth.Issuer{
		trusted, {URL: other.URL(), Audiences: []string{testAudience}}, {URL: down.URL(), Audiences: []string{testAudience}},
	}}
	good := func(changes map[string]any) string { return logoutToken(issuer, changes) }
	now := time.Now().Unix()
	tests := []struct {
		name   string
		tokens []string
		status int
	}{
		{"the good one", []string{good(nil)}, 200},
		{"type JWT", []string{issuer.Sign(nil, logoutClaims(issuer, nil))}, 200},
		{"no type", []string{issuer.Sign(map[string]any{"typ": nil}, logoutClaims(issuer, nil))}, 200},
		{"no token", nil, 400},
		{"two tokens", []string{good(nil), good(map[string]any{"jti": "logout-2"})}, 400},
		{"not a token", []string{"x"}, 400},
		{"huge", []string{strings.Repeat("x", 1<<20)}, 400},
		{"another type", []string{issuer.Sign(map[string]any{"typ": "at+jwt"}, logoutClaims(issuer, nil))}, 400},
		{"ID token", []string{issuer.Token(map[string]any{"jti": "id-1", "nonce": "n"})}, 400},
		{"ID token without nonce", []string{issuer.Token(map[string]any{"jti": "id-1"})}, 400},
		{"nonce", []string{good(map[string]any{"nonce": "n"})}, 400},
		{"null nonce", []string{good(map[string]any{"nonce": json.RawMessage("null")})}, 400},
		{"nonce in capitals", []string{good(map[string]any{"NONCE": "n"})}, 400},
		{"no events", []string{good(map[string]any{"events": nil})}, 400},
		{"another event", []string{good(map[string]any{"events": map[string]any{"x": map[string]any{}}})}, 400},
		{"event that is no object", []string{good(map[string]any{"events": map[string]any{logoutEvent: true}})}, 400},
		{"events in capitals", []string{good(map[string]any{"events": nil, "EVENTS": map[string]any{logoutEvent: map[string]any{}}})}, 400},
		{"no jti", []string{good(map[string]any{"jti": nil})}, 400},
		{"jti of a kilobyte and more", []string{good(map[string]any{"jti": strings.Repeat("x", 1025)})}, 400},
		{"neither sid nor sub", []string{good(map[string]any{"sub": nil})}, 400},
		{"sub in two spellings", []string{good(map[string]any{"SUB": "bob"})}, 400},
		{"sub twice", []string{issuer.Sign(map[string]any{"typ": "logout+jwt"}, strings.Replace(mustJSON(t, logoutClaims(issuer, nil)), `"sub":`, `"sub":"bob","sub":`, 1))}, 400},
		{"no iat", []string{good(map[string]any{"iat": nil})}, 400},
		{"iat in an hour", []string{good(map[string]any{"iat": now + 3600, "exp": now + 3700})}, 400},
		{"an hour old, not expired", []string{good(map[string]any{"iat": now - 3600, "exp": now + 60})}, 400},
		{"nine minutes old", []string{good(map[string]any{"iat": now - 540})}, 200},
		{"no exp", []string{good(map[string]any{"exp": nil})}, 200},
		{"no exp, type JWT", []string{issuer.Sign(nil, logoutClaims(issuer, map[string]any{"exp": nil}))}, 200},
		{"no exp, nine minutes old", []string{good(map[string]any{"exp": nil, "iat": now - 540})}, 200},
		{"no exp, eleven minutes old", []string{good(map[string]any{"exp": nil, "iat": now - 660})}, 400},
		{"no exp, ten seconds ahead", []string{good(map[string]any{"exp": nil, "iat": now + 10})}, 200},
		{"no exp, a minute ahead", []string{good(map[string]any{"exp": nil, "iat": now + 60})}, 400},
		{"no exp, no iat", []string{good(map[string]any{"exp": nil, "iat": nil})}, 400},
		{"no exp, iat a string", []string{good(map[string]any{"exp": nil, "iat": fmt.Sprint(now)})}, 400},
		{"no exp, no jti", []string{good(map[string]any{"exp": nil, "jti": nil})}, 400},
		{"no exp, empty jti", []string{good(map[string]any{"exp": nil, "jti": ""})}, 400},
		{"no exp, a nonce", []string{good(map[string]any{"exp": nil, "nonce": "n"})}, 400},
		{"no exp, no event", []string{good(map[string]any{"exp": nil, "events": nil})}, 400},
		{"exp in capitals", []string{good(map[string]any{"exp": nil, "EXP": now + 60})}, 400},
		{"exp null", []string{good(map[string]any{"exp": json.RawMessage("null")})}, 400},
		{"exp zero", []string{good(map[string]any{"exp": 0})}, 400},
		{"exp a string", []string{good(map[string]any{"exp": fmt.Sprint(now + 60)})}, 400},
		{"exp false", []string{good(map[string]any{"exp": false})}, 400},
		{"expired", []string{good(map[string]any{"iat": now - 120, "exp": now - 60})}, 400},
		{"expired within leeway", []string{good(map[string]any{"iat": now - 120, "exp": now - 20})}, 200},
		{"another audience", []string{good(map[string]any{"aud": "x"})}, 400},
		{"no audience", []string{good(map[string]any{"aud": nil})}, 400},
		{"a stranger's", []string{logoutToken(stranger, nil)}, 400},
		{"another issuer's name", []string{other.Sign(nil, logoutClaims(issuer, nil))}, 400},
		{"forged", []string{issuer.NewKey(oidctest.KeyConfig{ID: issuer.Key().ID()}).Sign(nil, logoutClaims(issuer, nil))}, 400},
		{"keys cannot be had", []string{logoutToken(down, nil)}, 503},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAuthenticator(t, cfg)
			s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"iat": now - 900})))
			resp := postLogout(a, tt.tokens...)
			body := bodyOf(t, resp)
			if resp.StatusCode != tt.status || resp.Header.Get("Cache-Control") != "no-store" || body != "" && resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Fatalf("got status %d, headers %v, body %s, want %d", resp.StatusCode, resp.Header, body, tt.status)
			}
			if ended := s.Context().Err() != nil; ended != (tt.status == 200) {
				t.Errorf("session ended: %v, cause %v", ended, context.Cause(s.Context()))
			}
			var answer struct{ Error, Description string }
			if tt.status != 200 && (json.Unmarshal([]byte(body), &answer) != nil || answer.Error == "") {
				t.Errorf("body %q, want JSON with an error", body)
			}
			if tt.status == 503 && resp.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			if tt.status != 200 {
				return
			}
			if again := postLogout(a, tt.tokens...); again.StatusCode != 400 {
				t.Errorf("the same token again: got status %d, want 400", again.StatusCode)
			}
			want := oidcauth.ErrTokenType
			if strings.HasPrefix(tt.name, "no exp") {
				want = oidcauth.ErrClaim
			}
			if _, err := a.Authenticate(t.Context(), tt.tokens[0]); !errors.Is(err, want) {
				t.Errorf("Authenticate(logout token) error = %v, want %v", err, want)
			}
		})
	}
}

func TestLogoutHandler_Requests(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	form := url.Values{"logout_token": {logoutToken(issuer, nil)}}.Encode()
	tests := []struct {
		name, method, target, body, contentType string
		status                                  int
	}{
		{"GET", http.MethodGet, "/?" + form, "", "", 405},
		{"in the query", http.MethodPost, "/?" + form, "", "application/x-www-form-urlencoded", 400},
		{"not a form", http.MethodPost, "/", form, "text/plain", 400},
		{"a form", http.MethodPost, "/", form, "application/x-www-form-urlencoded", 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.contentType)
			if resp := serve(a.LogoutHandler(), r); resp.StatusCode != tt.status {
				t.Errorf("got status %d, body %s, want %d", resp.StatusCode, bodyOf(t, resp), tt.status)
			}
		})
	}
	a.Close()
	if resp := postLogout(a, logoutToken(issuer, map[string]any{"jti": "logout-2"})); resp.StatusCode != 503 {
		t.Errorf("got status %d of a closed Authenticator, want 503", resp.StatusCode)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The client that people sign in with may log them out, and its tokens are
// still not for this server.
func TestLogoutHandler_LogoutAudiences(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.LogoutAudiences = []string{"app"}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	tests := []struct {
		audience string
		status   int
	}{
		{"app", 200},
		{testAudience, 400},
		{"other", 400},
	}
	for _, tt := range tests {
		token := logoutToken(issuer, map[string]any{"aud": tt.audience, "jti": "for-" + tt.audience})
		if resp := postLogout(a, token); resp.StatusCode != tt.status {
			t.Errorf("logout token for %q: status = %d, want %d", tt.audience, resp.StatusCode, tt.status)
		}
	}
	if _, _, _, err := a.VerifyLogout(t.Context(), logoutToken(issuer, map[string]any{"aud": "other"})); err == nil || !strings.Contains(err.Error(), `want "app": the IDs of the clients that log in (Issuer.LogoutAudiences)`) {
		t.Errorf("error = %v, want one that says what to set", err)
	}
	if _, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"aud": "app"})); !errors.Is(err, oidcauth.ErrAudience) {
		t.Errorf("Authenticate() error = %v, want %v", err, oidcauth.ErrAudience)
	}
}

// Nothing that takes time for each claim is done for a logout token that anybody
// can make.
func TestLogoutHandler_SignatureFirst(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	good := logoutToken(issuer, map[string]any{"SUB": "bob"})
	if _, _, _, err := a.VerifyLogout(t.Context(), good); !errors.Is(err, oidcauth.ErrClaim) {
		t.Errorf("by the issuer: error = %v, want %v", err, oidcauth.ErrClaim)
	}
	forged := good[:strings.LastIndexByte(good, '.')+1] + strings.Repeat("A", 86)
	if _, _, _, err := a.VerifyLogout(t.Context(), forged); !errors.Is(err, oidcauth.ErrSignature) {
		t.Errorf("by nobody: error = %v, want %v", err, oidcauth.ErrSignature)
	}
}

// A logout that names both a subject and a login session ends what either names
// on every server, and here also while the log is down.
func TestLogoutHandler_BothEverywhere(t *testing.T) {
	t.Parallel()
	for _, down := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			log := newMemoryLog()
			cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log}
			here, there := newAuthenticator(t, cfg), newAuthenticator(t, cfg)
			sessions := func(a *oidcauth.Authenticator) (all []*oidcauth.Session) {
				for _, claims := range []map[string]any{{"sub": "alice"}, {"sub": "bob", "sid": "login-1"}} {
					all = append(all, a.NewSession(t.Context(), authenticate(t, a, issuer.Token(claims))))
				}
				return all
			}
			first, second := sessions(here), sessions(there)
			log.SetDown(down)
			time.Sleep(time.Second)
			resp := postLogout(here, logoutToken(issuer, map[string]any{"sid": "login-1"}))
			if !down && resp.StatusCode != http.StatusOK {
				t.Errorf("got status %d, body %s", resp.StatusCode, bodyOf(t, resp))
			}
			for _, s := range first {
				expectEnd(t, s, oidcauth.ErrRevoked)
			}
			log.SetDown(false)
			time.Sleep(5 * time.Minute) // for what could not be shared at once
			for _, s := range second {
				expectEnd(t, s, oidcauth.ErrRevoked)
			}
		})
	}
}

// The line of a logout counts what ended and, if that is nothing, says why.
func TestLogoutHandler_Log(t *testing.T) {
	t.Parallel()
	const nothing, useless, remedy = "no live session of this server matches", `no token of this issuer that this server accepted has carried "sid"`, "leave LogoutBy empty"
	alice, withSid := map[string]any{"sub": "alice"}, map[string]any{"sub": "alice", "sid": "login-1"}
	tests := []struct {
		name     string
		by       string
		sessions []map[string]any // of which tokens
		closed   bool             // before the logout
		logout   map[string]any
		ended    int
		reason   []string
		level    string
	}{
		{"one of two", "", []map[string]any{alice, {"sub": "bob"}}, false, nil, 1, nil, "INFO"},
		{"three of one subject", "", []map[string]any{alice, alice, withSid}, false, nil, 3, nil, "INFO"},
		{"by both, and one matches twice", "", []map[string]any{alice, withSid, {"sub": "bob", "sid": "login-1"}}, false, map[string]any{"sid": "login-1"}, 3, nil, "INFO"},
		{"by login session", "", []map[string]any{alice, withSid}, false, map[string]any{"sid": "login-1", "sub": nil}, 1, nil, "INFO"},
		{"somebody who is not there", "", []map[string]any{alice}, false, map[string]any{"sub": "carol"}, 0, []string{nothing}, "INFO"},
		{"sessions that have ended before", "", []map[string]any{alice}, true, nil, 0, []string{nothing}, "INFO"},
		{"before the first token", "", nil, false, map[string]any{"sid": "login-1", "sub": nil}, 0, []string{nothing}, "INFO"},
		{"a login session that is not there", "", []map[string]any{alice, withSid}, false, map[string]any{"sid": "login-2", "sub": nil}, 0, []string{nothing}, "INFO"},
		{"no token has a login session", "", []map[string]any{alice}, false, map[string]any{"sid": "login-1", "sub": nil}, 0, []string{useless}, "WARN"},
		{"no token that ended has a login session", "", []map[string]any{alice}, true, map[string]any{"sid": "login-1", "sub": nil}, 0, []string{useless}, "WARN"},
		{"no token has the login session that the description wants", "sid", []map[string]any{alice}, false, map[string]any{"sid": "login-1"}, 0, []string{useless, remedy}, "WARN"},
		{"a subject that the description does not want", "sid", []map[string]any{alice, withSid}, false, map[string]any{"sid": "login-2"}, 0, []string{nothing}, "INFO"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				trusted.LogoutBy = tt.by
				var log logBuffer
				a := newAuthenticator(t, oidcauth.Config{
					Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Logger: slog.New(slog.NewJSONHandler(&log, nil)),
				})
				for _, claims := range tt.sessions {
					s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(claims)))
					if tt.closed {
						s.Close()
					}
				}
				time.Sleep(time.Second)
				token := logoutToken(issuer, tt.logout)
				if resp := postLogout(a, token); resp.StatusCode != http.StatusOK {
					t.Fatalf("got status %d, body %s", resp.StatusCode, bodyOf(t, resp))
				}
				var line struct {
					Level, Msg, Revocation, Reason string
					Ended                          int
				}
				lines := strings.Split(strings.TrimSpace(log.String()), "\n")
				if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
					t.Fatalf("log %q: %v", log.String(), err)
				}
				if line.Msg != "logout" || line.Level != tt.level || line.Ended != tt.ended || line.Revocation == "" || (line.Reason == "") != (tt.ended > 0) {
					t.Errorf("log %s, want %d ended at level %s", log.String(), tt.ended, tt.level)
				}
				for _, want := range tt.reason {
					if !strings.Contains(line.Reason, want) {
						t.Errorf("reason %q, want %q in it", line.Reason, want)
					}
				}
				if strings.Contains(log.String(), token[:20]) {
					t.Error("the log has the token")
				}
			})
		})
	}
}

// go-oidc is the second opinion on logout tokens: what is accepted here with an
// expiry, it accepts and reads the same. It refuses every token without one.
func TestVerifyLogout_Library(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	provider, err := oidc.NewProvider(oidc.ClientContext(t.Context(), issuer.Client()), issuer.URL())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	library := provider.VerifierContext(oidc.ClientContext(t.Context(), issuer.Client()), &oidc.Config{
		ClientID: testAudience, Now: func() time.Time { return time.Now().Add(-30 * time.Second) }, // as the leeway
	})
	at := func(after time.Duration) int64 { return now.Add(after).Unix() }
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	event := map[string]any{logoutEvent: map[string]any{}}
	variants := []struct {
		claim  string
		values []any // of which the first is good; nil means that the claim is missing
	}{
		{"iss", []any{issuer.URL(), issuer.URL() + "/", "https://other.test", nil}},
		{"aud", []any{testAudience, []string{"x", testAudience}, "x", []string{}, nil}},
		{"sub", []any{"alice", "", raw("null"), 1, nil}},
		{"sid", []any{"login-1", nil, "", raw("null"), raw("[]")}},
		{"jti", []any{"logout-1", "", raw("null"), nil}},
		{"iat", []any{at(0), raw("1.5e9"), at(-time.Hour), at(time.Hour), raw("null"), nil}},
		{"exp", []any{at(time.Minute), raw("4102444800.5"), at(-time.Minute), raw("null"), raw(`"4102444800"`), nil}},
		{"events", []any{event, map[string]any{}, map[string]any{logoutEvent: raw("null")}, map[string]any{logoutEvent: true}, raw("[]"), nil}},
		{"nonce", []any{nil, "n", raw("null")}},
	}
	random := rand.New(rand.NewPCG(1, 2))
	both, ours, without := 0, 0, 0
	for range 1500 {
		claims := map[string]any{}
		for _, v := range variants {
			value := v.values[0]
			if random.IntN(4) == 0 { // most claims of a token are good
				value = v.values[random.IntN(len(v.values))]
			}
			if value != nil {
				claims[v.claim] = value
			}
		}
		token := issuer.Sign(map[string]any{"typ": "logout+jwt"}, claims)
		tokenID, sessionID, subject, err := a.VerifyLogout(t.Context(), token)
		if err != nil {
			continue
		}
		ours++
		got, err := library.VerifyLogout(t.Context(), token)
		if _, expires := claims["exp"]; !expires {
			without++
			if err == nil {
				t.Errorf("%v: go-oidc accepts a token without expiry: the reason for a check of our own is gone", claims)
			}
			continue
		}
		both++
		if err != nil {
			t.Errorf("%v: go-oidc refuses it: %v", claims, err)
		} else if got.TokenID != tokenID || got.SessionID != sessionID || got.Subject != subject {
			t.Errorf("%v: got %q, %q, %q, go-oidc %q, %q, %q", claims, tokenID, sessionID, subject, got.TokenID, got.SessionID, got.Subject)
		}
	}
	if both < 100 || without < 5 || ours > 1000 {
		t.Errorf("%d of 1500 tokens accepted, %d with an expiry, %d without: the test says too little", ours, both, without)
	}
}

// Where any audience will do, a logout token needs one all the same.
func TestLogoutHandler_AnyAudience(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.Audiences, trusted.InsecureAnyAudience = nil, true
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for _, tt := range []struct {
		name   string
		aud    any
		status int
	}{
		{"one", "anything", http.StatusOK},
		{"none", nil, http.StatusBadRequest},
		{"an empty list", []string{}, http.StatusBadRequest},
	} {
		token := logoutToken(issuer, map[string]any{"aud": tt.aud, "jti": tt.name})
		if resp := postLogout(a, token); resp.StatusCode != tt.status {
			t.Errorf("%s: status = %d, want %d", tt.name, resp.StatusCode, tt.status)
		}
	}
}

// What logout tokens cause is on the account of who sends them: one client's, of issuers
// that it makes up, use up nobody else's turns.
func TestLogoutHandler_Caller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		find := func(ctx context.Context, name string) ([]oidcauth.Issuer, error) {
			if name != described.URL {
				<-ctx.Done() // a table that takes its time
				return nil, ctx.Err()
			}
			return []oidcauth.Issuer{described}, nil
		}
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: find, Client: oidctest.Client(issuer)})
		post := func(from, token string) int {
			r := httptest.NewRequest(http.MethodPost, "/logout", strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.RemoteAddr = from + ":1234"
			return serve(a.LogoutHandler(), r).StatusCode
		}
		var flood sync.WaitGroup
		flood.Go(func() {
			for n := range 800 { // for four seconds
				flood.Go(func() {
					post("192.0.2.1", logoutToken(issuer, map[string]any{"iss": fmt.Sprintf("https://made-up-%d.test", n)}))
				})
				time.Sleep(5 * time.Millisecond)
			}
		})
		time.Sleep(time.Second)
		if got := post("198.51.100.7", logoutToken(issuer, nil)); got != http.StatusOK {
			t.Errorf("beside a flood of another client's: status %d, want 200", got)
		}
		flood.Wait()
	})
}
