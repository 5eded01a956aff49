package explain_test

import (
	"testing"

	"github.com/oidcauth/oidcauth/explain"
)

func TestReport_String(t *testing.T) {
	t.Parallel()
	r := explain.Report{Steps: []explain.Step{
		{Check: "form", Got: "3 bytes", Want: "a signed JWT", Verdict: explain.Failed, Advice: "copy all of it"},
		{Check: "issuer", Verdict: explain.Skipped},
	}}
	const want = "form       failed   got 3 bytes, want a signed JWT\n" +
		"issuer     skipped  got , want \n"
	if got := r.String(); got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}
