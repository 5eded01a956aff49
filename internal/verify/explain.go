package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Explain runs all checks and reports each. Where it can, it goes on after a
// failure; the first failure is the one that counts.
func (e *Evaluation) Explain(ctx context.Context) explain.Report {
	var report explain.Report
	missed := make(map[string]bool)
	e.explain(ctx, Steps[:1], missed, &report)
	e.explain(ctx, e.steps()[1:], missed, &report)
	e.explain(ctx, e.further(), missed, &report)
	if report.Accepted = report.Err == nil; report.Accepted {
		r := e.Record
		report.Identity, report.Issuer, report.Subject, report.Expiry = r.Identity, r.Issuer, r.Subject, r.Expiry.Time()
	}
	if e.Trust != nil {
		report.Description = e.Trust.Name
	}
	return report
}

// explain runs the checks whose results they work with were not missed.
func (e *Evaluation) explain(ctx context.Context, steps []Step, missed map[string]bool, report *explain.Report) {
	for _, s := range steps {
		step := explain.Step{Check: s.Name, Verdict: explain.Skipped}
		if !slices.ContainsFunc(s.Needs, func(n string) bool { return missed[n] }) {
			err := s.Run(e, ctx)
			if s.Name == refusal.Issuer && err == nil && len(e.descriptions) > 1 {
				err = e.pin(ctx)
			}
			step = e.outcome(s, err)
			if report.Err == nil {
				report.Err = err
			}
		}
		missed[s.Name] = step.Verdict != explain.Passed
		report.Steps = append(report.Steps, step)
	}
}

// pin chooses the description that the report is by: the one that decides. What
// came of its keys is remembered for the steps.
func (e *Evaluation) pin(ctx context.Context) error {
	if e.choose(ctx, fitting) == nil {
		return nil
	}
	return e.Trust.NameIssuer(&e.Reader, e.named)
}

// outcome returns how one check went.
func (e *Evaluation) outcome(s Step, err error) explain.Step {
	if err == nil {
		got, want := s.Describe(e)
		return explain.Step{Check: s.Name, Got: got, Want: want, Verdict: explain.Passed}
	}
	step := explain.Step{Check: s.Name, Got: err.Error(), Verdict: explain.Failed}
	step.Advice, step.Setting = advise(err)
	if refused, ok := errors.AsType[*refusal.Refusal](err); ok {
		step.Got, step.Want = refused.Got, refused.Want
		if step.Got == "" && step.Want == "" {
			step.Got = refused.Err.Error()
		}
	}
	return step
}

func describeForm(e *Evaluation) (got, want string) {
	if e.opaque {
		return fmt.Sprintf("%d bytes that are no JWT", len(e.Raw)), "an opaque token, or a signed JWT"
	}
	return fmt.Sprintf("%d bytes, %d claims", len(e.Raw), len(e.Members)), "a signed JWT"
}

func describeIssuer(e *Evaluation) (got, want string) {
	got = refusal.Quote(e.Record.Issuer)
	if e.Trust.Name != "" {
		got += ", described as " + refusal.Quote(e.Trust.Name)
	}
	if len(e.descriptions) > 1 { // what is wanted below is by this one, and another may want something else
		var names []string
		for _, t := range e.descriptions {
			names = append(names, t.Name)
		}
		got += ", " + refusal.OneOf(names)
	}
	return got, e.env.Issuers()
}

func describeAlgorithm(e *Evaluation) (got, want string) {
	return e.Token.Algorithm, refusal.OneOf(e.Trust.Algorithms)
}

func describeKey(e *Evaluation) (got, want string) {
	if !e.Token.KeyID.Has {
		return fmt.Sprintf("no key ID, %d keys to try", len(e.Candidates)), "a key of the issuer"
	}
	return "key ID " + refusal.Quote(e.Token.KeyID.Text), "a key of the issuer"
}

func describeSignature(*Evaluation) (got, want string) {
	return "good", "a signature by the issuer's key"
}

func describeExpiry(e *Evaluation) (got, want string) {
	want = "later than " + refusal.Time(e.Now.Add(-e.leeway()))
	if e.Record.NeverExpires {
		return "none", "none, or " + want
	}
	return refusal.Time(e.Record.Expiry.Time()), want
}

func describeNotBefore(e *Evaluation) (got, want string) {
	return optional(e.Record.NotBefore), "not later than " + refusal.Time(e.Now.Add(e.leeway()))
}

func describeIssuedAt(e *Evaluation) (got, want string) {
	return optional(e.Record.IssuedAt), "not later than " + refusal.Time(e.Now.Add(e.leeway()))
}

func optional(t claims.Time) string {
	if t == 0 {
		return "absent"
	}
	return refusal.Time(t.Time())
}

// describeAudience returns the values that were compared, wherever they stand.
func describeAudience(e *Evaluation) (got, want string) {
	if e.Trust.AnyAudience {
		return refusal.QuoteAll(e.Record.AudienceList()), "anything (InsecureAnyAudience)"
	}
	want = e.Trust.WantedAudience()
	compared, err := e.Trust.ComparedAudiences(&e.Reader)
	if err != nil {
		return err.Error(), want
	}
	return refusal.QuoteAll(compared), want
}

func describeType(e *Evaluation) (got, want string) {
	got, want = refusal.Quote(e.Token.Type), refusal.OneOf(e.Trust.Types)
	if c := e.Record.Confirmation; c != nil {
		got += ", bound by " + strings.Join(c.Methods(), " and ")
		want += "; possession of what it is bound to is proved at each use"
	}
	return got, want
}

func describeSubject(e *Evaluation) (got, want string) {
	want = fmt.Sprintf("1 to %d bytes", claims.MaxSubjectBytes)
	if e.Trust.Shape.Numeric {
		want = "an integer"
	}
	return refusal.Quote(e.Record.Subject), want
}

func describeClaims(e *Evaluation) (got, want string) {
	scopes := strings.FieldsFunc(e.Record.Scopes, func(r rune) bool { return r == ' ' })
	got, want = fmt.Sprintf("roles %s, scopes %s", refusal.QuoteAll(e.Record.RoleList()), refusal.QuoteAll(scopes)), "well-formed claims"
	if idle := e.IdleRoles(); len(idle) > 0 {
		got += fmt.Sprintf("; no role by %s, for how it is written", refusal.QuoteAll(idle))
		want += "; roles as strings, or as members that are true, or as RoleSeparator and RoleObjects say"
	}
	for _, path := range e.NestedRoles() {
		got += fmt.Sprintf("; no claim whose name alone is %s", refusal.Quote(strings.Join(path, ".")))
		want += fmt.Sprintf("; in Roles a name for each level: %s", refusal.QuoteAll(path))
	}
	return got, want
}

func describeRules(e *Evaluation) (got, want string) {
	alone, _ := e.Trust.CountDemands()
	if e.Trust.Supplement == nil {
		alone += e.env.RuleCount(e.Trust)
	}
	return fmt.Sprintf("%d rules satisfied", alone), "all of them"
}

func describeRevocation(*Evaluation) (got, want string) {
	return "not revoked", "no revocation matches"
}

// ReportMisuse returns the report where nothing of a token was looked at, because of
// how the question was put.
func ReportMisuse(err error) explain.Report {
	r := refusal.Find(err)
	step := explain.Step{Check: refusal.Request, Verdict: explain.Failed, Advice: r.Advice}
	if refused, ok := errors.AsType[*refusal.Refusal](err); ok {
		step.Got, step.Want = refused.Got, refused.Want
	}
	return explain.Report{Err: err, Steps: []explain.Step{step}}
}
