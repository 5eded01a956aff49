package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
)

// explainTimeout bounds the wait for an issuer that does not answer.
const explainTimeout = 30 * time.Second

// explainFlags are the flags of explain.
type explainFlags struct {
	settings
	tokenFile string
	json      bool
}

// explainCommand says why a token is accepted or refused.
func explainCommand() command {
	return command{
		name:     "explain",
		operands: "[TOKEN | -]",
		summary:  "say which checks a token passes, and why it is refused",
		about: `
Checks a token as serve would and prints every check: what the token has, what
is wanted, whether that is good enough, and what to do if it is not. The token
itself is never printed.

Without TOKEN, or with "-", the token is read from standard input, or from the
file of --token-file. Prefer these: an argument can be seen by every user of the
machine in the list of processes, and stays in the shell's history. A "Bearer "
in front of the token is taken off.

Give the flags, or the file of --config, that the server has: --any-issuer and
--local-issuer mean what they mean there. What the directory of "revocations"
keeps counts; where the server knows of others, a line says that they are not
known here. With --any-issuer the issuer that the token names is contacted if it
has a public https URL, and the report says what went wrong, which serve tells
its log alone.

Exit code 0 means that the token is accepted, 1 that it is refused or could not
be checked.`,
		example: `
echo "$TOKEN" | oidcauth explain \
    --issuer https://id.example.com --audience my-db`,
		setup: func(flags *flag.FlagSet) action {
			f := new(explainFlags)
			f.register(flags)
			return f.run
		},
	}
}

// register defines the flags.
func (f *explainFlags) register(flags *flag.FlagSet) {
	f.settings.register(flags)
	flags.BoolVar(&f.anyIssuer, "any-issuer", false, "accept the tokens of any issuer with a public https URL; needs --audience, or the file's")
	flags.StringVar(&f.local.dir, "local-issuer", "", "accept the tokens signed with the keys in this `DIRECTORY`, which is not created")
	flags.StringVar(&f.tokenFile, "token-file", "", "read the token from this `FILE` instead of standard input")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
}

// run prints the report on one token.
func (f *explainFlags) run(ctx context.Context, std streams, operands []string) error {
	if err := f.checkOperands(operands); err != nil {
		return err
	}
	cfg, file, err := f.library()
	if err != nil {
		return err
	}
	local, err := file.LocalIssuer.openExisting(&cfg)
	if err != nil {
		return usageError{err}
	}
	if local != nil {
		defer local.Close()
	}
	if err := file.bindUnproved(&cfg); err != nil {
		return err
	}
	kept, unknown, err := file.readKept()
	if err != nil {
		return usageError{err}
	}
	cfg.Revocations = kept
	var contact contact
	cfg.Trace = &authtrace.Hooks{KeysFetched: contact.note}
	auth, err := oidcauth.New(cfg)
	if err != nil {
		return usageError{err}
	}
	defer auth.Close()
	token, err := f.token(ctx, std, operands)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, explainTimeout)
	defer cancel()
	if err := kept.wait(ctx); err != nil {
		return err
	}
	report := auth.Explain(ctx, token)
	// Only after Close has everything been noted.
	if err := auth.Close(); err != nil {
		return err
	}
	contact.explain(&report)
	if f.json {
		err = writeReportJSON(std.out, report)
	} else {
		err = writeReport(std.out, report)
	}
	if err == nil && !report.Accepted {
		err = errRefused
	}
	if err == nil && unknown != "" {
		fmt.Fprintln(std.err, "oidcauth explain: whether the token was revoked is not known for sure:", printable(unknown))
	}
	return err
}

// checkOperands refuses to choose between several tokens.
func (f *explainFlags) checkOperands(operands []string) error {
	switch {
	case len(operands) > 1:
		return usagef("got %s, want one token at most", arguments(operands))
	case len(operands) == 1 && f.tokenFile != "":
		return usagef("an argument and --token-file exclude each other")
	}
	return nil
}
