package verify

import (
	"context"
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Nobody is asked for what supplements a token before nothing else stands against it, and
// the rules see it once it is there.
func TestFurther(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	keys := newSet(t, nil, s)
	const expired = `,"sub":"alice","aud":"x","iat":1700000000,"exp":1700000000`
	for _, tt := range []struct {
		name, claims      string
		supplement, rules error
		want              error
		asked             int
		verdicts          string // passed, failed, skipped: of the supplement and of all rules
	}{
		{"good", goodClaims, nil, nil, nil, 1, "pp"},
		{"ruled out", goodClaims, nil, refusal.ErrRule, refusal.ErrRule, 1, "pf"},
		{"not answered", goodClaims, refusal.ErrAnswerUnavailable, refusal.ErrRule, refusal.ErrAnswerUnavailable, 1, "fs"},
		{"expired", expired, refusal.ErrAnswerUnavailable, refusal.ErrRule, refusal.ErrExpired, 0, "ss"},
	} {
		asked, ruled := 0, 0
		trust := newTrust(keys, nil)
		trust.Supplement = func(context.Context, *Evaluation) error { asked++; return tt.supplement }
		env := newEnv(trust)
		env.Supplied = func(*Evaluation) string { return "" }
		env.Rules = func(*Evaluation) error { ruled++; return tt.rules }
		e := new(Evaluation)
		e.Begin(env, s.token(tt.claims), now)
		if err := e.RunAll(t.Context()); !errors.Is(err, tt.want) || asked != tt.asked || (ruled != 0) != (tt.want == nil || errors.Is(tt.want, refusal.ErrRule)) {
			t.Errorf("%s: RunAll() error = %v, want %v; asked %d times, want %d; the rules %d times", tt.name, err, tt.want, asked, tt.asked, ruled)
		}
		asked = 0
		e = new(Evaluation)
		e.Begin(env, s.token(tt.claims), now)
		r := e.Explain(t.Context())
		verdicts := ""
		for i, check := range []string{refusal.Supplement, refusal.AllRules} {
			var step explain.Step
			if at := len(Steps) + i; at < len(r.Steps) {
				step = r.Steps[at]
			}
			if verdicts += (string(step.Verdict) + "-")[:1]; step.Check != check {
				t.Errorf("%s: the check %q, want %q", tt.name, step.Check, check)
			}
		}
		if !errors.Is(r.Err, tt.want) || verdicts != tt.verdicts || asked != tt.asked {
			t.Errorf("%s: Explain() error = %v, want %v; verdicts %s, want %s; asked %d times, want %d", tt.name, r.Err, tt.want, verdicts, tt.verdicts, asked, tt.asked)
		}
	}
}
