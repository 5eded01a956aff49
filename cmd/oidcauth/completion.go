package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
)

// completionCommand prints what completes the command's words in a shell.
func completionCommand() command {
	return command{
		name:     "completion",
		operands: "bash|zsh|fish",
		summary:  "print what completes commands and flags in a shell",
		about: `
Prints a script that completes the commands, their flags and the names of files
in a shell: bash, zsh or fish.`,
		example: `
oidcauth completion bash > /etc/bash_completion.d/oidcauth
oidcauth completion zsh > "${fpath[1]}/_oidcauth"
oidcauth completion fish > ~/.config/fish/completions/oidcauth.fish`,
		setup: func(*flag.FlagSet) action {
			return func(_ context.Context, std streams, operands []string) error {
				if len(operands) != 1 {
					return usagef("got %s, want bash, zsh or fish", arguments(operands))
				}
				write, known := map[string]func(io.Writer, []completed){"bash": writeBash, "zsh": writeZsh, "fish": writeFish}[operands[0]]
				if !known {
					return usagef("%s: want bash, zsh or fish", quoteArgument(operands[0]))
				}
				var script strings.Builder
				write(&script, completions())
				_, err := io.WriteString(std.out, script.String())
				return err
			}
		},
	}
}

// completed is a command as a shell completes it.
type completed struct {
	name, summary string
	words         []string // that the first operand can be
	files         bool     // whether further ones are names of files
	flags         []completedFlag
}

// completedFlag is one of its flags.
type completedFlag struct {
	name, about, value string // no value: a switch
}

// takesFile reports whether the flag's value is the name of a file.
func (f completedFlag) takesFile() bool { return f.value == "FILE" || f.value == "DIRECTORY" }

// completions are the commands of the help.
func completions() []completed {
	var all []completed
	for _, c := range commands() {
		flags := c.flagSet()
		c.setup(flags)
		one := completed{name: c.name, summary: c.summary, words: operandWords(c.operands), files: operandFiles(c.operands)}
		flags.VisitAll(func(f *flag.Flag) {
			value, usage := flag.UnquoteUsage(f)
			about, _, _ := strings.Cut(usage, ";")
			one.flags = append(one.flags, completedFlag{f.Name, strings.Join(strings.Fields(about), " "), value})
		})
		all = append(all, one)
	}
	return append(all, completed{name: "help", summary: "describe a command", words: commandNames()})
}

// operandWords returns the words of "a|b|c OTHER" that stand for themselves.
func operandWords(operands string) []string {
	var words []string
	first, _, _ := strings.Cut(strings.ReplaceAll(operands, " | ", "|"), " ")
	for word := range strings.SplitSeq(first, "|") {
		if word != strings.ToUpper(word) { // what is in capitals stands for something
			words = append(words, word)
		}
	}
	return words
}

// operandFiles reports whether names of files stand behind the words.
func operandFiles(operands string) bool {
	_, further, _ := strings.Cut(operands, " ")
	return strings.Contains(further, "DIRECTORY") || strings.Contains(further, "FILE")
}

func commandNames() []string {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return names
}

// dashed returns the flags as they are written.
func dashed(flags []completedFlag) []string {
	names := []string{"--help"}
	for _, f := range flags {
		names = append(names, "--"+f.name)
	}
	return names
}

func writeBash(w io.Writer, all []completed) {
	names := append(commandNames(), "help")
	fmt.Fprintf(w, `# Completes oidcauth in bash: made by "oidcauth completion bash".
_oidcauth() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words="" files=""
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "%s --help" -- "$cur"))
		return
	fi
	case ${COMP_WORDS[1]} in
`, strings.Join(names, " "))
	for _, c := range all {
		var files, values []string
		for _, f := range c.flags {
			switch {
			case f.takesFile():
				files = append(files, "--"+f.name)
			case f.value != "":
				values = append(values, "--"+f.name)
			}
		}
		fmt.Fprintf(w, "\t%s)\n\t\twords=\"%s\"\n", c.name, strings.Join(append(c.words, dashed(c.flags)...), " "))
		if c.files {
			fmt.Fprint(w, "\t\tif [ \"$COMP_CWORD\" -gt 2 ] && [[ $cur != -* ]]; then files=1; fi\n")
		}
		if len(files)+len(values) > 0 {
			fmt.Fprint(w, "\t\tcase $prev in\n")
			if len(files) > 0 {
				fmt.Fprintf(w, "\t\t%s) words=\"\" files=1 ;;\n", strings.Join(files, " | "))
			}
			if len(values) > 0 {
				fmt.Fprintf(w, "\t\t%s) return ;;\n", strings.Join(values, " | "))
			}
			fmt.Fprint(w, "\t\tesac\n")
		}
		fmt.Fprint(w, "\t\t;;\n")
	}
	fmt.Fprint(w, `	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
	if [ -n "$files" ]; then
		COMPREPLY=($(compgen -f -- "$cur"))
	fi
}
complete -o filenames -F _oidcauth oidcauth
`)
}

// zshText makes a text fit to stand in single quotes within _arguments.
func zshText(text string) string {
	return strings.NewReplacer(`\`, `\\`, `'`, `'\''`, `[`, `\[`, `]`, `\]`, `:`, `\:`).Replace(text)
}

func writeZsh(w io.Writer, all []completed) {
	fmt.Fprint(w, "#compdef oidcauth\n# Completes oidcauth in zsh: made by \"oidcauth completion zsh\".\n_oidcauth() {\n\tif (( CURRENT == 2 )); then\n\t\tlocal -a names=(\n")
	for _, c := range all {
		fmt.Fprintf(w, "\t\t\t'%s:%s'\n", c.name, zshText(c.summary))
	}
	fmt.Fprint(w, "\t\t)\n\t\t_describe command names\n\t\treturn\n\tfi\n\tlocal name=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n\tcase $name in\n")
	for _, c := range all {
		fmt.Fprintf(w, "\t%s)\n\t\t_arguments '--help[describe the command]'", c.name)
		for _, f := range c.flags {
			fmt.Fprintf(w, " \\\n\t\t\t'*--%s[%s]%s'", f.name, zshText(f.about), zshValue(f))
		}
		if len(c.words) > 0 {
			fmt.Fprintf(w, " \\\n\t\t\t'1:what:(%s)'", strings.Join(c.words, " "))
		}
		fmt.Fprint(w, " \\\n\t\t\t'*:file:_files'\n\t\t;;\n")
	}
	fmt.Fprint(w, "\tesac\n}\n_oidcauth \"$@\"\n")
}

// zshValue says what follows a flag.
func zshValue(f completedFlag) string {
	switch {
	case f.takesFile():
		return ":" + f.value + ":_files"
	case f.value != "":
		return ":" + f.value + ":"
	}
	return ""
}

// fishText quotes a text.
func fishText(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

func writeFish(w io.Writer, all []completed) {
	fmt.Fprint(w, "# Completes oidcauth in fish: made by \"oidcauth completion fish\".\ncomplete -c oidcauth -f\n")
	for _, c := range all {
		fmt.Fprintf(w, "complete -c oidcauth -n __fish_use_subcommand -a %s -d %s\n", c.name, fishText(c.summary))
		in := fmt.Sprintf("complete -c oidcauth -n '__fish_seen_subcommand_from %s'", c.name)
		if len(c.words) > 0 {
			fmt.Fprintf(w, "%s -a %s\n", in, fishText(strings.Join(c.words, " ")))
		}
		if c.files {
			fmt.Fprintf(w, "complete -c oidcauth -n '__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s' -F\n", c.name, strings.Join(c.words, " "))
		}
		for _, f := range c.flags {
			more := ""
			switch {
			case f.takesFile():
				more = " -r -F"
			case f.value != "":
				more = " -x"
			}
			fmt.Fprintf(w, "%s -l %s%s -d %s\n", in, f.name, more, fishText(f.about))
		}
	}
}
