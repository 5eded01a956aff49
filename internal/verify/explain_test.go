package verify_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

// checkOrder are the checks of a report in their order.
var checkOrder = []string{
	"form", "issuer", "algorithm", "key", "signature", "expiry", "not before",
	"issued at", "audience", "type", "subject", "claims", "rules", "revocation",
}

// Explain agrees with Authenticate about every token there is a test for.
func TestExplain_Agrees(t *testing.T) {
	t.Parallel()
	w := hostile.NewWorld(t)
	reasons := map[error]bool{}
	for _, row := range w.Rows() {
		if row.BadToken == "" {
			continue
		}
		good := w.Auth.Explain(t.Context(), row.GoodToken)
		if !good.Accepted || good.Err != nil || good.Identity.IsZero() || firstFailure(good) != nil {
			t.Errorf("%s: the twin is explained as %+v", row.Name, good)
		}
		bad := w.Judge(row.Want).Explain(t.Context(), row.BadToken)
		_, err := row.Bad()
		if !errors.Is(bad.Err, row.Want) || err == nil || withoutTimes(bad.Err) != withoutTimes(err) {
			t.Errorf("%s: Explain() error = %v, Authenticate() error = %v, want %v", row.Name, bad.Err, err, row.Want)
		}
		checkReport(t, row.Name, bad, row.BadToken)
		reasons[row.Want] = true
	}
	if len(reasons) < 13 {
		t.Errorf("%d reasons seen in reports", len(reasons))
	}
}

// withoutTimes is an error's text up to the times that pass while a test runs.
func withoutTimes(err error) string {
	if err == nil {
		return ""
	}
	text, _, _ := strings.Cut(err.Error(), ", want later than ")
	text, _, _ = strings.Cut(text, ", want not later than ")
	return text
}

// checkReport fails unless a report of a refusal is in order.
func checkReport(t *testing.T, name string, r explain.Report, tok string) {
	t.Helper()
	if r.Accepted || !r.Identity.IsZero() || r.Issuer+r.Subject != "" {
		t.Errorf("%s: a refused token is explained as accepted, as %v", name, r.Identity)
	}
	var order []string
	for _, s := range r.Steps {
		order = append(order, s.Check)
		switch {
		case s.Verdict == explain.Failed && (s.Advice == "" || s.Got == ""):
			t.Errorf("%s: failed without a word: %+v", name, s)
		case s.Verdict == explain.Skipped && (s.Advice+s.Got+s.Want != ""):
			t.Errorf("%s: skipped, but %+v", name, s)
		case s.Verdict == explain.Passed && (s.Advice != "" || s.Want == ""):
			t.Errorf("%s: passed, but %+v", name, s)
		}
	}
	if !slices.Equal(order, checkOrder) {
		t.Fatalf("%s: steps %q, want %q", name, order, checkOrder)
	}
	first := firstFailure(r)
	refusal, ok := errors.AsType[*oidcauth.Refusal](r.Err)
	if first == nil || !ok {
		t.Errorf("%s: first failure %+v of %v", name, first, r.Err)
		return
	}
	if refusal.Got != "" && (first.Got != refusal.Got || first.Want != refusal.Want) {
		t.Errorf("%s: the first failure is %+v, the error %v", name, *first, r.Err)
	}
	authtest.CheckText(t, r.String(), tok)
}

func firstFailure(r explain.Report) *explain.Step {
	for i := range r.Steps {
		if r.Steps[i].Verdict == explain.Failed {
			return &r.Steps[i]
		}
	}
	return nil
}

// verdicts writes a report's verdicts as one letter each.
func verdicts(r explain.Report) string {
	var b strings.Builder
	for _, s := range r.Steps {
		b.WriteByte(string(s.Verdict)[0])
	}
	return b.String()
}

// What a failure leaves to be checked is checked, and no more.
func TestExplain_Skips(t *testing.T) {
	t.Parallel()
	w := hostile.NewWorld(t)
	byName := map[string]hostile.Fault{}
	for _, f := range hostile.Faults() {
		byName[f.Name] = f
	}
	tests := []struct {
		faults []string
		want   string // passed, failed, skipped; in the order of checkOrder
	}{
		{nil, "pppppppppppppp"},
		{[]string{"form"}, "fsssssssssssss"},
		{[]string{"unknown issuer"}, "pfssspppssssss"},
		{[]string{"no issuer", "expired"}, "pfsssfppssssss"},
		{[]string{"unknown algorithm"}, "ppffspppppppss"},
		{[]string{"unknown key"}, "pppfspppppppss"},
		{[]string{"unknown key", "another audience"}, "pppfspppfpppss"},
		{[]string{"bad signature"}, "ppppfpppppppss"},
		{[]string{"bad signature", "expired", "no subject"}, "ppppffppppfpss"},
		{[]string{"expired"}, "pppppfppppppsp"},
		{[]string{"not yet valid", "issued in the future"}, "ppppppffppppss"},
		{[]string{"another type", "token ID a number"}, "pppppppppfpfss"},
		{[]string{"no subject"}, "ppppppppppfpss"},
		{[]string{"issued in the future"}, "pppppppfppppss"},
		{[]string{"another audience"}, "ppppppppfpppsp"},
		{[]string{"another type"}, "pppppppppfppsp"},
		{[]string{"token ID a number"}, "pppppppppppfss"},
		{[]string{"rule broken"}, "ppppppppppppfp"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.faults, " and "), func(t *testing.T) {
			var given []hostile.Fault
			for _, name := range tt.faults {
				if byName[name].Check == "" {
					t.Fatalf("no fault %q", name)
				}
				given = append(given, byName[name])
			}
			r := w.Auth.Explain(t.Context(), w.Faulty(given...))
			if got := verdicts(r); got != tt.want {
				t.Errorf("verdicts = %s, want %s\n%s", got, tt.want, r)
			}
		})
	}
}

// The program's own rules never see a token that is not proven.
func TestExplain_RulesSeeNoUnverifiedToken(t *testing.T) {
	t.Parallel()
	w := hostile.NewWorld(t)
	issuer := w.By["ruled"]
	asked := 0
	a := authtest.NewAuthenticator(t, oidcauth.Config{Client: issuer.Client(), Issuers: []oidcauth.Issuer{{
		URL: issuer.URL(), Audiences: []string{authtest.Audience}, ClaimRules: hostile.ClaimRules,
		Rules: []oidcauth.Rule{func(c *oidcauth.Claims) error { asked++; return nil }},
	}}})
	for _, f := range hostile.Faults() {
		tok := w.Faulty(f)
		if r := a.Explain(t.Context(), tok); r.Accepted {
			t.Errorf("%s: accepted", f.Name)
		}
		if _, err := a.Authenticate(t.Context(), tok); err == nil {
			t.Errorf("%s: accepted", f.Name)
		}
		if asked != 0 {
			t.Fatalf("%s: the rule saw the token", f.Name)
		}
	}
	if r := a.Explain(t.Context(), w.Faulty()); !r.Accepted || asked != 1 {
		t.Errorf("accepted %v, rule asked %d times, want once for a good token", r.Accepted, asked)
	}
}

func TestExplain_Closed(t *testing.T) {
	t.Parallel()
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
	a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	tok := issuer.Token(nil)
	if r := a.Explain(t.Context(), tok); !r.Accepted {
		t.Fatalf("Explain() error = %v", r.Err)
	}
	a.Close()
	r := a.Explain(t.Context(), tok)
	if !errors.Is(r.Err, oidcauth.ErrClosed) {
		t.Errorf("Explain() error = %v after Close, want %v", r.Err, oidcauth.ErrClosed)
	}
	checkReport(t, "closed", r, tok)
}

// What a report says of an audience is what was compared.
func TestExplain_AudienceClaim(t *testing.T) {
	t.Parallel()
	w := hostile.NewWorld(t)
	tok := w.Of("client", func(h, c hostile.Members) (hostile.Members, hostile.Members) {
		return h, c.Set("aud", `"something-else"`).Set("client_id", `"my-db"`)
	})
	r := w.Auth.Explain(t.Context(), tok)
	i := slices.IndexFunc(r.Steps, func(s explain.Step) bool { return s.Check == "audience" })
	if got := r.Steps[i].Got; !r.Accepted || !strings.Contains(got, "my-db") || strings.Contains(got, "something-else") {
		t.Errorf("audience step = %+v, accepted %v", r.Steps[i], r.Accepted)
	}
}

// Who asks why a caller has no role is told that a claim is there, and what would
// make roles of it.
func TestExplain_IdleRoles(t *testing.T) {
	t.Parallel()
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
	token := issuer.Token(map[string]any{"roles": map[string]any{"admin": map[string]string{"1": "org"}}})
	for _, objects := range []bool{false, true} {
		trusted.RoleObjects = objects
		a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		r := a.Explain(t.Context(), token)
		i := slices.IndexFunc(r.Steps, func(s explain.Step) bool { return s.Check == "claims" })
		step := r.Steps[i]
		if told := strings.Contains(step.Got, `no role by ["roles"]`) && strings.Contains(step.Want, "RoleObjects"); !r.Accepted || told == objects {
			t.Errorf("with RoleObjects %t: claims step = %+v, accepted %v", objects, step, r.Accepted)
		}
	}
}

// Who wrote a path to roles as one name is told so, and nobody else is.
func TestExplain_NestedRoles(t *testing.T) {
	t.Parallel()
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
	token := issuer.Token(map[string]any{
		"realm_access": map[string]any{"roles": []string{"admin"}}, "https://app.example/roles": []string{"editor"},
	})
	for _, tt := range []struct {
		path oidcauth.Path
		want string
	}{
		{oidcauth.Path{"realm_access.roles"}, `["realm_access" "roles"]`},
		{oidcauth.Path{"realm_access/roles"}, `["realm_access" "roles"]`},
		{oidcauth.Path{"realm_access", "roles"}, ""},
		{oidcauth.Path{"https://app.example/roles"}, ""},
		{oidcauth.Path{"resource_access.roles"}, ""},
		{oidcauth.Path{"groups"}, ""},
		{oidcauth.Path{"./."}, ""},
	} {
		trusted.Roles = []oidcauth.Path{tt.path}
		a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		r := a.Explain(t.Context(), token)
		step := r.Steps[slices.IndexFunc(r.Steps, func(s explain.Step) bool { return s.Check == "claims" })]
		told := strings.Contains(step.Want, "in Roles a name for each level")
		if !r.Accepted || told != (tt.want != "") || !strings.Contains(step.Want, tt.want) {
			t.Errorf("%q: claims step = %+v, accepted %v", tt.path, step, r.Accepted)
		}
	}
}

// Advice goes by what is known: documents that arrived are not the network's fault.
func TestExplain_AdviceOnKeys(t *testing.T) {
	t.Parallel()
	fail := func(at oidctest.Endpoint, f oidctest.Fault) func(*oidctest.Issuer) {
		return func(i *oidctest.Issuer) { i.Fail(at, f) }
	}
	const network = "reaches the issuer's address"
	rows := []struct {
		name  string
		spoil func(*oidctest.Issuer)
		want  string
	}{
		{"another issuer's document", func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"issuer": "https://sso.test"}) }, "Issuer.Aliases"},
		{"keys over http", func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"jwks_uri": "http://issuer.test/jwks"}) }, "Issuer.Keys.JWKSURL"},
		{"a document without keys", func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"jwks_uri": nil}) }, "Issuer.Keys.JWKSURL"},
		{"a document that is not JSON", fail(oidctest.Discovery, oidctest.Fault{Body: []byte("hello")}), "Issuer.Keys.JWKSURL"},
		{"a web page", fail(oidctest.Discovery, oidctest.HTMLPage(200)), "web page"},
		{"a redirect", fail(oidctest.Discovery, oidctest.Fault{Redirect: "https://sso.test/"}), "redirect"},
		{"no document", fail(oidctest.Discovery, oidctest.Fault{Status: 404}), "has no document at this address"},
		{"a document that is not public", fail(oidctest.Discovery, oidctest.Fault{Status: 403}), "public"},
		{"a document for those who log in", fail(oidctest.JWKS, oidctest.Fault{Status: 401}), "public"},
		{"a server in trouble", fail(oidctest.JWKS, oidctest.Fault{Status: 502}), "answers that it cannot"},
		{"a server with the first fault there is", fail(oidctest.JWKS, oidctest.Fault{Status: 500}), "answers that it cannot"},
		{"a server with too much to do", fail(oidctest.JWKS, oidctest.Fault{Status: 429}), "answers that it cannot"},
		{"an odd status", fail(oidctest.JWKS, oidctest.Fault{Status: 402}), "not with a document"},
		{"no key yet", func(i *oidctest.Issuer) { i.RemoveKeys() }, "first key"},
		{"a key set that is none", fail(oidctest.JWKS, oidctest.Fault{Body: []byte(`{"key":1}`)}), "no key set"},
		{"a key set that is cut off", fail(oidctest.JWKS, oidctest.Fault{Body: []byte(`{"keys":[`)}), "no key set"},
		{"a key set that is too large", fail(oidctest.JWKS, oidctest.Fault{Pad: 2 << 20}), "larger"},
		{"a connection that breaks", fail(oidctest.JWKS, oidctest.Fault{Cut: true}), network},
		{"no connection", func(i *oidctest.Issuer) { i.Close() }, network},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
				token := issuer.Token(nil)
				row.spoil(issuer)
				a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				step := authtest.FailedStep(t, a.Explain(t.Context(), token), "key")
				if !strings.Contains(step.Advice, row.want) || strings.Contains(step.Advice, "resh token") {
					t.Errorf("advice on %s = %q, want %q", step.Got, step.Advice, row.want)
				}
				if row.want != network && strings.Contains(step.Advice, network) {
					t.Errorf("advice on %s blames the network: %q", step.Got, step.Advice)
				}
			})
		})
	}
	t.Run("a caller who has left", func(t *testing.T) {
		issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
		a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		ctx, leave := context.WithCancel(t.Context())
		leave()
		if step := authtest.FailedStep(t, a.Explain(ctx, issuer.Token(nil)), "key"); !strings.Contains(step.Advice, "left") {
			t.Errorf("advice = %q", step.Advice)
		}
	})
}

// A fresh token is no advice where it would be refused like this one.
func TestExplain_AdviceOnSignatures(t *testing.T) {
	t.Parallel()
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
	rsa := issuer.AddKey("RS256")
	a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	bare := func(token string) string { return token[:strings.LastIndexByte(token, '.')+1] }
	good := rsa.Token(nil)
	withNonce := rsa.Sign(map[string]any{"alg": "RS256", "typ": "JWT", "kid": rsa.ID(), "nonce": "abc"}, map[string]any{
		"iss": issuer.URL(), "sub": "alice", "aud": authtest.Audience, "exp": 4e9,
	})
	stranger := issuer.NewKey(oidctest.KeyConfig{Algorithm: "RS256", ID: rsa.ID()})
	rows := []struct{ name, token, got, advice string }{
		{"taken out by Cloud Run", bare(good) + "SIGNATURE_REMOVED_BY_GOOGLE", "SIGNATURE_REMOVED_BY_GOOGLE", "Cloud Run"},
		{"for Microsoft Graph", bare(withNonce) + good[strings.LastIndexByte(good, '.')+1:], "", "Microsoft Graph"},
		{"cut", good[:len(good)-42], "a signature of", "cut or replaced"},
		{"replaced by a word", bare(good) + "removed0", "a signature of 6 bytes", "cut or replaced"},
		{"by another key", stranger.Token(nil), "a signature by another key", "changed after it was signed"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			step := authtest.FailedStep(t, a.Explain(t.Context(), row.token), "signature")
			if !strings.Contains(step.Got, row.got) || !strings.Contains(step.Advice, row.advice) {
				t.Errorf("step = %+v, want got %q, advice %q", step, row.got, row.advice)
			}
			if fresh := strings.Contains(step.Advice, "resh token"); fresh != (row.name == "by another key") {
				t.Errorf("advice = %q", step.Advice)
			}
			authtest.Wants(t, a, row.token, oidcauth.ErrSignature)
		})
	}
	authtest.Wants(t, a, withNonce, nil) // a nonce alone is no fault
}
