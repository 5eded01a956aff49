package verify

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// What is taken for an opaque token has visible characters alone, and no more of them
// than any token may have.
func TestIsOpaque_Bounds(t *testing.T) {
	t.Parallel()
	trust := newTrust(nil, func(p *policy.Policy) { p.Opaque = true })
	env := newEnv(trust)
	env.FindOpaque = func(string) *Trust { return trust }
	env.MaxBytes = 16
	for token, want := range map[string]bool{
		"abc": true, "!~": true, "a~": true, "a!": true, "": false, "a b": false, "a\x7f": false, "a\x1f": false, "aé": false,
		strings.Repeat("a", 16): true, strings.Repeat("a", 17): false,
	} {
		e := new(Evaluation)
		e.Begin(env, token, now)
		if err := e.CheckForm(t.Context()); e.IsOpaque() != want || (err == nil) != want {
			t.Errorf("%q: opaque %v, error %v, want %v", token, e.IsOpaque(), err, want)
		}
	}
}

// All that is checked of an answer needs one.
func TestOpaqueSteps_NeedTheAnswer(t *testing.T) {
	t.Parallel()
	var before []string
	for _, s := range opaqueSteps {
		answer := slices.Contains(before, refusal.Introspection)
		if slices.Contains(s.Needs, refusal.Introspection) != answer {
			t.Errorf("%s needs %q, after the answer: %v", s.Name, s.Needs, answer)
		}
		before = append(before, s.Name)
	}
	if want := []string{refusal.Form, refusal.Issuer, refusal.Introspection, refusal.Expiry}; !slices.Equal(before[:4], want) {
		t.Errorf("the first checks are %q, want %q", before[:4], want)
	}
	for _, s := range Steps {
		if slices.Contains(s.Needs, refusal.Introspection) {
			t.Errorf("%s of a JWT needs an answer", s.Name)
		}
	}
}

// Each check behind the answer is made of it.
func TestJudgeAnswer_Checks(t *testing.T) {
	t.Parallel()
	trust := newTrust(nil, func(p *policy.Policy) { p.Opaque = true })
	env := newEnv(trust)
	env.Rules = func(e *Evaluation) error {
		if e.Record.Subject == "ruled" {
			return refusal.ErrRule
		}
		return nil
	}
	env.Revoked = func(e *Evaluation) error {
		if e.Record.Subject == "revoked" {
			return refusal.ErrRevoked
		}
		return nil
	}
	const good = `{"active":true,"sub":"alice","aud":"x","exp":1700000060}`
	for _, tt := range []struct {
		from, to string
		want     error
	}{
		{"", "", nil},
		{`1700000060`, `1700000000`, refusal.ErrExpired},
		{`"sub"`, `"nbf":1700000001,"sub"`, refusal.ErrNotYetValid},
		{`"sub"`, `"iat":1700000001,"sub"`, refusal.ErrIssuedInFuture},
		{`"x"`, `"y"`, refusal.ErrAudience},
		{`"sub"`, `"token_type":"refresh_token","sub"`, refusal.ErrTokenType},
		{`"alice"`, `""`, refusal.ErrClaim},
		{`"sub"`, `"jti":1,"sub"`, refusal.ErrClaim},
		{`alice`, `ruled`, refusal.ErrRule},
		{`alice`, `revoked`, refusal.ErrRevoked},
	} {
		e := new(Evaluation)
		e.Begin(env, "abc", now)
		if err := e.JudgeAnswer(t.Context(), trust, strings.Replace(good, tt.from, tt.to, 1), now); !errors.Is(err, tt.want) {
			t.Errorf("%s for %s: JudgeAnswer() error = %v, want %v", tt.to, tt.from, err, tt.want)
		}
	}
}

// A report has all checks on an opaque token in their order, and says of its form that it
// is no JWT. Without an answer nothing of it is checked.
func TestExplain_Opaque(t *testing.T) {
	t.Parallel()
	trust := newTrust(nil, func(p *policy.Policy) { p.Opaque = true })
	env := newEnv(trust)
	env.FindOpaque = func(string) *Trust { return trust }
	for answer, want := range map[string]string{
		`{"active":true,"sub":"alice","aud":"x","exp":1700000060}`: "pppppppppppp",
		`{"active":true,"sub":"alice","aud":"y","exp":1700000060}`: "ppppppfpppsp",
		`{"active":false}`: "ppfsssssssss",
		``:                 "ppfsssssssss",
	} {
		trust.Introspect = func(context.Context, *Evaluation) (string, time.Time, error) {
			if answer == "" {
				return "", now, refusal.New(refusal.Introspection, refusal.ErrAnswerUnavailable, "", "")
			}
			return answer, now, nil
		}
		e := new(Evaluation)
		e.Begin(env, "abc", now)
		r := e.Explain(t.Context())
		var order, verdicts []string
		for _, s := range r.Steps {
			order, verdicts = append(order, s.Check), append(verdicts, string(s.Verdict)[:1])
		}
		if got := strings.Join(verdicts, ""); got != want || r.Accepted == strings.Contains(want, "f") {
			t.Errorf("answer %s: verdicts %s, want %s\n%s", answer, got, want, r)
		}
		if got, want := strings.Join(order, " "), "form issuer introspection expiry not before issued at audience type subject claims rules revocation"; got != want {
			t.Errorf("checks %s, want %s", got, want)
		}
		if form := r.Steps[0]; form.Got != "3 bytes that are no JWT" || form.Want != "an opaque token, or a signed JWT" {
			t.Errorf("of its form it says %q, want %q", form.Got, form.Want)
		}
	}
}

// An answer that names no issuer is completed, and read as if it had come so.
func TestJudgeAnswer_Completed(t *testing.T) {
	t.Parallel()
	const rest = `"active":true,"sub":"alice","aud":"x","exp":1700000060`
	for _, answer := range []string{"{" + rest + "}", `{"iss":"https://issuer.test",` + rest + "}"} {
		trust := newTrust(nil, func(p *policy.Policy) { p.Opaque = true })
		e := new(Evaluation)
		e.Begin(newEnv(trust), "abc", now)
		err := e.JudgeAnswer(t.Context(), trust, answer, now)
		var names []string
		for _, m := range e.Members {
			names = append(names, m.Name)
		}
		if err != nil || !e.IsOpaque() || !e.Asked.Equal(now) || strings.Join(names, " ") != "iss active sub aud exp" {
			t.Errorf("JudgeAnswer() error = %v, opaque %v, members %q", err, e.IsOpaque(), names)
		}
		if again, err := jws.ParseObject(nil, e.Record.Payload); err != nil || !slices.Equal(again, e.Members) {
			t.Errorf("payload %s, error %v, want the members that were read", e.Record.Payload, err)
		}
	}
}
