package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/oidcauth/oidcauth/identity"
)

// The most bytes that an issuer and a subject may have in a token.
const longestIssuer, longestSubject = 512, 2048

// identityCommand computes an identity.
func identityCommand() command {
	return command{
		name:     "identity",
		operands: "ISSUER SUBJECT",
		summary:  "print the identity of a subject of an issuer",
		about: `
Prints the identity that a token with this issuer ("iss") and this subject
("sub") has: 64 hexadecimal digits, the same as SpacetimeDB's. Nothing is
fetched. Both are compared exactly; a slash at the end of the issuer counts.
A subject that begins with "-" goes after "--".`,
		example: `oidcauth identity https://id.example.com 248289761001`,
		setup: func(*flag.FlagSet) action {
			return printIdentity
		},
	}
}

// printIdentity prints the identity, or refuses what no token could have.
func printIdentity(_ context.Context, std streams, operands []string) error {
	if len(operands) != 2 {
		return usagef("got %s, want ISSUER SUBJECT", arguments(operands))
	}
	issuer, subject := operands[0], operands[1]
	switch {
	case strings.HasPrefix(issuer, "eyJ"), strings.HasPrefix(subject, "eyJ"):
		return usagef("got a token, want its \"iss\" and its \"sub\": \"oidcauth explain\" reads tokens")
	case len(issuer) == 0 || len(issuer) > longestIssuer:
		return usagef("issuer has %d bytes, want 1 to %d", len(issuer), longestIssuer)
	case strings.Contains(issuer, "|"):
		return usagef("issuer %s contains \"|\"", quoteArgument(issuer))
	case len(subject) == 0 || len(subject) > longestSubject:
		return usagef("subject has %d bytes, want 1 to %d", len(subject), longestSubject)
	}
	_, err := fmt.Fprintln(std.out, identity.New(issuer, subject))
	return err
}
