package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// needProgram leaves a test out without the program, or fails it where CI is set.
func needProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing", name)
	}
	t.Skipf("%s is missing", name)
}

// completionScript writes a shell's script to a file of the name.
func completionScript(t *testing.T, shell, name string) string {
	t.Helper()
	got := invoke(t, "", "completion", shell)
	if got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	return writeFile(t, name, got.out)
}

// TestCompletion_Bash has bash complete command lines.
func TestCompletion_Bash(t *testing.T) {
	t.Parallel()
	needProgram(t, "bash")
	script := completionScript(t, "bash", "oidcauth.bash")
	here := t.TempDir()
	if err := os.WriteFile(filepath.Join(here, "serve.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"ser":                      "serve",
		"":                         strings.Join(append(commandNames(), "help", "--help"), " "),
		"serve --con":              "--config",
		"serve --check --log":      "--log-format",
		"serve --config se":        "serve.json",
		"serve --issuer ":          "",
		"issuer r":                 "rotate remove",
		"issuer list se":           "serve.json",
		"issuer import --u":        "--url",
		"issuer list --url se":     "",
		"config ":                  "sample schema --help",
		"token d":                  "device",
		"completion f":             "fish",
		"help ke":                  "keys",
		"identity --":              "--help",
		"nothing --":               "",
		"explain --token-file ser": "serve.json",
	} {
		words := strings.Split("oidcauth "+line, " ")
		quoted := "'" + strings.Join(words, "' '") + "'"
		cmd := exec.Command("bash", "-uc", `source "$0"; COMP_WORDS=(`+quoted+`); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _oidcauth; echo "${COMPREPLY[*]-}"`, script)
		cmd.Dir = here
		out, err := cmd.CombinedOutput()
		// compgen without a match is no fault.
		if got := strings.TrimSpace(string(out)); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", line, got, err, want)
		}
	}
}

// TestCompletion_Fish has fish complete command lines.
func TestCompletion_Fish(t *testing.T) {
	t.Parallel()
	needProgram(t, "fish")
	script := completionScript(t, "fish", "oidcauth.fish")
	here := t.TempDir()
	if err := os.WriteFile(filepath.Join(here, "serve.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string][]string{
		"oidcauth serv":        {"serve"},
		"oidcauth serve --con": {"--config"},
		"oidcauth issuer ro":   {"rotate"},
		"oidcauth config sch":  {"schema"},

		"oidcauth issuer import keys se": {"serve.json"},
	} {
		cmd := exec.Command("fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", script, line)
		cmd.Dir = here
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		var got []string
		for line := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got = append(got, word)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", line, got, err, want)
		}
	}
}

// TestCompletion_Zsh has zsh read its script, and call it for each command.
func TestCompletion_Zsh(t *testing.T) {
	t.Parallel()
	needProgram(t, "zsh")
	script := completionScript(t, "zsh", "_oidcauth")
	// _arguments shows that it was called with specifications that it understands.
	const call = `
_describe() { print -r -- "describe $1"; for n in $names; do print -r -- $n; done }
_arguments() { for a in "$@"; do print -r -- "$a"; done }
words=(oidcauth ${=1}); CURRENT=$(( $#words )); source $2`
	for line, want := range map[string]string{
		"x":         "serve:run a server",
		"serve x":   "*--config[read issuers and settings",
		"issuer x":  "1:what:(list rotate import remove)",
		"explain x": "*--token-file[read the token from this FILE instead of standard input]:FILE:_files",
	} {
		out, err := exec.Command("zsh", "-f", "-c", call, "zsh", line, script).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: got %s, %v, want %q in it", line, out, err, want)
		}
	}
}

// TestCompletion_Complete: the scripts have every command and every flag of the help.
func TestCompletion_Complete(t *testing.T) {
	t.Parallel()
	for shell, dashes := range map[string]string{"bash": "--", "zsh": "--", "fish": "-l "} {
		script := invoke(t, "", "completion", shell).out
		for _, c := range commands() {
			if !strings.Contains(script, c.name) {
				t.Errorf("%s: %s is missing", shell, c.name)
			}
			flags := c.flagSet()
			c.setup(flags)
			flags.VisitAll(func(f *flag.Flag) {
				if !strings.Contains(script, dashes+f.Name) {
					t.Errorf("%s: --%s of %s is missing", shell, f.Name, c.name)
				}
			})
		}
	}
	for _, operands := range [][]string{{}, {"tcsh"}, {"bash", "zsh"}} {
		if got := invoke(t, "", append([]string{"completion"}, operands...)...); got.code != 2 || got.out != "" {
			t.Errorf("%q: %+v, want exit code 2", operands, got)
		}
	}
}
