package main

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCommand prints what this binary was built from.
func versionCommand() command {
	return command{
		name:    "version",
		summary: "print the version of this program",
		about: `
Prints the version of this program, the commit it was built from when the
build knew it, and the version of Go that built it.`,
		example: `oidcauth version`,
		setup: func(*flag.FlagSet) action {
			return func(_ context.Context, std streams, operands []string) error {
				if err := noOperands(operands); err != nil {
					return err
				}
				_, err := fmt.Fprintln(std.out, "oidcauth "+version(debug.ReadBuildInfo())+" "+runtime.Version())
				return err
			}
		},
	}
}

// version returns the module's version, and the commit if that is recorded.
func version(info *debug.BuildInfo, ok bool) string {
	if !ok || info == nil {
		return "(unknown)"
	}
	text := info.Main.Version
	if text == "" {
		text = "(devel)"
	}
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision" && setting.Value != "":
			text += " " + setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			text += " (modified)"
		}
	}
	return text
}
