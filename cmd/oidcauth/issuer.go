package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/localissuer"
)

// issuerFlags are the flags of issuer.
type issuerFlags struct {
	url string
}

// issuerCommand looks after the keys of a local issuer.
func issuerCommand() command {
	return command{
		name:     "issuer",
		operands: "list|rotate|import|remove DIRECTORY [FILE | KEY-ID]",
		summary:  "look after the keys that \"serve --local-issuer\" signs with",
		about: `
Looks after the keys in the directory of a local issuer. Servers that use the
directory follow within seconds; none has to be restarted. Run it as their user:
the keys of another one are not touched, by root neither (docs/operate.md).

  list DIRECTORY       show the keys
  rotate DIRECTORY     let the next key sign, which has been published all the
                       while, and make another next one; no token is refused
  import DIRECTORY FILE
                       accept the tokens of a SpacetimeDB server, signed with
                       the key in this PEM file, private or public; only its
                       public half is kept
  remove DIRECTORY KEY-ID
                       accept a retired key's tokens no longer, nor ever again;
                       write -- before a KEY-ID that begins with a dash

After a theft of the directory rotate twice, remove the two keys that have
signed or were about to, and then revoke each (POST /v1/revocations, "key"):
that ends the sessions, too, that began with the thief's tickets.`,
		example: `
oidcauth issuer rotate /var/lib/oidcauth/keys
oidcauth issuer import /var/lib/oidcauth/keys id_ecdsa.pub`,
		setup: func(flags *flag.FlagSet) action {
			f := new(issuerFlags)
			flags.StringVar(&f.url, "url", "", "the `NAME` of the issuer; makes new keys if the directory does not exist or is empty")
			return f.run
		},
	}
}

// run does what the first operand names.
func (f *issuerFlags) run(ctx context.Context, std streams, operands []string) error {
	if len(operands) == 0 {
		return usagef("got no arguments, want list, rotate, import or remove, and DIRECTORY")
	}
	acts := map[string]struct {
		want string
		do   func(context.Context, streams, *localissuer.Issuer, string) error
	}{
		"list":   {"DIRECTORY", listIssuerKeys},
		"rotate": {"DIRECTORY", rotateIssuerKeys},
		"import": {"DIRECTORY and FILE", importIssuerKey},
		"remove": {"DIRECTORY and KEY-ID", removeIssuerKey},
	}
	act, known := acts[operands[0]]
	rest := operands[1:]
	wanted := 2
	if act.want == "DIRECTORY" {
		wanted = 1
	}
	switch {
	case !known:
		return usagef("%s: want list, rotate, import or remove", quoteArgument(operands[0]))
	case len(rest) != wanted:
		return usagef("%s: got %s, want %s", operands[0], arguments(rest), act.want)
	}
	l, err := localissuer.New(localissuer.Config{
		URL: f.url, Dir: rest[0],
		ReadOnly: operands[0] == "list" && f.url == "", // with a name new keys are made
		// Nothing is issued here.
		Audiences: []string{"none"}, MaxLifetime: time.Second,
	})
	switch {
	case f.url == "" && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no keys in %s: --url NAME makes new ones, for an issuer of that name", rest[0])
	case err != nil:
		return err
	}
	defer l.Close()
	return act.do(ctx, std, l, rest[wanted-1])
}

func listIssuerKeys(_ context.Context, std streams, l *localissuer.Issuer, _ string) error {
	var out strings.Builder
	fmt.Fprintf(&out, "issuer %s\n\n", printable(l.URL()))
	t := table{head: []string{"KEY ID", "STATE", "CREATED", "KEPT UNTIL"}}
	for _, k := range l.Keys() {
		state, until := k.State, "it is removed"
		switch {
		case k.Imported:
			state = "imported"
		case k.State != "retired":
			until = "it is retired"
		case !k.KeepUntil.IsZero():
			until = k.KeepUntil.Format(time.RFC3339)
		}
		t.add(k.ID, state, k.Created.Format(time.RFC3339), until)
	}
	t.write(&out)
	_, err := io.WriteString(std.out, out.String())
	return err
}

func rotateIssuerKeys(ctx context.Context, std streams, l *localissuer.Issuer, _ string) error {
	if err := l.Rotate(ctx); err != nil {
		return err
	}
	for _, k := range l.Keys() {
		if k.State == "active" {
			fmt.Fprintf(std.out, "key %s signs\n", k.ID)
		}
	}
	return nil
}

func importIssuerKey(ctx context.Context, std streams, l *localissuer.Issuer, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	id, err := l.Import(ctx, text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	fmt.Fprintf(std.out, "tokens of key %s are accepted\n", id)
	return nil
}

func removeIssuerKey(ctx context.Context, std streams, l *localissuer.Issuer, keyID string) error {
	if err := l.Remove(ctx, keyID); err != nil {
		return err
	}
	fmt.Fprintf(std.out, "tokens of key %s are accepted no longer\n", printable(keyID))
	return nil
}
