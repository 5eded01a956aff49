package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
)

const (
	// explainTimeout bounds the wait for an issuer that does not answer.
	explainTimeout = 30 * time.Second

	// longestInput is the most that is read from standard input. The library
	// refuses tokens that are far smaller, and says so in its report.
	longestInput = 1 << 20
)

// explainFlags are the flags of explain.
type explainFlags struct {
	settings
	json bool
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

Without TOKEN, or with "-", the token is read from standard input. Prefer that:
an argument can be seen by every user of the machine in the list of processes,
and stays in the shell's history. A "Bearer " in front of the token is taken
off.

Exit code 0 means that the token is accepted, 1 that it is refused or could not
be checked.`,
		example: `
echo "$TOKEN" | oidcauth explain \
    --issuer https://id.example.com --audience my-db`,
		setup: func(flags *flag.FlagSet) action {
			f := new(explainFlags)
			f.settings.register(flags)
			flags.BoolVar(&f.json, "json", false, "print the report as JSON")
			return f.run
		},
	}
}

// run prints the report on one token.
func (f *explainFlags) run(ctx context.Context, std streams, operands []string) error {
	cfg, file, err := f.library()
	if err != nil {
		return err
	}
	cfg.MaxTokenBytes = file.MaxTokenBytes
	auth, err := oidcauth.New(cfg)
	if err != nil {
		return usageError{err}
	}
	defer auth.Close()
	token, err := tokenFrom(std, operands)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, explainTimeout)
	defer cancel()
	report := auth.Explain(ctx, token)
	if f.json {
		err = writeReportJSON(std.out, report)
	} else {
		err = writeReport(std.out, report)
	}
	if err == nil && !report.Accepted {
		err = errRefused
	}
	return err
}

// tokenFrom returns the token of the operand or of standard input.
func tokenFrom(std streams, operands []string) (string, error) {
	var token string
	switch {
	case len(operands) > 1:
		return "", usagef("got %d arguments, want one token at most", len(operands))
	case len(operands) == 1 && operands[0] != "-":
		token = operands[0]
	default:
		var err error
		if token, err = readToken(std); err != nil {
			return "", err
		}
	}
	const scheme = "bearer "
	if len(token) >= len(scheme) && strings.EqualFold(token[:len(scheme)], scheme) {
		token = token[len(scheme):]
		fmt.Fprintln(std.err, `oidcauth explain: took off the "Bearer " before the token`)
	}
	if token == "" {
		return "", usagef("no token: give one on standard input")
	}
	return token, nil
}

// readToken reads standard input, less one line end.
func readToken(std streams) (string, error) {
	if isTerminal(std.in) {
		fmt.Fprintln(std.err, "oidcauth explain: paste the token, press Enter, then Ctrl-D")
	}
	data, err := io.ReadAll(io.LimitReader(std.in, longestInput+1))
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	if len(data) > longestInput {
		return "", errors.New("standard input: more than 1 MiB, which is no token")
	}
	data = bytes.TrimSuffix(data, []byte("\n"))
	data = bytes.TrimSuffix(data, []byte("\r"))
	return string(data), nil
}

// isTerminal reports whether r is a terminal, at which somebody may be waiting
// for a word.
func isTerminal(r io.Reader) bool {
	file, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
