package main

import (
	"fmt"
	"strings"
)

// A limit bounds what a package may be. Zero is no limit.
type limit struct {
	files  int            // without tests
	names  int            // exported, methods included
	cycle  int            // files that refer to each other, round about
	length int            // of the longest function, in lines
	fields map[string]int // exported ones of a struct
}

// limits only ever fall. Whoever raises one writes the reason beside it.
var limits = map[string]limit{
	// The public face. Authenticator, its sessions, their index, the issuers, their
	// keys and revocations know each other: a revocation ends sessions, a session
	// asks for the verdict again, and a key that is gone does both.
	// Of the names these came with what descriptions can say now: Claims.Type,
	// Claims.Description, Claims.Supplement, ErrAnswerUnavailable and SetIssuers. With
	// ClaimRule.Rule a route demands what before only an issuer's description could.
	// ErrProof and Session.Nonce came with tokens that are bound to a key or a
	// certificate; their packages are dpop, mtls and possession. Claims.Format and LogValue
	// keep people's addresses out of logs, which printed the whole payload.
	".": {files: 20, names: 122, cycle: 8, length: 46, fields: map[string]int{"Issuer": 30}},
}

// check returns a line for each limit that is exceeded.
func (l limit) check(path string, m measures) []string {
	var broken []string
	exceeds := func(what string, got, want int) {
		if want > 0 && got > want {
			broken = append(broken, fmt.Sprintf("%s: %s: got %d, want %d at most", path, what, got, want))
		}
	}
	exceeds("files", m.files, l.files)
	exceeds("exported names", m.names, l.names)
	exceeds("files in a cycle ("+strings.Join(m.cycle, " ")+")", len(m.cycle), l.cycle)
	exceeds("lines of the longest function, "+m.longestName, m.longest, l.length)
	for name, want := range l.fields {
		exceeds("fields of "+name, m.fieldsOf[name], want)
	}
	return broken
}
