package main

import (
	"flag"
	"strings"
	"testing"
)

func TestRun_ExitCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		args []string
		want int
		says string // on standard output for 0, on standard error otherwise
	}{
		{"no command", nil, 2, "Usage:"},
		{"help", []string{"help"}, 0, "Commands:"},
		{"--help", []string{"--help"}, 0, "Commands:"},
		{"-h", []string{"-h"}, 0, "Commands:"},
		{"help for a command", []string{"help", "keys"}, 0, "oidcauth keys ISSUER"},
		{"help for help", []string{"help", "help"}, 0, "Commands:"},
		{"help for --help", []string{"help", "--help"}, 0, "Commands:"},
		{"help for two commands", []string{"help", "keys", "serve"}, 2, "want one command at most"},
		{"a flag before the command", []string{"--issuer", "x", "serve"}, 2, `got "--issuer" before a command`},
		{"help for no command", []string{"help", "kyes"}, 2, `no help for "kyes"`},
		{"a command's --help", []string{"serve", "--help"}, 0, "oidcauth serve [flags]"},
		{"a command's -h after an operand", []string{"keys", "https://a.example", "-h"}, 0, "oidcauth keys ISSUER"},
		{"unknown command", []string{"sevre"}, 2, `unknown command "sevre"`},
		{"unknown flag", []string{"serve", "--isuer", "x"}, 2, "oidcauth serve: flag provided but not defined: --isuer; did you mean --issuer?"},
		{"unknown flag like no other", []string{"serve", "--verbose"}, 2, "not defined: --verbose\n"},
		{"a flag for what is an operand", []string{"keys", "--issuer", "https://a.example"}, 2, "write it without the flag: oidcauth keys ISSUER"},
		{"flag without its value", []string{"serve", "--issuer"}, 2, "flag needs an argument: --issuer"},
		{"flag with a bad value", []string{"serve", "--leeway", "soon"}, 2, `"soon" for flag --leeway: want a duration`},
		{"empty value", []string{"serve", "--issuer", ""}, 2, "--issuer: must not be empty"},
		{"the same value twice", []string{"serve", "--audience", "a", "--audience", "a"}, 2, "--audience: given twice"},
		{"operand where none belongs", []string{"serve", "x"}, 2, "got 1 argument, want none"},
		{"operands where none belong", []string{"serve", "x", "y"}, 2, "got 2 arguments, want none"},
		{"an issuer without its scheme", []string{"serve", "--issuer", "id.example.com", "--audience", "a"}, 2, `--issuer "id.example.com": want an issuer's URL, such as https://`},
		{"an issuer with plain http", []string{"serve", "--issuer", "http://127.0.0.1:1", "--audience", "a"}, 2, "--allow-insecure-http"},
		{"keys with plain http", []string{"keys", "http://127.0.0.1:1"}, 2, "--allow-insecure-http"},
		{"keys of a bare name", []string{"keys", "localhost"}, 2, "oidcauth issuer list"},
		{"a client without its secret", []string{"token", "client-credentials", "--issuer", "https://127.0.0.1:1", "--client-id", "a"}, 2, "no secret: put it into OIDCAUTH_CLIENT_SECRET"},
		{"version", []string{"version"}, 0, "oidcauth "},
		{"--version", []string{"--version"}, 0, "oidcauth "},
		{"version with an operand", []string{"version", "x"}, 2, "want none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := invoke(t, "", test.args...)
			if got.code != test.want {
				t.Fatalf("exit code = %d, want %d; standard error: %s", got.code, test.want, got.err)
			}
			text, other := got.err, got.out
			if test.want == 0 {
				text, other = got.out, got.err
			}
			if !strings.Contains(text, test.says) {
				t.Errorf("got %q, want it to say %q", text, test.says)
			}
			if other != "" {
				t.Errorf("the other stream has %q, want nothing", other)
			}
		})
	}
}

func TestRun_HidesMisplacedTokens(t *testing.T) {
	t.Parallel()
	token := startIssuer(t).Token(nil)
	for _, args := range [][]string{
		{token},
		{"help", token},
		{"serve", token},
		{"serve", "--leeway", token},
		{"serve", "--issuer", "https://a.example", "--audience", "b", "--log-format", token},
		{"serve", "--issuer", "https://a.example", "--audience", "b", "--resource", token},
		{"serve", "--issuer", token, "--audience", "b"},
		{"serve", "--" + token},
		{"serve", "--config", token},
		{"explain", "--" + token},
		{"explain", "--issuer", "https://a.example", "--audience", "b", token, token},
		{"keys", token},
		{"keys", token, token},
		{"identity", token, token},
		{"identity", token + "|", "x"},
		{"version", token},
	} {
		got := invoke(t, "", args...)
		if got.code != 2 {
			t.Errorf("%q: exit code = %d, want 2; standard error: %s", args[0], got.code, got.err)
		}
		if got.err == "" {
			t.Errorf("%q: nothing was said", args[0])
		}
	}
}

func TestHideSecrets(t *testing.T) {
	t.Parallel()
	const hidden = "(token not shown)"
	for text, want := range map[string]string{
		"x eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0. y": "x " + hidden + " y",
		`"eyJhbGciOiJub25lIn0"`:                    `"` + hidden + `"`,
		"-eyJhbGciOiJub25lIn0.e30.x":               "-" + hidden,
		"ewkiYWxnIjoibm9uZSJ9.e30.x":               hidden,
		"https://keycloak-prod.example/realms/a":   "https://keycloak-prod.example/realms/a",
		"https://monkeyJungle.example":             "https://monkeyJungle.example",
		"":                                         "",
		"tls://user:hunter2@nats:4222, and a@b":    "tls://(not shown)@nats:4222, and a@b",
		`"https://user:hun ter2@a.test/x@y" "b@c"`: `"https://(not shown)@a.test/x@y" "b@c"`,
		"https://user:hun/ter2@a.test/x, and a@b":  "https://(not shown)@a.test/x, and a@b",
		`"nats://user:#hun@ter2@nats:4222": x@y`:   `"nats://(not shown)@nats:4222": x@y`,
		"https://a.test:8443/@b https://[::1]/@c":  "https://a.test:8443/@b https://[::1]/@c",
		"https://a.test/@b and https://c.test?d@e": "https://a.test/@b and https://c.test?d@e",
	} {
		if got := hideSecrets(text); got != want {
			t.Errorf("hideSecrets(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		args     []string
		value    string
		operands []string
	}{
		{"flag first", []string{"--f", "1", "a", "b"}, "1", []string{"a", "b"}},
		{"flag last", []string{"a", "b", "--f", "1"}, "1", []string{"a", "b"}},
		{"flag between", []string{"a", "--f=1", "b"}, "1", []string{"a", "b"}},
		{"one dash is an operand", []string{"-", "--f", "1"}, "1", []string{"-"}},
		{"nothing is a flag after two dashes", []string{"--f", "1", "--", "a", "--f", "2"}, "1", []string{"a", "--f", "2"}},
		{"two dashes after an operand", []string{"a", "--", "-b"}, "", []string{"a", "-b"}},
		{"nothing", nil, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			flags := flag.NewFlagSet("", flag.ContinueOnError)
			value := flags.String("f", "", "")
			operands, err := parse(flags, test.args)
			if err != nil {
				t.Fatal(err)
			}
			if *value != test.value || strings.Join(operands, " ") != strings.Join(test.operands, " ") {
				t.Errorf("got %q and %q, want %q and %q", *value, operands, test.value, test.operands)
			}
		})
	}
}
