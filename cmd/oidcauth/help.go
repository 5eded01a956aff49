package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// asksForHelp reports whether a word in place of a command asks for help.
func asksForHelp(word string) bool {
	return word == "help" || word == "--help" || word == "-help" || word == "-h"
}

// runHelp answers "oidcauth help" and "oidcauth help COMMAND".
func runHelp(std streams, args []string) int {
	switch {
	case len(args) == 0, len(args) == 1 && asksForHelp(args[0]):
		printHelp(std.out)
		return exitOK
	case len(args) > 1:
		fmt.Fprintf(std.err, "oidcauth: help: got %s, want one command at most\n", arguments(args))
		return exitUsage
	}
	c, ok := findCommand(args[0])
	if !ok {
		fmt.Fprintf(std.err, "oidcauth: no help for %s; \"oidcauth help\" lists the commands\n", quoteArgument(args[0]))
		return exitUsage
	}
	c.printHelp(std.out)
	return exitOK
}

// printHelp writes the help of the command as a whole.
func printHelp(w io.Writer) {
	fmt.Fprint(w, `oidcauth authenticates callers by their OpenID Connect tokens.

Usage:
  oidcauth COMMAND [flags]

Commands:
`)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-11s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, `
"oidcauth COMMAND --help" describes a command, its flags and an example.

Example:
  echo "$TOKEN" | oidcauth explain \
      --issuer https://id.example.com --audience my-db

Exit codes: 0 success, 1 refused or failed, 2 mistake in the command line or
the configuration.
`)
}

// printHelp writes the help of one subcommand.
func (c command) printHelp(w io.Writer) {
	flags := c.flagSet()
	c.setup(flags)
	line := "oidcauth " + c.name
	if c.operands != "" {
		line += " " + c.operands
	}
	if hasFlags(flags) {
		line += " [flags]"
	}
	fmt.Fprintf(w, "%s\n\nUsage:\n  %s\n", strings.TrimSpace(c.about), line)
	if hasFlags(flags) {
		fmt.Fprint(w, "\nFlags:\n")
		flags.VisitAll(func(f *flag.Flag) { printFlag(w, f) })
	}
	fmt.Fprintf(w, "\nExample:\n%s\n", indent(strings.TrimSpace(c.example), "  "))
}

// hasFlags reports whether any flag is defined.
func hasFlags(flags *flag.FlagSet) bool {
	found := false
	flags.VisitAll(func(*flag.Flag) { found = true })
	return found
}

// printFlag writes a flag, what it does, and its default when it has one.
func printFlag(w io.Writer, f *flag.Flag) {
	value, usage := flag.UnquoteUsage(f)
	head := "  --" + f.Name
	if value != "" {
		head += " " + value
	}
	if f.DefValue != "" && f.DefValue != "false" {
		usage += " (default " + f.DefValue + ")"
	}
	fmt.Fprintf(w, "%s\n%s\n", head, indent(wrap(usage, 72), "      "))
}
