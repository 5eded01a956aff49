// Package explain holds what an Authenticator reports to a person: why a token is
// accepted or refused, check by check, and what an issuer's keys are. Nothing in it
// contains a token.
package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/identity"
)

// A Report says, check by check, why a token is accepted or refused. It never
// contains the token or its signature.
type Report struct {
	Accepted bool   // whether Authenticate accepts the token, once what it is bound to, if anything, is proved
	Err      error  // what Authenticate returns for the token; nil if accepted
	Steps    []Step // every check, in order

	// Description is [oidcauth.Issuer.Name] of the description of the issuer that
	// decided: of several the one that accepts the token, or with which it came
	// furthest. It is empty for an issuer that has one without a name, or is unknown.
	Description string

	// Of an accepted token:
	Identity identity.Identity
	Issuer   string
	Subject  string
	Expiry   time.Time // zero for a token that never expires
}

// A Step is one check of a [Report].
type Step struct {
	Check   string  // what was checked: "signature", "audience", …
	Got     string  // what the token has
	Want    string  // what passes
	Verdict Verdict // the outcome
	Advice  string  // what to do about a failure; empty otherwise

	// Setting is the field of oidcauth.Config or oidcauth.Issuer by which such a token would pass,
	// "Audiences" for instance, if it is one that is to pass; empty where none does.
	Setting string
}

// A Verdict is the outcome of a check.
type Verdict string

// The outcomes of a check.
const (
	Passed  Verdict = "passed"  // what the token has is accepted
	Failed  Verdict = "failed"  // what the token has is not accepted
	Skipped Verdict = "skipped" // an earlier failure left nothing to check
)

// String returns the report as lines of text, one a check.
func (r Report) String() string {
	var b strings.Builder
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "%-10s %-8s got %s, want %s\n", s.Check, s.Verdict, s.Got, s.Want)
	}
	return b.String()
}
