package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Explain runs the checks of [Authenticator.Authenticate] on a token and reports
// each of them. Where it can, it goes on after a failure, so that one report
// shows everything there is to mend; the first failure is the one that counts.
// Like Authenticate it may fetch the issuer's keys.
func (a *Authenticator) Explain(ctx context.Context, token string) explain.Report {
	e := &evaluation{auth: a, raw: token, now: a.now()}
	var report explain.Report
	missed := make(map[string]bool)
	for _, c := range checks {
		step := explain.Step{Check: c.name, Verdict: explain.Skipped}
		if !missing(c.name, missed) {
			err := c.run(e, ctx)
			step = e.step(c.name, err)
			if report.Err == nil {
				report.Err = err
			}
		}
		missed[c.name] = step.Verdict != explain.Passed
		report.Steps = append(report.Steps, step)
	}
	report.Accepted = report.Err == nil
	if report.Accepted {
		c := e.claims
		report.Identity, report.Issuer, report.Subject, report.Expiry = c.Identity(), c.Issuer(), c.Subject(), c.Expiry()
	}
	return report
}

// needs names, for each check, those whose results it works with. The program's
// own rules see nothing but accepted tokens.
var needs = map[string][]string{
	refusal.Issuer:     {refusal.Form},
	refusal.Algorithm:  {refusal.Issuer},
	refusal.Key:        {refusal.Issuer},
	refusal.Signature:  {refusal.Key},
	refusal.Expiry:     {refusal.Form},
	refusal.NotBefore:  {refusal.Form},
	refusal.IssuedAt:   {refusal.Form},
	refusal.Audience:   {refusal.Issuer},
	refusal.Type:       {refusal.Issuer},
	refusal.Subject:    {refusal.Issuer},
	refusal.Claims:     {refusal.Issuer},
	refusal.Revocation: {refusal.Signature, refusal.IssuedAt, refusal.Subject, refusal.Claims},
	refusal.Rules: {
		refusal.Form, refusal.Issuer, refusal.Algorithm, refusal.Key, refusal.Signature, refusal.Expiry,
		refusal.NotBefore, refusal.IssuedAt, refusal.Audience, refusal.Type, refusal.Subject, refusal.Claims,
	},
}

func missing(name string, missed map[string]bool) bool {
	return slices.ContainsFunc(needs[name], func(n string) bool { return missed[n] })
}

// step words the outcome of one check.
func (e *evaluation) step(name string, err error) explain.Step {
	if err == nil {
		got, want := e.describe(name)
		return explain.Step{Check: name, Got: got, Want: want, Verdict: explain.Passed}
	}
	step := explain.Step{Check: name, Got: err.Error(), Verdict: explain.Failed, Advice: e.advise(err)}
	if refused, ok := errors.AsType[*Refusal](err); ok {
		step.Got, step.Want = refused.Got, refused.Want
		if step.Got == "" && step.Want == "" {
			step.Got = refused.Err.Error()
		}
	}
	return step
}

// describe tells what a check that passed got and wanted.
func (e *evaluation) describe(name string) (got, want string) {
	switch name {
	case refusal.Form:
		return fmt.Sprintf("%d bytes, %d claims", len(e.raw), len(e.Members)), "a signed JWT"
	case refusal.Issuer:
		return refusal.Quote(e.claims.record.Issuer), e.auth.describeIssuers()
	case refusal.Algorithm:
		return e.token.Algorithm, refusal.OneOf(e.trust.Algorithms)
	case refusal.Key:
		return e.describeKeyID(), "a key of the issuer"
	case refusal.Signature:
		return "good", "a signature by the issuer's key"
	case refusal.Expiry:
		if e.claims.record.NeverExpires {
			return "none", "none, or later than " + timeText(e.now.Add(-e.auth.leeway))
		}
		return timeText(e.claims.Expiry()), "later than " + timeText(e.now.Add(-e.auth.leeway))
	case refusal.NotBefore:
		return optionalTime(e.claims.NotBefore()), "not later than " + timeText(e.now.Add(e.auth.leeway))
	case refusal.IssuedAt:
		return optionalTime(e.claims.IssuedAt()), "not later than " + timeText(e.now.Add(e.auth.leeway))
	case refusal.Audience:
		return e.describeAudience()
	case refusal.Type:
		return refusal.Quote(e.token.Type), refusal.OneOf(e.trust.Types)
	case refusal.Subject:
		return refusal.Quote(e.claims.record.Subject), fmt.Sprintf("1 to %d bytes", claims.MaxNameBytes)
	case refusal.Claims:
		return fmt.Sprintf("roles %s, scopes %s", refusal.QuoteAll(e.claims.record.RoleList()), refusal.QuoteAll(slices.Collect(e.claims.Scopes()))), "well-formed claims"
	case refusal.Rules:
		return fmt.Sprintf("%d rules satisfied", len(e.trust.Demands)+len(e.trust.rules)), "all of them"
	case refusal.Revocation:
		return "not revoked", "no revocation matches"
	}
	return "", ""
}

func (e *evaluation) describeKeyID() string {
	if !e.token.HasKeyID {
		return fmt.Sprintf("no key ID, %d keys to try", len(e.keys))
	}
	return "key ID " + refusal.Quote(e.token.KeyID)
}

// describeAudience tells of the values that were compared, wherever they stand.
func (e *evaluation) describeAudience() (got, want string) {
	if e.trust.AnyAudience {
		return refusal.QuoteAll(e.claims.record.AudienceList()), "anything (InsecureAnyAudience)"
	}
	want = e.trust.WantedAudience()
	compared, err := e.trust.ComparedAudiences(&e.Reader)
	if err != nil {
		return err.Error(), want
	}
	return refusal.QuoteAll(compared), want
}

func optionalTime(t time.Time) string {
	if t.IsZero() {
		return "absent"
	}
	return timeText(t)
}
