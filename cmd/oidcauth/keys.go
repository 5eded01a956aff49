package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/explain"
)

// keysTimeout bounds the wait for an issuer that does not answer.
const keysTimeout = 30 * time.Second

// keysFlags are the flags of keys.
type keysFlags struct {
	config            string
	allowInsecureHTTP bool
	json              bool
}

// keysCommand shows an issuer's key set.
func keysCommand() command {
	return command{
		name:     "keys",
		operands: "ISSUER",
		summary:  "show an issuer's keys, and which of them are usable",
		about: `
Fetches the keys of the issuer with this URL and prints each of them: key ID,
type, algorithm, use, and whether it is usable or why not; then what the issuer
says about caching, and when a server would fetch the keys again. With --config
an issuer of the file is looked up in the way that the file says.

Exit code 0 means that there is a usable key, 1 that there is none.`,
		example: `oidcauth keys https://id.example.com`,
		setup: func(flags *flag.FlagSet) action {
			f := new(keysFlags)
			flags.Var((*configName)(&f.config), "config", "take the issuer's settings from this JSON `FILE`, if it is in there")
			registerInsecureHTTP(flags, &f.allowInsecureHTTP)
			flags.BoolVar(&f.json, "json", false, "print the report as JSON")
			return f.run
		},
	}
}

// run prints the report on one issuer.
func (f *keysFlags) run(ctx context.Context, std streams, operands []string) error {
	if len(operands) != 1 {
		return usagef("got %s, want ISSUER", arguments(operands))
	}
	issuer, err := f.issuer(operands[0])
	if err != nil {
		return err
	}
	issuer.Bound = "" // no token is looked at
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{issuer}, KeepWarm: true})
	if err != nil {
		return usageError{err}
	}
	defer auth.Close()
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	report, err := auth.Keys(ctx, issuer.URL)
	if err != nil && len(report.Skipped) == 0 {
		return err
	}
	// Where none of the keys is usable, the reasons are what is asked for.
	return errors.Join(f.write(std.out, report), err)
}

func (f *keysFlags) write(out io.Writer, report explain.KeySet) error {
	if f.json {
		return writeKeysJSON(out, report)
	}
	return writeKeys(out, report, time.Now())
}

// issuer returns the issuer with the given name, from the file if it is there.
// No token is looked at, so that a missing audience does no harm.
func (f *keysFlags) issuer(name string) (oidcauth.Issuer, error) {
	file, err := readConfig(f.config)
	if err != nil {
		return oidcauth.Issuer{}, err
	}
	issuer := oidcauth.Issuer{URL: name}
	found := false
	for _, known := range file.Issuers {
		if known.URL == name || slices.Contains(known.Aliases, name) {
			issuer, found = known, true
		}
	}
	if !found {
		if err := checkIssuerURL(name, f.allowInsecureHTTP); err != nil {
			return oidcauth.Issuer{}, fmt.Errorf("%w; \"oidcauth issuer list\" shows the keys of a local issuer", err)
		}
	}
	issuer.Audiences, issuer.DedicatedKeys, issuer.InsecureAnyAudience = nil, false, true
	issuer.OpaquePrefix, issuer.AnswerAge = "", 0 // nobody is asked about a token
	permitInsecureHTTP(&issuer, f.allowInsecureHTTP)
	return issuer, nil
}
