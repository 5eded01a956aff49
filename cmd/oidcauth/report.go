package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/explain"
)

// writeReport prints a report for people: the verdict first, then every check,
// then what to do.
func writeReport(w io.Writer, report explain.Report) error {
	var out strings.Builder
	if report.Accepted {
		out.WriteString("The token is accepted.\n\n")
	} else {
		fmt.Fprintf(&out, "The token is refused: %s.\n\n", reason(report))
	}
	steps := table{head: []string{"CHECK", "GOT", "WANT", "VERDICT"}}
	for _, step := range report.Steps {
		steps.add(step.Check, inOwnWords(step.Got), inOwnWords(step.Want), verdictWord(step.Verdict))
	}
	steps.write(&out)
	for _, step := range report.Steps {
		if advice := adviceOf(step); advice != "" {
			fmt.Fprintf(&out, "\nWhat to do about %q:\n%s\n", step.Check, indent(wrap(printable(advice), 76), "  "))
		}
	}
	if report.Accepted {
		fmt.Fprintf(&out, "\nidentity    %s\n", report.Identity)
		fmt.Fprintf(&out, "issuer      %s\n", printable(report.Issuer))
		fmt.Fprintf(&out, "subject     %s\n", printable(report.Subject))
		fmt.Fprintf(&out, "expires at  %s\n", expiryText(report.Expiry))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// adviceOf returns what to do about a step with this command; empty where nothing is.
func adviceOf(step explain.Step) string {
	if step.Advice == "" {
		return ""
	}
	return inOwnWords(strings.TrimSpace(step.Advice + " " + flagFor(step.Setting)))
}

// flagFor says how to set with this command what the library's advice calls by the name of
// its own setting; empty where no setting helps.
func flagFor(setting string) string {
	switch setting {
	case "Issuers":
		return "With this command: --issuer, or \"url\" and \"aliases\" in the file."
	case "Audiences":
		return "With this command: --audience, or \"audiences\" in the file."
	case "TokenTypes":
		return "With this command: --token-type, or \"token_types\" in the file."
	case "Algorithms":
		return "With this command: \"algorithms\" in the file."
	case "Leeway":
		return "With this command: --leeway, 5m at most."
	}
	return ""
}

// reason returns the error of a report in one line.
func reason(report explain.Report) string {
	if report.Err == nil {
		return "no reason is known"
	}
	return printable(inOwnWords(strings.TrimPrefix(report.Err.Error(), "oidcauth: ")))
}

// expiryText returns the expiry of a token for people.
func expiryText(expiry time.Time) string {
	if at := expiresAt(expiry); at != nil {
		return at.Format(time.RFC3339)
	}
	return "never"
}

// expiresAt returns the expiry in whole seconds of UTC, nil when there is none.
func expiresAt(expiry time.Time) *time.Time {
	if expiry.IsZero() {
		return nil
	}
	expiry = expiry.UTC().Truncate(time.Second)
	return &expiry
}

// verdictWord returns the word of the table for a verdict.
func verdictWord(v explain.Verdict) string {
	switch v {
	case explain.Passed:
		return "ok"
	case explain.Failed:
		return "FAILED"
	default:
		return "not reached"
	}
}

// reportJSON is a report for machines.
type reportJSON struct {
	Accepted  bool       `json:"accepted"`
	Error     string     `json:"error,omitempty"`
	Identity  string     `json:"identity,omitempty"`
	Issuer    string     `json:"issuer,omitempty"`
	Subject   string     `json:"subject,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	Steps     []stepJSON `json:"steps"`
}

type stepJSON struct {
	Check   string `json:"check"`
	Got     string `json:"got"`
	Want    string `json:"want"`
	Verdict string `json:"verdict"` // passed, failed or skipped
	Advice  string `json:"advice,omitempty"`
}

// writeReportJSON prints a report for machines.
func writeReportJSON(w io.Writer, report explain.Report) error {
	body := reportJSON{Accepted: report.Accepted, Steps: []stepJSON{}}
	if report.Err != nil {
		body.Error = inOwnWords(strings.TrimPrefix(report.Err.Error(), "oidcauth: "))
	}
	if report.Accepted {
		body.Identity = report.Identity.String()
		body.Issuer = report.Issuer
		body.Subject = report.Subject
		body.ExpiresAt = expiresAt(report.Expiry)
	}
	for _, step := range report.Steps {
		body.Steps = append(body.Steps, stepJSON{step.Check, inOwnWords(step.Got), inOwnWords(step.Want), verdictName(step.Verdict), adviceOf(step)})
	}
	return encodeJSON(w, body)
}

// verdictName returns the word of the JSON form for a verdict.
func verdictName(v explain.Verdict) string {
	switch v {
	case explain.Passed:
		return "passed"
	case explain.Failed:
		return "failed"
	default:
		return "skipped"
	}
}

// encodeJSON prints a value on indented lines.
func encodeJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}
