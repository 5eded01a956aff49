package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Report tells, check by check, why a token is accepted or refused. It never
// contains the token or its signature.
type Report struct {
	Accepted bool    // whether Authenticate accepts the token
	Err      error   // what Authenticate returns for the token; nil if accepted
	Claims   *Claims // nil unless accepted
	Steps    []Step  // every check, in order
}

// A Step is one check of a [Report].
type Step struct {
	Check   string  // what was checked: "signature", "audience", …
	Got     string  // what the token has
	Want    string  // what passes
	Verdict Verdict // the outcome
	Advice  string  // what to do about a failure; empty otherwise
}

// A Verdict is the outcome of a check.
type Verdict string

const (
	Passed  Verdict = "passed"  // what the token has is accepted
	Failed  Verdict = "failed"  // what the token has is not accepted
	Skipped Verdict = "skipped" // an earlier failure left nothing to check
)

// Explain runs the checks of [Authenticator.Authenticate] on a token and reports
// each of them. Where it can, it goes on after a failure, so that one report
// shows everything there is to mend; the first failure is the one that counts.
// Like Authenticate it may fetch the issuer's keys.
func (a *Authenticator) Explain(ctx context.Context, token string) Report {
	e := &evaluation{auth: a, raw: token, now: a.now()}
	var report Report
	missed := make(map[string]bool)
	for _, c := range checks {
		step := Step{Check: c.name, Verdict: Skipped}
		if !missing(c.name, missed) {
			err := c.run(e, ctx)
			step = e.step(c.name, err)
			if report.Err == nil {
				report.Err = err
			}
		}
		missed[c.name] = step.Verdict != Passed
		report.Steps = append(report.Steps, step)
	}
	report.Accepted = report.Err == nil
	if report.Accepted {
		report.Claims = e.claims
	}
	return report
}

// needs names, for each check, those whose results it works with. The program's
// own rules see nothing but accepted tokens.
var needs = map[string][]string{
	checkIssuer:     {checkForm},
	checkAlgorithm:  {checkIssuer},
	checkKey:        {checkIssuer},
	checkSignature:  {checkKey},
	checkExpiry:     {checkForm},
	checkNotBefore:  {checkForm},
	checkIssuedAt:   {checkForm},
	checkAudience:   {checkIssuer},
	checkType:       {checkIssuer},
	checkSubject:    {checkIssuer},
	checkClaims:     {checkIssuer},
	checkRevocation: {checkSignature, checkIssuedAt, checkSubject, checkClaims},
	checkRules: {
		checkForm, checkIssuer, checkAlgorithm, checkKey, checkSignature, checkExpiry,
		checkNotBefore, checkIssuedAt, checkAudience, checkType, checkSubject, checkClaims,
	},
}

func missing(name string, missed map[string]bool) bool {
	return slices.ContainsFunc(needs[name], func(n string) bool { return missed[n] })
}

// step words the outcome of one check.
func (e *evaluation) step(name string, err error) Step {
	if err == nil {
		got, want := e.describe(name)
		return Step{Check: name, Got: got, Want: want, Verdict: Passed}
	}
	step := Step{Check: name, Got: err.Error(), Verdict: Failed, Advice: e.advise(err)}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		step.Got, step.Want = refusal.Got, refusal.Want
		if step.Got == "" && step.Want == "" {
			step.Got = refusal.Err.Error()
		}
	}
	return step
}

// describe tells what a check that passed got and wanted.
func (e *evaluation) describe(name string) (got, want string) {
	switch name {
	case checkForm:
		return fmt.Sprintf("%d bytes, %d claims", len(e.raw), len(e.members)), "a signed JWT"
	case checkIssuer:
		return quote(e.claims.issuer), e.auth.describeIssuers()
	case checkAlgorithm:
		return e.token.Algorithm, oneOf(e.trust.algorithms)
	case checkKey:
		return e.describeKeyID(), "a key of the issuer"
	case checkSignature:
		return "good", "a signature by the issuer's key"
	case checkExpiry:
		if e.claims.neverExpires {
			return "none", "none, or later than " + timeText(e.now.Add(-e.auth.leeway))
		}
		return timeText(e.claims.Expiry()), "later than " + timeText(e.now.Add(-e.auth.leeway))
	case checkNotBefore:
		return optionalTime(e.claims.NotBefore()), "not later than " + timeText(e.now.Add(e.auth.leeway))
	case checkIssuedAt:
		return optionalTime(e.claims.IssuedAt()), "not later than " + timeText(e.now.Add(e.auth.leeway))
	case checkAudience:
		return e.describeAudience()
	case checkType:
		return quote(e.token.Type), oneOf(e.trust.types)
	case checkSubject:
		return quote(e.claims.subject), fmt.Sprintf("1 to %d bytes", maxNameBytes)
	case checkClaims:
		return fmt.Sprintf("roles %s, scopes %s", quoteAll(e.claims.roleList()), quoteAll(slices.Collect(e.claims.Scopes()))), "well-formed claims"
	case checkRules:
		return fmt.Sprintf("%d rules satisfied", len(e.trust.demands)+len(e.trust.rules)), "all of them"
	case checkRevocation:
		return "not revoked", "no revocation matches"
	}
	return "", ""
}

func (e *evaluation) describeKeyID() string {
	if !e.token.HasKeyID {
		return fmt.Sprintf("no key ID, %d keys to try", len(e.keys))
	}
	return "key ID " + quote(e.token.KeyID)
}

// describeAudience tells of the values that were compared, wherever they stand.
func (e *evaluation) describeAudience() (got, want string) {
	if e.trust.anyAudience {
		return quoteAll(e.claims.audienceList()), "anything (InsecureAnyAudience)"
	}
	want = e.wantedAudience()
	compared, err := e.audienceClaim()
	if err != nil {
		return err.Error(), want
	}
	return quoteAll(compared), want
}

func (e *evaluation) wantedAudience() string {
	switch {
	case e.trust.audienceClaim != "":
		return fmt.Sprintf("%s in %q", oneOf(e.trust.audiences), e.trust.audienceClaim)
	case e.trust.dedicatedKeys && len(e.trust.audiences) == 0:
		return "no audience (DedicatedKeys)"
	case e.trust.dedicatedKeys:
		return "no audience (DedicatedKeys), or " + oneOf(e.trust.audiences)
	}
	return oneOf(e.trust.audiences)
}

// String returns the report as lines of text, one a check.
func (r Report) String() string {
	var b strings.Builder
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "%-10s %-8s got %s, want %s\n", s.Check, s.Verdict, s.Got, s.Want)
	}
	return b.String()
}
