package verify

import (
	"slices"
	"strings"
	"testing"

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
	for _, s := range opaqueSteps[:stepAnswered] {
		if slices.Contains(s.Needs, refusal.Introspection) {
			t.Errorf("%s needs what comes after it", s.Name)
		}
	}
	for _, s := range opaqueSteps[stepAnswered:] {
		if !slices.Contains(s.Needs, refusal.Introspection) {
			t.Errorf("%s needs %q, want the answer among them", s.Name, s.Needs)
		}
	}
	for _, s := range Steps {
		if slices.Contains(s.Needs, refusal.Introspection) {
			t.Errorf("%s of a JWT needs an answer", s.Name)
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
