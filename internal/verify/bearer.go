package verify

import "strings"

// Signed reports whether the signature of the token held, so that what it says is the
// word of its issuer.
func (e *Evaluation) Signed() bool {
	if e.Key != nil || e.opaque && e.Record != nil && e.Record.Issuer != "" {
		return true
	}
	known := e.outcomeOfKeys()
	return known != nil && known.key != nil
}

// Bearer returns by whom and about whom a signed token is, as far as it can be read,
// also where a check failed that comes before the subject. It ends the evaluation.
func (e *Evaluation) Bearer() (issuer, subject string) {
	if e.Record.Subject == "" {
		_ = e.ReadSubject() // one that cannot be read stays empty
	}
	// Copies: a refusal that somebody keeps must not keep the token.
	return strings.Clone(e.Record.Issuer), strings.Clone(e.Record.Subject)
}
