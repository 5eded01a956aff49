package main

import (
	"context"
	_ "embed"
	"flag"
	"reflect"
)

// sampleConfig is the smallest file that is of use.
//
//go:embed testdata/minimal.json
var sampleConfig []byte

// configCommand prints what helps to write a configuration file.
func configCommand() command {
	return command{
		name:     "config",
		operands: "sample|schema",
		summary:  "print a sample of the configuration file, or its JSON Schema",
		about: `
Prints what helps to write the file of --config:

  sample   the smallest file that is of use; "oidcauth serve --help" tells what
           else it may hold
  schema   its JSON Schema (draft 2020-12), with all that may be in it, the
           fields of oidcauth.Issuer included; editors check and complete a file
           by it whose member "$schema" says where it is

"oidcauth serve --check" says whether a file is right, without serving.`,
		example: `
oidcauth config sample > serve.json
oidcauth config schema > oidcauth.schema.json
oidcauth serve --config serve.json --check`,
		setup: func(*flag.FlagSet) action { return printConfig },
	}
}

// printConfig prints what the operand names.
func printConfig(_ context.Context, std streams, operands []string) error {
	if len(operands) != 1 {
		return usagef("got %s, want sample or schema", arguments(operands))
	}
	text := sampleConfig
	switch operands[0] {
	case "sample":
	case "schema":
		schema, err := fileTable.Schema(reflect.TypeFor[fileConfig](), "The configuration of oidcauth")
		if err != nil {
			return err
		}
		text = append(schema, '\n')
	default:
		return usagef("%s: want sample or schema", quoteArgument(operands[0]))
	}
	_, err := std.out.Write(text)
	return err
}
