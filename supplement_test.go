package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A directory is what a program's own table says of its users.
type directory struct {
	issuer *oidctest.Issuer
	auth   *oidcauth.Authenticator
	local  *localissuer.Issuer
	log    *logBuffer
	asked  atomic.Int32
	takes  time.Duration

	mu      sync.Mutex // guards what follows
	answer  string
	err     error
	unwell  func() // what happens while it is asked
	askedBy []string
}

func (d *directory) set(answer string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer, d.err = answer, err
}

func (d *directory) supplement(ctx context.Context, c *oidcauth.Claims, token string) (json.RawMessage, error) {
	d.asked.Add(1)
	if c.Supplement() != nil || c.HasRole("supplied") || !c.HasRole("own") || token == "" {
		return nil, errors.New("asked about something else than the token as it is")
	}
	time.Sleep(d.takes)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.askedBy = append(d.askedBy, token)
	if d.unwell != nil {
		d.unwell()
	}
	return json.RawMessage(d.answer), d.err
}

// newDirectory returns a directory that is asked about the tokens of its issuer.
func newDirectory(t *testing.T, change func(*oidcauth.Config)) *directory {
	t.Helper()
	d := &directory{answer: `{"roles":["supplied"],"team":"blue"}`, log: new(logBuffer)}
	issuer, trusted := newIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": testAudience, "roles": "own"}})
	d.issuer, d.local = issuer, newLocal(t, localissuer.Config{})
	trusted.Supplement = d.supplement
	cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, d.local.Issuer()}, Client: issuer.Client(), Logger: slog.New(slog.NewTextHandler(d.log, nil))}
	if change != nil {
		change(&cfg)
	}
	d.auth = newAuthenticator(t, cfg)
	return d
}

func (d *directory) wantAsked(t *testing.T, when string, want int32) {
	t.Helper()
	if got := d.asked.Load(); got != want {
		t.Errorf("%s: asked %d times, want %d", when, got, want)
	}
}

func roles(c *oidcauth.Claims) string { return strings.Join(slices.Collect(c.Roles()), "+") }

// A shyError is one of a program that panics when it is asked what it is.
type shyError struct{}

func (shyError) Error() string { return "shy" }
func (shyError) As(any) bool   { panic("asked what it is") }

// What is supplied adds roles, stays apart from the payload, and is kept for the
// answer's age and no longer.
func TestSupplement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory(t, nil)
		token := d.issuer.Token(nil)
		c := authenticate(t, d.auth, token)
		if roles(c) != "own+supplied" || string(c.Supplement()) != d.answer || !c.HasAudience(testAudience) {
			t.Errorf("roles %q, supplement %s", roles(c), c.Supplement())
		}
		if _, found := c.Lookup("team"); found || strings.Contains(string(c.Payload()), "blue") {
			t.Error("what was supplied passes for the issuer's word")
		}
		if c.Identity() != identity.New(d.issuer.URL(), "alice") {
			t.Errorf("identity %v", c.Identity())
		}
		c.Supplement()[0] = '['
		d.set(`{"roles":["other"]}`, nil)
		for range 100 {
			if again := authenticate(t, d.auth, token); again != c || again.Supplement()[0] != '{' {
				t.Fatal("another answer within its age, or one that was changed")
			}
		}
		d.wantAsked(t, "within a minute", 1)
		time.Sleep(time.Minute)
		if again := authenticate(t, d.auth, token); roles(again) != "own+other" || roles(c) != "own+supplied" {
			t.Errorf("roles %q after a minute, and of the claims of before %q", roles(again), roles(c))
		}
		d.wantAsked(t, "after a minute", 2)
	})
}

// Nothing but a token that everything else was checked of causes a question.
func TestSupplement_GoodTokensOnly(t *testing.T) {
	d := newDirectory(t, func(cfg *oidcauth.Config) {
		cfg.Issuers[0].ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"banned"}, Absent: true}}
	})
	if err := d.auth.Revoke(t.Context(), oidcauth.Revocation{TokenID: "revoked"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, token string
		want        error
	}{
		{"no token", "x", oidcauth.ErrMalformedToken},
		{"bad signature", hostile.SpoilSignature(d.issuer.Token(nil)), oidcauth.ErrSignature},
		{"expired", d.issuer.Token(map[string]any{"exp": 1}), oidcauth.ErrExpired},
		{"another audience", d.issuer.Token(map[string]any{"aud": "x"}), oidcauth.ErrAudience},
		{"no subject", d.issuer.Token(map[string]any{"sub": ""}), oidcauth.ErrClaim},
		{"a claim rule", d.issuer.Token(map[string]any{"banned": 1}), oidcauth.ErrRule},
		{"revoked", d.issuer.Token(map[string]any{"jti": "revoked"}), oidcauth.ErrRevoked},
	} {
		wants(t, d.auth, tt.token, tt.want)
		if r := d.auth.Explain(t.Context(), tt.token); !errors.Is(r.Err, tt.want) {
			t.Errorf("%s: Explain() error = %v, want %v", tt.name, r.Err, tt.want)
		}
		d.wantAsked(t, tt.name, 0)
	}
	wants(t, d.auth, d.issuer.Token(nil), nil)
	d.wantAsked(t, "a good token", 1)
}

// Rules see what was supplied; a claim rule looks where it says, and there alone.
func TestSupplement_Rules(t *testing.T) {
	inSupplement := func(r oidcauth.ClaimRule) oidcauth.ClaimRule { r.Supplement = true; return r }
	team := oidcauth.ClaimRule{Claim: oidcauth.Path{"team"}, In: []string{"blue"}}
	notRed := oidcauth.ClaimRule{Claim: oidcauth.Path{"team"}, NotIn: []string{"red"}}
	either := team
	either.Or = []oidcauth.ClaimRule{inSupplement(team)}
	for _, tt := range []struct {
		name   string
		change func(*oidcauth.Issuer)
		token  any // its team
		answer string
		want   error
	}{
		{"a role that was supplied", func(i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{oidcauth.HasRole("supplied")} }, nil, `{"roles":"supplied"}`, nil},
		{"a role that was not", func(i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{oidcauth.HasRole("supplied")} }, nil, `{}`, oidcauth.ErrRule},
		{"a role of the token's", func(i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{oidcauth.HasRole("own")} }, nil, ``, nil},
		{"a claim in the token, supplied alone", func(i *oidcauth.Issuer) { i.ClaimRules = []oidcauth.ClaimRule{team} }, nil, `{"team":"blue"}`, oidcauth.ErrRule},
		{"a claim in the token", func(i *oidcauth.Issuer) { i.ClaimRules = []oidcauth.ClaimRule{team} }, "blue", `{"team":"red"}`, nil},
		{"a claim in the supplement, the token's alone", func(i *oidcauth.Issuer) { i.ClaimRules = []oidcauth.ClaimRule{inSupplement(team)} }, "blue", `{}`, oidcauth.ErrRule},
		{"a claim in the supplement", func(i *oidcauth.Issuer) { i.ClaimRules = []oidcauth.ClaimRule{inSupplement(team)} }, "red", `{"team":"blue"}`, nil},
		{"a claim in no supplement", func(i *oidcauth.Issuer) { i.ClaimRules = []oidcauth.ClaimRule{inSupplement(team)} }, nil, ``, oidcauth.ErrRule},
		{"a claim that must not be in no supplement", func(i *oidcauth.Issuer) {
			i.ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"team"}, Absent: true, Supplement: true}}
		}, "blue", ``, nil},
		{"a claim that must not be so in the supplement", func(i *oidcauth.Issuer) { i.ClaimRules = []oidcauth.ClaimRule{inSupplement(notRed)} }, "blue", `{"team":"red"}`, oidcauth.ErrRule},
		{"and is not", func(i *oidcauth.Issuer) { i.ClaimRules = []oidcauth.ClaimRule{inSupplement(notRed)} }, "red", `{}`, nil},
		{"a claim in either, the token's", func(i *oidcauth.Issuer) { i.ClaimRules = []oidcauth.ClaimRule{either} }, "blue", `{}`, nil},
		{"a claim in either, the supplement's", func(i *oidcauth.Issuer) { i.ClaimRules = []oidcauth.ClaimRule{either} }, nil, `{"team":"blue"}`, nil},
		{"a claim in neither", func(i *oidcauth.Issuer) { i.ClaimRules = []oidcauth.ClaimRule{either} }, "red", `{"team":"red"}`, oidcauth.ErrRule},
		{"a path through a string", func(i *oidcauth.Issuer) {
			i.ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"team", "x"}, Absent: true, Supplement: true}}
		}, nil, `{"team":"blue"}`, oidcauth.ErrRule},
		{"roles elsewhere", func(i *oidcauth.Issuer) {
			i.Roles = []oidcauth.Path{{"roles"}, {"app", "roles"}}
			i.Rules = []oidcauth.Rule{oidcauth.HasRole("x"), oidcauth.HasRole("own")}
		}, nil, `{"app":{"roles":["x"]}}`, nil},
		{"roles in another form", func(i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{oidcauth.HasRole("x")} }, nil, `{"roles":{"x":false}}`, oidcauth.ErrRule},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDirectory(t, func(cfg *oidcauth.Config) { tt.change(&cfg.Issuers[0]) })
			d.set(tt.answer, nil)
			token := d.issuer.Token(map[string]any{"team": tt.token})
			wants(t, d.auth, token, tt.want)
			wants(t, d.auth, token, tt.want)
			if r := d.auth.Explain(t.Context(), token); !errors.Is(r.Err, tt.want) {
				t.Errorf("Explain() error = %v, want %v", r.Err, tt.want)
			}
		})
	}
}

// A rule for a route looks in the supplement where it says so, as one of an issuer does.
func TestSupplement_RuleOfARoute(t *testing.T) {
	d := newDirectory(t, nil)
	ctx := oidcauth.NewContext(t.Context(), authenticate(t, d.auth, d.issuer.Token(map[string]any{"team": "red"})))
	for value, want := range map[string]error{"blue": nil, "red": oidcauth.ErrForbidden} {
		rule, err := oidcauth.ClaimRule{Claim: oidcauth.Path{"team"}, In: []string{value}, Supplement: true}.Rule()
		if err != nil {
			t.Fatal(err)
		}
		if err := oidcauth.Require(ctx, rule); !errors.Is(err, want) {
			t.Errorf("team %s: Require() error = %v, want %v", value, err, want)
		}
	}
}

// Where an answer is too old, that alone is sought anew: what was verified and cannot
// change is not, and nobody is asked about a token that is refused by now.
func TestSupplement_AgainIsNotAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clock authtest.Clock
		d := newDirectory(t, func(cfg *oidcauth.Config) { cfg.Now, cfg.MaxTokenLifetime = clock.Now, time.Hour })
		lives := map[string]any{"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "jti": "1"}
		token := d.issuer.Token(lives)
		wants(t, d.auth, token, nil)
		clock.Set(-30 * time.Minute) // by which a token would live for too long that came now
		lives["jti"] = "2"
		wants(t, d.auth, d.issuer.Token(lives), oidcauth.ErrClaim)
		d.wantAsked(t, "at first", 1)
		time.Sleep(time.Minute)
		wants(t, d.auth, token, nil)
		d.wantAsked(t, "a minute later", 2)
		time.Sleep(time.Minute)
		d.set("", errors.New("directory down"))
		_, err := d.auth.Authenticate(t.Context(), token)
		checkSole(t, err, oidcauth.ErrAnswerUnavailable)
		d.wantAsked(t, "in an outage", 3)
		d.set("{}", nil)
		time.Sleep(time.Minute)
		revoke(t, d.auth, oidcauth.Revocation{TokenID: "1"})
		_, err = d.auth.Authenticate(t.Context(), token)
		if err == nil {
			t.Error("Authenticate() accepts a token that was revoked")
		}
		d.wantAsked(t, "about a revoked token", 3)
	})
}

// A failure is 503 with a time to try again, never an older answer, and stands for
// a second; what the program did wrong is logged.
func TestSupplement_Failure(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer string
		err    error
		want   error
		logged bool
	}{
		{"an error", "", errors.New("directory down"), oidcauth.ErrAnswerUnavailable, false},
		{"an error that wraps another refusal", "", fmt.Errorf("%w", oidcauth.ErrForbidden), oidcauth.ErrAnswerUnavailable, false},
		{"an error that panics when it is asked what it is", "", shyError{}, oidcauth.ErrAnswerUnavailable, true},
		{"revoked", "", fmt.Errorf("signed out: %w", oidcauth.ErrRevoked), oidcauth.ErrRevoked, false},
		{"another's subject", `{"sub":"mallory"}`, nil, oidcauth.ErrAnswerUnavailable, true},
		{"the same subject", `{"sub":"alice"}`, nil, oidcauth.ErrAnswerUnavailable, true},
		{"an expiry", `{"exp":4102444800}`, nil, oidcauth.ErrAnswerUnavailable, true},
		{"no object", `["own"]`, nil, oidcauth.ErrAnswerUnavailable, true},
		{"too long", `{"a":"` + strings.Repeat("b", 16<<10) + `"}`, nil, oidcauth.ErrAnswerUnavailable, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDirectory(t, nil)
				token := d.issuer.Token(nil)
				wants(t, d.auth, token, nil)
				time.Sleep(time.Minute)
				d.set(tt.answer, tt.err)
				for range 10 {
					_, err := d.auth.Authenticate(t.Context(), token)
					checkSole(t, err, tt.want)
				}
				d.wantAsked(t, "at a failure", 2)
				synctest.Wait() // for what is logged behind the answer
				if logged := strings.Contains(d.log.String(), "what supplements a token cannot be used"); logged != tt.logged {
					t.Errorf("logged %t, want %t: %s", logged, tt.logged, d.log.String())
				}
				outage := tt.want == oidcauth.ErrAnswerUnavailable && !tt.logged
				if logged := strings.Contains(d.log.String(), `level=WARN msg="Issuer.Supplement failed: tokens that need it are refused with 503"`); logged != outage {
					t.Errorf("logged an outage %t, want %t: %s", logged, outage, d.log.String())
				}
				d.set(`{"roles":["later"]}`, nil)
				time.Sleep(time.Second + time.Millisecond)
				if c := authenticate(t, d.auth, token); roles(c) != "own+later" {
					t.Errorf("roles %q once it went well again", roles(c))
				}
			})
		})
	}
}

func TestSupplement_Answer(t *testing.T) {
	d := newDirectory(t, nil)
	d.set("", errors.New("directory down"))
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+d.issuer.Token(nil))
	d.auth.Middleware(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("status %d, header %v", w.Code, w.Header())
	}
	if strings.Contains(w.Body.String(), "directory") {
		t.Errorf("the caller is told %s", w.Body)
	}
}

// Nothing that makes the identity, or that the description judges by, is supplied.
func TestSupplement_Reserved(t *testing.T) {
	for name, change := range map[string]func(*oidcauth.Issuer){
		"oid":      func(i *oidcauth.Issuer) { i.Subject = []oidcauth.Path{{"oid", "x"}} },
		"appid":    func(i *oidcauth.Issuer) { i.SubjectElse = []oidcauth.Path{{"appid"}} },
		"resource": func(i *oidcauth.Issuer) { i.AudienceClaim = "resource" },
	} {
		d := newDirectory(t, func(cfg *oidcauth.Config) { change(&cfg.Issuers[0]) })
		d.set(`{"`+name+`":"x"}`, nil)
		claims := map[string]any{"oid": map[string]any{"x": "1"}, "appid": "2", "resource": testAudience}
		wants(t, d.auth, d.issuer.Token(claims), oidcauth.ErrAnswerUnavailable)
		plain := newDirectory(t, nil)
		plain.set(`{"`+name+`":"x"}`, nil)
		wants(t, plain.auth, plain.issuer.Token(claims), nil)
	}
}

// The claim that tells an issuer's tenants apart is the token's alone to say, too.
func TestSupplement_ReservedTenant(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]error{`{"tid":"x"}`: oidcauth.ErrAnswerUnavailable, `{"tip":"x"}`: nil} {
		keys := newTenantKeys(t)
		keys.trusted.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
			return json.RawMessage(answer), nil
		}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{keys.trusted}})
		wants(t, a, keys.all.Token(map[string]any{"iss": tenantURL(tenantA), "tid": tenantA, "aud": testAudience, "sub": "alice", "exp": time.Now().Add(time.Hour).Unix()}), want)
	}
}

// The check that a rule failed in is another where rules see what was supplied.
func TestSupplement_NameOfTheRules(t *testing.T) {
	t.Parallel()
	for _, supplemented := range []bool{false, true} {
		d := newDirectory(t, func(cfg *oidcauth.Config) {
			i := &cfg.Issuers[0]
			i.Rules = []oidcauth.Rule{oidcauth.HasRole("nobody's")}
			if !supplemented {
				i.Supplement = nil
			}
		})
		want := "rules"
		if supplemented {
			want = "all rules"
		}
		_, err := d.auth.Authenticate(t.Context(), d.issuer.Token(nil))
		if r, ok := errors.AsType[*oidcauth.Refusal](err); !ok || r.Check != want || !errors.Is(err, oidcauth.ErrRule) {
			t.Errorf("supplemented: %t: Authenticate() error = %+v, want %v by the check %q", supplemented, err, oidcauth.ErrRule, want)
		}
	}
}

// What was supplied, and what was answered, count in the cache with all they hold.
func TestSupplement_Size(t *testing.T) {
	t.Parallel()
	const hidden = 24 // beside a token
	d := newDirectory(t, nil)
	d.set(`{"note":"`+strings.Repeat("x", 1000)+`"}`, nil)
	token := d.issuer.Token(nil)
	with := authenticate(t, d.auth, token)
	setIssuers(t, d.auth, oidcauth.Issuer{URL: d.issuer.URL(), Audiences: []string{testAudience}})
	without := authenticate(t, d.auth, token)
	if got, want := with.Size()-without.Size(), int(oidcauth.SuppliedSize)+hidden+len(token)+len(d.answer); got != want {
		t.Errorf("what was supplied counts %d bytes, want %d", got, want)
	}
	i := newInspector(t, nil)
	answer := i.answer(nil)
	none, err := i.auth.UnverifiedClaims([]byte(answer), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"op_short", "op_" + strings.Repeat("x", 1000)} {
		i.set(token, answer, nil)
		if got, want := authenticate(t, i.auth, token).Size()-none.Size(), int(oidcauth.AnsweredSize)+hidden+len(token); got != want {
			t.Errorf("an answer counts %d bytes, want %d", got, want)
		}
	}
}

// A thousand who wait for one token cause one question, at first and when the
// answer is too old; with a cache or without.
func TestSupplement_Stampede(t *testing.T) {
	for _, cacheBytes := range []int64{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			d := newDirectory(t, func(cfg *oidcauth.Config) { cfg.CacheBytes = cacheBytes })
			d.takes = time.Second
			token := d.issuer.Token(nil)
			for round := range int32(3) {
				var all sync.WaitGroup
				for range 1000 {
					all.Go(func() { wants(t, d.auth, token, nil) })
				}
				all.Wait()
				d.wantAsked(t, fmt.Sprint("round ", round), round+1)
				time.Sleep(time.Minute)
			}
		})
	}
}

// What happens while somebody is asked counts: the token that expires, that is
// revoked, or whose server closes meanwhile, is refused.
func TestSupplement_Meanwhile(t *testing.T) {
	for _, again := range []bool{false, true} {
		for _, tt := range []struct {
			name   string
			happen func(*directory)
			want   error
		}{
			{"nothing", func(*directory) {}, nil},
			{"expiry", func(*directory) { time.Sleep(4 * time.Second) }, oidcauth.ErrExpired},
			{"revocation", func(d *directory) {
				d.auth.Revoke(context.Background(), oidcauth.Revocation{Issuer: d.issuer.URL(), Subject: "alice"})
			}, oidcauth.ErrRevoked},
			{"close", func(d *directory) { go d.auth.Close(); time.Sleep(time.Second) }, oidcauth.ErrClosed},
		} {
			t.Run(fmt.Sprintf("%s, again %t", tt.name, again), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newDirectory(t, nil)
					// In whole seconds until the end, leeway included.
					token := d.issuer.Token(map[string]any{"exp": time.Now().Add(33 * time.Second).Unix()})
					if again {
						wants(t, d.auth, token, nil)
					}
					time.Sleep(60 * time.Second)
					d.unwell = func() { tt.happen(d) }
					wants(t, d.auth, token, tt.want)
				})
			})
		}
	}
}

// A report tells what was supplied, and by which rule it was refused.
func TestSupplement_Explain(t *testing.T) {
	d := newDirectory(t, func(cfg *oidcauth.Config) {
		cfg.Issuers[0].Rules = []oidcauth.Rule{oidcauth.HasRole("own")}
		cfg.Issuers[0].ClaimRules = []oidcauth.ClaimRule{
			{Claim: oidcauth.Path{"team"}, Absent: true}, {Claim: oidcauth.Path{"team"}, In: []string{"blue"}, Supplement: true},
		}
	})
	token := d.issuer.Token(nil)
	r := d.auth.Explain(t.Context(), token)
	var got []string
	for _, s := range r.Steps[len(r.Steps)-4:] {
		got = append(got, s.Check+": "+s.Got)
	}
	want := []string{
		"rules: 1 rules satisfied", "revocation: not revoked",
		`supplement: 2 claims in 36 bytes, roles now ["own" "supplied"]`, "all rules: 2 rules satisfied",
	}
	if !r.Accepted || !slices.Equal(got, want) || strings.Contains(r.String(), token) {
		t.Errorf("Explain() = %q, want %q", got, want)
	}
	d.set("", errors.New("directory down"))
	r = d.auth.Explain(t.Context(), d.issuer.Token(map[string]any{"jti": "another"}))
	if s := r.Steps[len(r.Steps)-2]; s.Check != "supplement" || s.Verdict != "failed" || !strings.Contains(s.Got, "directory down") || s.Advice == "" {
		t.Errorf("the step is %+v", s)
	}
	if s := r.Steps[len(r.Steps)-1]; s.Verdict != "skipped" {
		t.Errorf("rules without an answer: %+v", s)
	}
	plain := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: "https://plain.test", Audiences: []string{"x"}}}})
	if r := d.auth.Explain(t.Context(), "x"); len(r.Steps) != len(plain.Explain(t.Context(), "x").Steps) {
		t.Errorf("%d steps for what names no issuer", len(r.Steps))
	}
}

// Claims with a supplement are those without in everything else but when they were
// last compared with the revocations.
func TestSupplement_CopiesAll(t *testing.T) {
	if got, want := oidcauth.LeftOutOfCopies(), []string{"record", "unrevoked"}; !slices.Equal(got, want) {
		t.Errorf("left out: %q, want %q, which are made anew", got, want)
	}
}

// A commit log replays both, and asks nobody.
func TestSupplement_Replay(t *testing.T) {
	d := newDirectory(t, nil)
	live := authenticate(t, d.auth, d.issuer.Token(nil))
	replayed, err := d.auth.UnverifiedClaims(live.Payload(), live.Supplement())
	if err != nil || roles(replayed) != roles(live) || string(replayed.Supplement()) != string(live.Supplement()) || replayed.Identity() != live.Identity() {
		t.Errorf("UnverifiedClaims() = roles %q, error %v, want %q", roles(replayed), err, roles(live))
	}
	without, err := d.auth.UnverifiedClaims(live.Payload(), nil)
	if err != nil || roles(without) != "own" || without.Supplement() != nil {
		t.Errorf("UnverifiedClaims() without supplement: roles %q, error %v", roles(without), err)
	}
	d.wantAsked(t, "in all", 1)
	if s := d.auth.NewSession(t.Context(), replayed); s.Context().Err() == nil {
		t.Error("unverified claims begin a session")
	}
	for _, bad := range []string{`[]`, `{"sub":"mallory"}`, `{`, `null`} {
		if _, err := d.auth.UnverifiedClaims(live.Payload(), []byte(bad)); !errors.Is(err, oidcauth.ErrClaim) {
			t.Errorf("UnverifiedClaims() of %s: error = %v, want %v", bad, err, oidcauth.ErrClaim)
		}
	}
	open := newAuthenticator(t, oidcauth.Config{AnyIssuer: &oidcauth.AnyIssuer{Audiences: []string{testAudience}}})
	stranger := []byte(`{"iss":"https://stranger.example","sub":"alice","exp":1}`)
	if _, err := open.UnverifiedClaims(stranger, live.Supplement()); !errors.Is(err, oidcauth.ErrClaim) {
		t.Errorf("UnverifiedClaims() of a stranger with roles: error = %v, want %v", err, oidcauth.ErrClaim)
	}
	if _, err := open.UnverifiedClaims(stranger, nil); err != nil {
		t.Errorf("UnverifiedClaims() of a stranger: error = %v", err)
	}
}

func TestNew_Supplement(t *testing.T) {
	none := func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) { return nil, nil }
	rule := []oidcauth.ClaimRule{{Claim: oidcauth.Path{"a"}, Absent: true, Supplement: true}}
	nested := []oidcauth.ClaimRule{{Claim: oidcauth.Path{"a"}, Absent: true, Or: rule}}
	for _, tt := range []struct {
		name   string
		change func(*oidcauth.Issuer)
		ok     bool
	}{
		{"a supplement", func(i *oidcauth.Issuer) { i.Supplement = none }, true},
		{"with an age", func(i *oidcauth.Issuer) { i.Supplement, i.AnswerAge = none, time.Second }, true},
		{"with a rule", func(i *oidcauth.Issuer) { i.Supplement, i.ClaimRules = none, nested }, true},
		{"a negative age", func(i *oidcauth.Issuer) { i.Supplement, i.AnswerAge = none, -1 }, false},
		{"an age alone", func(i *oidcauth.Issuer) { i.AnswerAge = time.Second }, false},
		{"a rule alone", func(i *oidcauth.Issuer) { i.ClaimRules = rule }, false},
		{"a rule inside another alone", func(i *oidcauth.Issuer) { i.ClaimRules = nested }, false},
	} {
		i := oidcauth.Issuer{URL: "https://issuer.test", Audiences: []string{"x"}}
		tt.change(&i)
		a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{i}})
		if (err == nil) != tt.ok {
			t.Errorf("%s: New() error = %v", tt.name, err)
		}
		if err == nil {
			a.Close()
		}
	}
	_, err := oidcauth.New(oidcauth.Config{AnyIssuer: &oidcauth.AnyIssuer{Audiences: []string{"x"}, ClaimRules: rule}})
	if err == nil {
		t.Error("New() accepts a rule on a supplement for strangers' tokens")
	}
}

// AnswerAge is from when the question was put.
func TestSupplement_AnswerAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory(t, func(cfg *oidcauth.Config) { cfg.Issuers[0].AnswerAge = 10 * time.Second })
		d.takes = 3 * time.Second
		token := d.issuer.Token(nil)
		wants(t, d.auth, token, nil)
		time.Sleep(7*time.Second - time.Millisecond)
		wants(t, d.auth, token, nil)
		d.wantAsked(t, "before ten seconds", 1)
		time.Sleep(time.Millisecond)
		wants(t, d.auth, token, nil)
		d.wantAsked(t, "after ten seconds", 2)
	})
}
