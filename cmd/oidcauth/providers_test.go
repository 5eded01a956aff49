package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// The commands and files in the documentation of the providers are accepted as
// they stand there.
func TestDocumentedProviders(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "providers.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile(`(?s)<!-- begin (\w+) -->\n(.*?)<!-- end \w+ -->`).FindAllStringSubmatch(string(text), -1)
	code := regexp.MustCompile("(?s)```(sh|json)\n(.*?)```")
	commands := 0
	for _, block := range blocks {
		parts := code.FindAllStringSubmatch(block[2], -1)
		if len(parts) == 0 {
			continue // the table
		}
		file := ""
		if len(parts) == 2 {
			file = writeFile(t, "providers.json", parts[1][2])
		}
		for line := range strings.Lines(strings.ReplaceAll(parts[0][2], "\\\n", "")) {
			t.Run(block[1], func(t *testing.T) { acceptsCommand(t, strings.Fields(line), file) })
			commands++
		}
	}
	if commands < 2*25 {
		t.Errorf("found %d commands", commands)
	}
}

// acceptsCommand parses the words after "oidcauth", with file in place of the
// name of the configuration file, and makes what the command would make.
func acceptsCommand(t *testing.T, words []string, file string) {
	t.Helper()
	var s settings
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	s.register(flags)
	args := words[2:]
	if words[1] == "explain" {
		if len(args) < 2 || args[len(args)-2] != "<" {
			t.Fatalf("%q: want the token from standard input", words)
		}
		args = args[:len(args)-2]
	}
	for i, arg := range args {
		args[i] = strings.Trim(arg, "'")
	}
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		t.Fatalf("%q: error = %v, %d operands", words, err, flags.NArg())
	}
	if s.config != "" {
		s.config = file
	}
	cfg, _, err := s.library()
	if err != nil {
		t.Fatalf("%q: error = %v", words, err)
	}
	auth, err := oidcauth.New(cfg)
	if err != nil {
		t.Fatalf("%q: New() error = %v", words, err)
	}
	auth.Close()
}

// The keys of an issuer that needs no audience can be shown like any other's.
func TestKeys_DedicatedKeys(t *testing.T) {
	t.Parallel()
	const url = "https://clerk.example.com"
	f := keysFlags{config: writeFile(t, "c.json", `{"issuers":[{"url":"`+url+`","dedicated_keys":true}]}`)}
	issuer, err := f.issuer(url)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{issuer}})
	if err != nil {
		t.Fatalf("New() error = %v", err)
	}
	auth.Close()
}
