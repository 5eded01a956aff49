package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

const opaqueToken = "op_good"

// An inspector answers about the opaque tokens of its issuer.
type inspector struct {
	issuer   *oidctest.Issuer
	trusted  oidcauth.Issuer
	auth     *oidcauth.Authenticator
	local    *localissuer.Issuer
	log      *logBuffer
	asked    atomic.Int32
	running  atomic.Int32
	most     atomic.Int32 // that ran at once
	takes    atomic.Int64 // a time.Duration
	mu       sync.Mutex   // guards what follows
	answers  map[string]string
	fails    error
	askedFor []string
}

func (d *inspector) introspect(ctx context.Context, token string) (json.RawMessage, error) {
	d.asked.Add(1)
	now := d.running.Add(1)
	defer d.running.Add(-1)
	for most := d.most.Load(); now > most && !d.most.CompareAndSwap(most, now); most = d.most.Load() {
	}
	if takes := time.Duration(d.takes.Load()); takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.askedFor = append(d.askedFor, token)
	if d.fails != nil {
		return nil, d.fails
	}
	if answer, found := d.answers[token]; found {
		return json.RawMessage(answer), nil
	}
	return json.RawMessage(`{"active":false}`), nil
}

func (d *inspector) set(token, answer string, fails error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[token], d.fails = answer, fails
}

// answer writes what is said about a token of the issuer, which may be changed.
func (d *inspector) answer(change map[string]any) string {
	claims := map[string]any{
		"active": true, "iss": d.issuer.URL(), "sub": "alice", "aud": testAudience, "roles": []string{"own"},
		"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "token_type": "Bearer", "jti": "of " + opaqueToken,
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func newInspector(t *testing.T, change func(*oidcauth.Config)) *inspector {
	t.Helper()
	d := &inspector{answers: map[string]string{}, log: new(logBuffer)}
	d.issuer, d.trusted = newIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": testAudience}})
	d.local = newLocal(t, localissuer.Config{})
	d.trusted.Introspect, d.trusted.OpaquePrefix = d.introspect, "op_"
	d.answers[opaqueToken] = d.answer(nil)
	cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{d.trusted, d.local.Issuer()}, Client: d.issuer.Client(), Logger: slog.New(slog.NewTextHandler(d.log, nil))}
	if change != nil {
		change(&cfg)
	}
	d.trusted = cfg.Issuers[0]
	d.auth = newAuthenticator(t, cfg)
	return d
}

func (d *inspector) wantAsked(t *testing.T, when string, want int32) {
	t.Helper()
	if got := d.asked.Load(); got != want {
		t.Errorf("%s: asked %d times, want %d", when, got, want)
	}
}

// An opaque token is what its issuer says of it, for the answer's age and no longer.
func TestIntrospect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		c := authenticate(t, d.auth, opaqueToken)
		if c.Identity() != identity.New(d.issuer.URL(), "alice") || roles(c) != "own" || !c.HasAudience(testAudience) || c.KeyID() != "" || c.Type() != "" {
			t.Errorf("claims %v, key %q, type %q", c, c.KeyID(), c.Type())
		}
		for range 100 {
			if again := authenticate(t, d.auth, opaqueToken); again != c {
				t.Fatal("asked again within the answer's age")
			}
		}
		d.wantAsked(t, "within a minute", 1)
		time.Sleep(time.Minute)
		d.set(opaqueToken, d.answer(map[string]any{"roles": "other"}), nil)
		if c := authenticate(t, d.auth, opaqueToken); roles(c) != "other" || authenticate(t, d.auth, opaqueToken) != c {
			t.Errorf("roles %q after a minute, or the answer was judged twice", roles(c))
		}
		d.wantAsked(t, "after a minute", 2)
		d.set(opaqueToken, `{"active":false}`, nil)
		time.Sleep(time.Minute)
		wants(t, d.auth, opaqueToken, oidcauth.ErrRevoked)
		d.set(opaqueToken, d.answer(map[string]any{"exp": time.Now().Add(10 * time.Second).Unix()}), nil)
		time.Sleep(2 * time.Second)
		authenticate(t, d.auth, opaqueToken)
		time.Sleep(38*time.Second + time.Millisecond) // the leeway of 30 seconds included
		wants(t, d.auth, opaqueToken, oidcauth.ErrExpired)
	})
}

// Every answer that is not exactly a yes about a token for this server is refused.
func TestIntrospect_Answers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		said := func(name string, v any) string { return d.answer(map[string]any{name: v}) }
		raw := func(text string) string { return strings.Replace(d.answer(nil), "{", "{"+text+",", 1) }
		for n, tt := range []struct {
			name, answer, twin string
			want               error
		}{
			{"not active", said("active", false), said("active", true), oidcauth.ErrRevoked},
			{`active "true"`, said("active", "true"), said("active", true), oidcauth.ErrAnswerUnavailable},
			{"active 1", said("active", 1), said("active", true), oidcauth.ErrAnswerUnavailable},
			{"active null", said("active", json.RawMessage("null")), said("active", true), oidcauth.ErrAnswerUnavailable},
			{"active [true]", said("active", []bool{true}), said("active", true), oidcauth.ErrAnswerUnavailable},
			{"Active", strings.Replace(d.answer(nil), `"active"`, `"Active"`, 1), d.answer(nil), oidcauth.ErrAnswerUnavailable},
			{"active missing", said("active", nil), said("active", true), oidcauth.ErrAnswerUnavailable},
			{"active twice", raw(`"active":false`), raw(`"inactive":false`), oidcauth.ErrAnswerUnavailable},
			{"no object", `[]`, d.answer(nil), oidcauth.ErrAnswerUnavailable},
			{"nothing", ``, d.answer(nil), oidcauth.ErrAnswerUnavailable},
			{"an empty object", `{}`, d.answer(nil), oidcauth.ErrAnswerUnavailable},
			{"more than an object", d.answer(nil) + "{}", d.answer(nil) + " ", oidcauth.ErrAnswerUnavailable},
			{"huge", said("x", strings.Repeat("x", 1<<16)), said("x", strings.Repeat("x", 1<<10)), oidcauth.ErrAnswerUnavailable},
			{"another issuer", said("iss", "https://other.test"), said("iss", nil), oidcauth.ErrUnknownIssuer},
			{"an issuer with a slash", said("iss", d.issuer.URL()+"/"), said("iss", d.issuer.URL()), oidcauth.ErrUnknownIssuer},
			{"an issuer null", said("iss", json.RawMessage("null")), said("iss", nil), oidcauth.ErrClaim},
			{"an issuer empty", said("iss", ""), said("iss", nil), oidcauth.ErrClaim},
			{"issuers", said("iss", []string{d.issuer.URL()}), said("iss", d.issuer.URL()), oidcauth.ErrClaim},
			{"another audience", said("aud", "other"), said("aud", []string{"other", testAudience}), oidcauth.ErrAudience},
			{"no audience", said("aud", nil), said("aud", testAudience), oidcauth.ErrAudience},
			{"no expiry", said("exp", nil), said("exp", time.Now().Unix()+60), oidcauth.ErrClaim},
			{"an expiry as a string", said("exp", "99999999999"), said("exp", int64(99999999999)), oidcauth.ErrClaim},
			{"expired", said("exp", time.Now().Unix()-31), said("exp", time.Now().Unix()-29), oidcauth.ErrExpired},
			{"not yet valid", said("nbf", time.Now().Unix()+31), said("nbf", time.Now().Unix()+29), oidcauth.ErrNotYetValid},
			{"issued in the future", said("iat", time.Now().Unix()+31), said("iat", time.Now().Unix()+29), oidcauth.ErrIssuedInFuture},
			{"no subject", said("sub", nil), said("sub", "s"), oidcauth.ErrClaim},
			{"a number for a subject", said("sub", 7), said("sub", "7"), oidcauth.ErrClaim},
			{"bound to a key", said("cnf", map[string]any{"jkt": "x"}), said("cnfx", 1), oidcauth.ErrTokenType},
			{"a security event", said("events", map[string]any{}), said("eventsx", 1), oidcauth.ErrTokenType},
			{"token_type DPoP", said("token_type", "DPoP"), said("token_type", "bearer"), oidcauth.ErrTokenType},
			{"token_type null", said("token_type", json.RawMessage("null")), said("token_type", nil), oidcauth.ErrClaim},
			{"a refresh token", said("token_use", "refresh_token"), said("token_use", "access_token"), oidcauth.ErrTokenType},
			{"token_use empty", said("token_use", ""), said("token_use", nil), oidcauth.ErrTokenType},
			{"jti of another type", said("jti", 1), said("jti", "1"), oidcauth.ErrClaim},
		} {
			bad, good := fmt.Sprintf("op_bad%d", n), fmt.Sprintf("op_good%d", n)
			d.set(bad, tt.answer, nil)
			d.set(good, tt.twin, nil)
			if _, err := d.auth.Authenticate(t.Context(), bad); !errors.Is(err, tt.want) {
				t.Errorf("%s: error = %v, want %v", tt.name, err, tt.want)
			} else if report := d.auth.Explain(t.Context(), bad); !errors.Is(report.Err, tt.want) {
				t.Errorf("%s: report of %v, want %v", tt.name, report.Err, tt.want)
			}
			if _, err := d.auth.Authenticate(t.Context(), good); err != nil {
				t.Errorf("%s: the twin: error = %v", tt.name, err)
			}
		}
		if text := d.log.String(); strings.Contains(text, "op_") {
			t.Errorf("a token in the log: %s", text)
		}
	})
}

// What an answer without issuer says is what its issuer says, in the payload too, from
// which a log is replayed.
func TestIntrospect_NoIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		d.set(opaqueToken, d.answer(map[string]any{"iss": nil}), nil)
		c := authenticate(t, d.auth, opaqueToken)
		if iss, _ := c.LookupString("iss"); c.Issuer() != d.issuer.URL() || iss != c.Issuer() {
			t.Errorf("issuer %q, in the payload %q", c.Issuer(), iss)
		}
		again, err := d.auth.UnverifiedClaims(c.Payload(), nil)
		if err != nil || again.Identity() != c.Identity() || roles(again) != "own" {
			t.Errorf("claims of the payload: %v, %v", again, err)
		}
		expectEnd(t, d.auth.NewSession(t.Context(), again), oidcauth.ErrSignature)
	})
}

// Which tokens are asked about is decided by configuration and form. Nothing that has
// the form of a JWT, or of a part of one, leaves the server.
func TestIntrospect_Selected(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		prefix, token string
		asked         bool
		want          error
	}{
		{"op_", "op_x", true, oidcauth.ErrRevoked},
		{"op_", "op_", true, oidcauth.ErrRevoked},
		{"op_", "OP_x", false, oidcauth.ErrMalformedToken},
		{"op_", "xop_x", false, oidcauth.ErrMalformedToken},
		{"op_", "op", false, oidcauth.ErrMalformedToken},
		{"op_", "op_a.b", true, oidcauth.ErrRevoked},
		{"op_", "op_a.b.c", false, oidcauth.ErrMalformedToken},
		{"op_", "op_ x", false, oidcauth.ErrMalformedToken},
		{"op_", "op_x\n", false, oidcauth.ErrMalformedToken},
		{"op_", "op_\u00fc", false, oidcauth.ErrMalformedToken},
		{"op_", "op_" + strings.Repeat("x", 16<<10), false, oidcauth.ErrMalformedToken},
		{"", "x", true, oidcauth.ErrRevoked},
		{"", "", false, oidcauth.ErrMalformedToken},
		{"", "a.b", true, oidcauth.ErrRevoked},
		{"", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0", false, oidcauth.ErrMalformedToken},
		{"", "eyJhbGciOiJSUzI1NiJ9", true, oidcauth.ErrRevoked},
		{"", "a.b.c", false, oidcauth.ErrMalformedToken},
		{"", "a.b.c.d.e", false, oidcauth.ErrMalformedToken},
		{"", `{"payload":"x"}`, false, oidcauth.ErrMalformedToken},
	} {
		d := newInspector(t, func(cfg *oidcauth.Config) { cfg.Issuers[0].OpaquePrefix = tt.prefix })
		_, err := d.auth.Authenticate(t.Context(), tt.token)
		if asked := d.asked.Load() > 0; !errors.Is(err, tt.want) || asked != tt.asked {
			t.Errorf("prefix %q, token %.20q: asked %t, error = %v, want %t, %v", tt.prefix, tt.token, asked, err, tt.asked, tt.want)
		}
	}
}

// A JWT that names the issuer is not asked about: it needs a description of its own.
func TestIntrospect_JWT(t *testing.T) {
	t.Parallel()
	d := newInspector(t, nil)
	token := d.issuer.Token(nil)
	wants(t, d.auth, token, oidcauth.ErrTokenType)
	if advice := stepOf(t, d.auth.Explain(t.Context(), token), "type").Advice; !strings.Contains(advice, "Issuer.Introspect") {
		t.Errorf("advice %q", advice)
	}
	jwts := d.trusted
	jwts.Introspect, jwts.OpaquePrefix, jwts.Name = nil, "", "jwts"
	opaque := d.trusted
	opaque.Name = "opaque"
	for _, issuers := range [][]oidcauth.Issuer{{opaque, jwts}, {jwts, opaque}} {
		if err := d.auth.SetIssuers(issuers...); err != nil {
			t.Fatal(err)
		}
		if c := authenticate(t, d.auth, token); c.Description() != "jwts" {
			t.Errorf("the JWT was accepted as described by %q", c.Description())
		}
		wants(t, d.auth, d.issuer.Token(map[string]any{"aud": "other"}), oidcauth.ErrAudience)
	}
	d.wantAsked(t, "about JWTs", 0)
	if c := authenticate(t, d.auth, opaqueToken); c.Description() != "opaque" {
		t.Errorf("the opaque token was accepted as described by %q", c.Description())
	}
}

// Everybody who asks about a token shares a question.
func TestIntrospect_OneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		d.takes.Store(int64(time.Second))
		for range 2 {
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() { authenticate(t, d.auth, opaqueToken) })
			}
			wg.Wait()
			time.Sleep(time.Minute)
		}
		d.wantAsked(t, "twice by 100", 2)
	})
}

// TestIntrospect_Prefixes: of several issuers the one is asked whose prefix a token begins
// with, whatever order they were described in, and nobody about a token of none.
func TestIntrospect_Prefixes(t *testing.T) {
	t.Parallel()
	var asked []string
	var issuers []oidcauth.Issuer
	for _, prefix := range []string{"m_", "b_", "z", "b.", "ab_", "ba_"} {
		issuers = append(issuers, oidcauth.Issuer{
			URL: fmt.Sprintf("https://%d.test", len(issuers)), Audiences: []string{testAudience}, OpaquePrefix: prefix,
			Introspect: func(context.Context, string) (json.RawMessage, error) {
				asked = append(asked, prefix)
				return json.RawMessage(`{"active":false}`), nil
			},
		})
	}
	a := newAuthenticator(t, oidcauth.Config{Issuers: issuers})
	for token, want := range map[string]string{
		"m_1": "m_", "b_1": "b_", "zz": "z", "b.1": "b.", "ab_1": "ab_", "ba_1": "ba_", "z": "z",
		"a_1": "", "b": "", "b-1": "", "c": "", "m": "", "M_1": "", "~": "", "0": "", "bb_1": "", "b_": "b_",
	} {
		asked = nil
		_, err := a.Authenticate(t.Context(), token)
		if got := strings.Join(asked, " "); got != want || err == nil {
			t.Errorf("%q: asked of %q, want %q; error = %v", token, got, want, err)
		}
	}
}

// Settings that contradict each other are refused.
func TestIntrospect_Refuses(t *testing.T) {
	t.Parallel()
	ask := func(context.Context, string) (json.RawMessage, error) { return nil, nil }
	base := func() oidcauth.Issuer {
		return oidcauth.Issuer{URL: "https://issuer.test", Audiences: []string{"x"}, Introspect: ask}
	}
	other := func(prefix string) oidcauth.Issuer {
		i := base()
		i.URL, i.OpaquePrefix = "https://other.test", prefix
		return i
	}
	for _, tt := range []struct {
		name   string
		change func(*oidcauth.Issuer)
		beside []oidcauth.Issuer
		want   string
	}{
		{"nothing changed", func(*oidcauth.Issuer) {}, nil, ""},
		{"a prefix", func(i *oidcauth.Issuer) { i.OpaquePrefix = "a" }, nil, ""},
		{"an age", func(i *oidcauth.Issuer) { i.AnswerAge = time.Second }, nil, ""},
		{"a prefix alone", func(i *oidcauth.Issuer) { i.Introspect, i.OpaquePrefix = nil, "a" }, nil, "OpaquePrefix without"},
		{"a blank prefix", func(i *oidcauth.Issuer) { i.OpaquePrefix = "a b" }, nil, "OpaquePrefix"},
		{"a long prefix", func(i *oidcauth.Issuer) { i.OpaquePrefix = strings.Repeat("a", 65) }, nil, "OpaquePrefix"},
		{"types", func(i *oidcauth.Issuer) { i.TokenTypes = []string{"at+jwt"} }, nil, "TokenTypes"},
		{"dedicated keys", func(i *oidcauth.Issuer) { i.DedicatedKeys = true }, nil, "DedicatedKeys"},
		{"a template", func(i *oidcauth.Issuer) {
			i.URL, i.TenantClaim, i.Keys.JWKSURL = "https://issuer.test/{t}", "tid", "https://issuer.test/j"
		}, nil, "TenantClaim"},
		{"a trust domain", func(i *oidcauth.Issuer) { i.URL, i.Keys.JWKSURL = "spiffe://issuer.test", "https://issuer.test/j" }, nil, "trust domain"},
		{"a key source", func(i *oidcauth.Issuer) { i.Keys.Source = new(handSource) }, nil, "KeySource"},
		{"two without prefix", func(*oidcauth.Issuer) {}, []oidcauth.Issuer{other("")}, "OpaquePrefix"},
		{"one without prefix", func(*oidcauth.Issuer) {}, []oidcauth.Issuer{other("a")}, "OpaquePrefix"},
		{"overlapping prefixes", func(i *oidcauth.Issuer) { i.OpaquePrefix = "a_" }, []oidcauth.Issuer{other("a_b")}, "OpaquePrefix"},
		{"the same prefix", func(i *oidcauth.Issuer) { i.OpaquePrefix = "a_" }, []oidcauth.Issuer{other("a_")}, "OpaquePrefix"},
		{"overlapping prefixes, the longer one first", func(i *oidcauth.Issuer) { i.OpaquePrefix = "a_b" }, []oidcauth.Issuer{other("a_")}, "OpaquePrefix"},
		{"two prefixes", func(i *oidcauth.Issuer) { i.OpaquePrefix = "a_" }, []oidcauth.Issuer{other("b_")}, ""},
	} {
		i := base()
		tt.change(&i)
		issuers := append([]oidcauth.Issuer{i}, tt.beside...)
		a, err := oidcauth.New(oidcauth.Config{Issuers: issuers})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: New() error = %v, want one about %q", tt.name, err, tt.want)
		}
		if err == nil {
			err = a.SetIssuers(issuers...)
			a.Close()
		} else {
			fine := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{base()}})
			err = fine.SetIssuers(issuers...)
		}
		if (err == nil) != (tt.want == "") {
			t.Errorf("%s: SetIssuers() error = %v, want one about %q", tt.name, err, tt.want)
		}
	}
}

// A flood of made-up tokens causes so many questions and no more, and neither keeps
// out who comes from elsewhere nor touches what is live.
func TestIntrospect_Flood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		d.takes.Store(int64(50 * time.Millisecond))
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		before := d.asked.Load()
		var flood sync.WaitGroup
		var postponed atomic.Int32
		mallory := oidcauth.WithCallerAddr(t.Context(), netip.MustParseAddr("192.0.2.1"))
		const seconds = 120
		for worker := range 200 {
			flood.Go(func() {
				for n, end := 0, time.Now().Add(seconds*time.Second); time.Now().Before(end); n++ {
					_, err := d.auth.Authenticate(mallory, fmt.Sprintf("op_made_up_%d_%d", worker, n))
					switch r, _ := errors.AsType[*oidcauth.Refusal](err); {
					case errors.Is(err, oidcauth.ErrRevoked):
					case errors.Is(err, oidcauth.ErrAnswerUnavailable) && r.RetryAfter() > 0:
						postponed.Add(1)
						time.Sleep(100 * time.Millisecond)
					default:
						t.Errorf("a made-up token: error = %v", err)
					}
				}
			})
		}
		honest := oidcauth.WithCallerAddr(t.Context(), netip.MustParseAddr("198.51.100.7"))
		for n := range 20 {
			time.Sleep(5*time.Second + 7*time.Millisecond)
			token := fmt.Sprintf("op_honest%d", n)
			d.set(token, d.answer(nil), nil)
			started := time.Now()
			if _, err := d.auth.Authenticate(honest, token); err != nil {
				t.Errorf("who comes from elsewhere: error = %v", err)
			}
			if waited := time.Since(started); waited > time.Second {
				t.Errorf("who comes from elsewhere waited for %v", waited)
			}
		}
		if _, err := d.auth.Authenticate(mallory, opaqueToken); err != nil {
			t.Errorf("a token that was found good before: error = %v", err)
		}
		if s.CallContext().Err() != nil {
			t.Errorf("a session in a flood: %v", context.Cause(s.CallContext()))
		}
		flood.Wait()
		if asked := d.asked.Load() - before; asked > 100*(seconds+2) {
			t.Errorf("asked %d times in %d seconds of flood", asked, seconds)
		}
		if most := d.most.Load(); most > 20 {
			t.Errorf("%d questions at once", most)
		}
		if postponed.Load() == 0 {
			t.Error("nobody was told to come back")
		}
	})
}

// Without a cache, or once it has evicted a token, a session's question is none of a
// stranger's either.
func TestIntrospect_FloodWithoutCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, func(cfg *oidcauth.Config) { cfg.CacheBytes = -1 })
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		time.Sleep(29 * time.Second)
		d.takes.Store(int64(time.Second))
		var flood sync.WaitGroup
		for worker := range 100 {
			flood.Go(func() {
				for n, end := 0, time.Now().Add(37*time.Second); time.Now().Before(end); n++ {
					_, err := d.auth.Authenticate(t.Context(), fmt.Sprintf("op_made_up_%d_%d", worker, n))
					if !errors.Is(err, oidcauth.ErrRevoked) && !errors.Is(err, oidcauth.ErrAnswerUnavailable) {
						t.Errorf("a made-up token: error = %v", err)
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		for range 5 {
			time.Sleep(7 * time.Second) // its answer counts for a minute
			if call := s.CallContext(); call.Err() != nil {
				t.Errorf("a session in a flood: %v", context.Cause(call))
			}
		}
		flood.Wait()
	})
}

// What the issuer fails at because strangers had it asked says nothing about tokens that
// are known: their questions go on being put.
func TestIntrospect_FailuresOfStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		poison := errors.New("500")
		d.trusted.Introspect = func(ctx context.Context, token string) (json.RawMessage, error) {
			if strings.HasPrefix(token, "op_poison") {
				return nil, poison
			}
			return d.introspect(ctx, token)
		}
		if err := d.auth.SetIssuers(d.trusted); err != nil {
			t.Fatal(err)
		}
		authenticate(t, d.auth, opaqueToken)
		time.Sleep(time.Minute)
		for n := range 50 {
			wants(t, d.auth, fmt.Sprintf("op_poison%d", n), oidcauth.ErrAnswerUnavailable)
		}
		authenticate(t, d.auth, opaqueToken)
	})
}

// Whose question it is, is who the request came from.
func TestIntrospect_Caller(t *testing.T) {
	t.Parallel()
	d := newInspector(t, nil)
	r := newRequest(t, "GET /")
	r.RemoteAddr = "192.0.2.7:1"
	if got := oidcauth.CallerAccount(d.auth.CallerContext(r)).String(); got != "192.0.2.7" {
		t.Errorf("caller %s", got)
	}
	if err := d.auth.SetIssuers(); err != nil {
		t.Fatal(err)
	}
	if d.auth.CallerContext(r) != r.Context() {
		t.Error("a context that nobody needs")
	}
}

// A table of one's own cannot say whose an opaque token is, which names nobody.
func TestIntrospect_FindIssuer(t *testing.T) {
	t.Parallel()
	d := newInspector(t, nil)
	plain := d.trusted
	plain.Introspect, plain.OpaquePrefix = nil, ""
	for _, tt := range []struct {
		found oidcauth.Issuer
		want  error
	}{{d.trusted, oidcauth.ErrKeysUnavailable}, {plain, nil}} {
		a := newAuthenticator(t, oidcauth.Config{Client: d.issuer.Client(), FindIssuer: func(context.Context, string) ([]oidcauth.Issuer, error) {
			return []oidcauth.Issuer{tt.found}, nil
		}})
		wants(t, a, d.issuer.Token(nil), tt.want)
		wants(t, a, opaqueToken, oidcauth.ErrMalformedToken)
	}
}

// The line about what a caller may not do says who that is, as with a JWT.
func TestIntrospect_ForbiddenLine(t *testing.T) {
	t.Parallel()
	d := newInspector(t, nil)
	handler := d.auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.auth.Refuse(w, r, oidcauth.Require(r.Context(), oidcauth.HasRole("admin")))
	}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, newRequest(t, "GET /", "Authorization: Bearer "+opaqueToken))
	if text := d.log.String(); w.Code != 403 || !strings.Contains(text, "subject=alice") || strings.Contains(text, opaqueToken) {
		t.Errorf("status %d, the log has %s", w.Code, text)
	}
}

// A report shows what an opaque token was judged by.
func TestIntrospect_Explain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		r := d.auth.Explain(t.Context(), opaqueToken)
		if !r.Accepted || r.Issuer != d.issuer.URL() || r.Subject != "alice" {
			t.Errorf("report:\n%s", r)
		}
		d.set("op_bad", `{"active":false}`, nil)
		r = d.auth.Explain(t.Context(), "op_bad")
		if advice := stepOf(t, r, "introspection").Advice; !strings.Contains(advice, "not active") {
			t.Errorf("advice = %q, want one about what is not active", advice)
		}
		for _, s := range r.Steps[3:] {
			if s.Verdict != explain.Skipped {
				t.Errorf("step %s after a refusal: %s", s.Check, s.Verdict)
			}
		}
		if strings.Contains(fmt.Sprint(r), "op_bad") {
			t.Errorf("the token in a report:\n%s", r)
		}
	})
}
