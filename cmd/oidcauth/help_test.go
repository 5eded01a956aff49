package main

import (
	"flag"
	"strings"
	"testing"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	golden(t, "help", invoke(t, "", "help").out)
	for _, c := range commands() {
		t.Run(c.name, func(t *testing.T) {
			got := invoke(t, "", c.name, "--help")
			golden(t, "help-"+c.name, got.out)
			if other := invoke(t, "", "help", c.name); other != got {
				t.Errorf("\"help %s\" and \"%s --help\" differ", c.name, c.name)
			}
			if !strings.Contains(got.out, "\nExample:\n  ") || !strings.Contains(c.example, "oidcauth "+c.name) {
				t.Error("the help has no example of its command")
			}
			flags := c.flagSet()
			c.setup(flags)
			flags.VisitAll(func(f *flag.Flag) {
				if !strings.Contains(got.out, "\n  --"+f.Name+"\n") && !strings.Contains(got.out, "\n  --"+f.Name+" ") {
					t.Errorf("the help does not name --%s", f.Name)
				}
			})
			for line := range strings.Lines(got.out) {
				if len(line) > 81 {
					t.Errorf("line of %d characters: %s", len(line)-1, line)
				}
			}
		})
	}
}

func TestHelp_WarnsOfTheProcessList(t *testing.T) {
	t.Parallel()
	text := strings.Join(strings.Fields(invoke(t, "", "explain", "--help").out), " ")
	for _, want := range []string{"list of processes", "standard input", "Prefer these", "--token-file"} {
		if !strings.Contains(text, want) {
			t.Errorf("the help of explain does not say %q", want)
		}
	}
}
