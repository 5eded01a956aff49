package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/cmd/oidcauth/internal/members"
)

// Exit codes of the command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// errRefused ends a command with exit code 1 when what there is to say has
// been said on standard output.
var errRefused = errors.New("refused")

// streams are the standard streams of one run.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// action does what a command is for, with the operands that its flags left.
type action func(ctx context.Context, std streams, operands []string) error

// command is one subcommand.
type command struct {
	name     string // the word after "oidcauth"
	operands string // what the usage line shows beside the flags
	summary  string // one line in the list of commands
	about    string // the text of its own help
	example  string // shell lines
	// setup defines the flags and returns the action that reads them.
	setup func(flags *flag.FlagSet) action
}

// commands lists the subcommands in the order in which the help shows them.
func commands() []command {
	return []command{
		serveCommand(),
		explainCommand(),
		keysCommand(),
		identityCommand(),
		issuerCommand(),
		configCommand(),
		healthcheckCommand(),
		completionCommand(),
		tokenCommand(),
		versionCommand(),
	}
}

// usageError is a mistake in the flags, the operands or the configuration.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// usagef returns a [usageError].
func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// run does what args ask for and returns the exit code: 0 for success, 1 for a
// refusal or a failure, 2 for a mistake in the command line or configuration.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	std := streams{in: stdin, out: stdout, err: stderr}
	if len(args) == 0 {
		printHelp(stderr)
		return exitUsage
	}
	name, rest := args[0], args[1:]
	switch {
	case asksForHelp(name):
		return runHelp(std, rest)
	case name == "--version", name == "-version":
		name = "version"
	}
	c, ok := findCommand(name)
	switch {
	case ok:
	case strings.HasPrefix(name, "-"):
		fmt.Fprintf(stderr, "oidcauth: got %s before a command; \"oidcauth help\" lists the commands\n", quoteArgument(name))
		return exitUsage
	default:
		fmt.Fprintf(stderr, "oidcauth: unknown command %s; \"oidcauth help\" lists them\n", quoteArgument(name))
		return exitUsage
	}
	return c.run(ctx, std, rest)
}

// findCommand returns the subcommand with the given name.
func findCommand(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// run parses args, runs the action and says on standard error what went wrong.
func (c command) run(ctx context.Context, std streams, args []string) int {
	flags := c.flagSet()
	act := c.setup(flags)
	operands, err := parse(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		c.printHelp(std.out)
		return exitOK
	}
	if err == nil {
		err = act(ctx, std, operands)
	}
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errRefused):
		return exitFailed
	case errors.As(err, &usage):
		c.complain(std.err, err)
		fmt.Fprintf(std.err, "\"oidcauth %s --help\" explains the flags\n", c.name)
		return exitUsage
	default:
		c.complain(std.err, err)
		return exitFailed
	}
}

// complain writes a line about err, or about each of several. The library's errors
// bring a prefix of their own, which would be said twice.
func (c command) complain(w io.Writer, err error) {
	for _, err := range each(err) {
		text := strings.ReplaceAll(err.Error(), "oidcauth: ", "")
		fmt.Fprintf(w, "oidcauth %s: %s\n", c.name, printable(hideSecrets(inOwnWords(text))))
	}
}

// flagSet returns an empty set of flags that reports errors only by returning
// them: package flag's own report would repeat the argument, which may be a
// token pasted in the wrong place.
func (c command) flagSet() *flag.FlagSet {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	return flags
}

// parse parses flags that may stand before, between and after the operands,
// which it returns. What follows "--" is an operand whatever it looks like.
func parse(flags *flag.FlagSet, args []string) ([]string, error) {
	var operands []string
	for {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, err
		} else if err != nil {
			return nil, usageError{errors.New(twoDashes.Replace(err.Error()) + likelyFlag(flags, err))}
		}
		rest := flags.Args()
		ended := len(rest) < len(args) && args[len(args)-len(rest)-1] == "--"
		if ended || len(rest) == 0 {
			return append(operands, rest...), nil
		}
		operands = append(operands, rest[0])
		args = rest[1:]
	}
}

// likelyFlag says what a flag that is not known may stand for: another flag, or what this
// command takes as an operand.
func likelyFlag(flags *flag.FlagSet, err error) string {
	const longestName = 64
	given, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown || len(given) > longestName {
		return ""
	}
	if c, _ := findCommand(flags.Name()); slices.Contains(strings.Fields(c.operands), strings.ToUpper(given)) {
		return "; write it without the flag: oidcauth " + c.name + " " + c.operands
	}
	var names []string
	flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	if near := members.Nearest(given, names); near != "" {
		return "; did you mean --" + near + "?"
	}
	return ""
}

// tokenLike matches what looks like a compact JWS or the beginning of one: the
// base64url form of `{"` is "eyJ", that of a brace and white space "eyA", "ewo",
// "ew0" or "ewk".
var tokenLike = regexp.MustCompile(`(?:\b|_)(?:eyJ|eyA|ewo|ew0|ewk)[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)*`)

// twoDashes spells flags in the errors of package flag as the help does.
var twoDashes = strings.NewReplacer(" flag -", " flag --", "not defined: -", "not defined: --", "an argument: -", "an argument: --")

// userLike matches user information in an address: as far as the next blank or, in
// quotes, as far as these. What stands where a port would, and is none, is a password,
// whatever ends it.
var userLike = regexp.MustCompile(`((?:"[a-zA-Z0-9+.-]*|\b[a-zA-Z0-9+.-]+)://)(?:[^/?#\s"]*@)+|("[a-zA-Z0-9+.-]*://)[^/?#"]*@` +
	`|(\b[a-zA-Z0-9+.-]+://)[^/?#\s"@:\[]*:(?:[0-9]*[^0-9/?#\s"@][^/?#\s"@]*)?[/?#][^\s"]*@`)

// hideSecrets replaces everything in text that could be a token, or a password in an
// address.
func hideSecrets(text string) string {
	return userLike.ReplaceAllString(tokenLike.ReplaceAllString(text, "(token not shown)"), "$1$2$3(not shown)@")
}

// quoteArgument quotes an argument for a message: shortened, and hidden when
// it could be a token.
func quoteArgument(arg string) string {
	const longest = 60
	arg = hideSecrets(arg)
	if len(arg) > longest {
		arg = strings.ToValidUTF8(arg[:longest], "") + "…"
	}
	return fmt.Sprintf("%q", arg)
}
