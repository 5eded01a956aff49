package main

import (
	"context"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const (
	// tokenTimeout bounds the wait for a provider that does not answer.
	tokenTimeout = 30 * time.Second

	// loginTimeout bounds the wait for a person at the provider's pages.
	loginTimeout = 10 * time.Minute

	// secretVariable is where a client's secret is taken from unless a flag
	// names a file.
	secretVariable = "OIDCAUTH_CLIENT_SECRET"

	defaultListen = "127.0.0.1:0"
)

// The grants by which a token is obtained.
const (
	grantClientCredentials = "client-credentials"
	grantDevice            = "device"
	grantLogin             = "login"
)

// tokenFlags are the flags of token.
type tokenFlags struct {
	issuer            string
	clientID          string
	secretFile        string
	keyFile           string
	clientAuth        string
	assertionAudience string
	scopes            list
	audience          string
	resource          string
	listen            string
	idToken           bool
	export            string
	json              bool
	allowInsecureHTTP bool
}

// tokenCommand obtains a token.
func tokenCommand() command {
	return command{
		name:     "token",
		operands: "client-credentials | device | login",
		summary:  "obtain a token from a provider and print it",
		about: `
Obtains an access token and prints it on standard output, alone on a line, also
when that is a terminal: take care who looks on. Everything else goes to
standard error. Nothing is stored; the next call asks the provider again.

  client-credentials  as a service, with the client's secret or key
  device              as a person, who enters a code on another device
  login               as a person, who opens the address that is printed in a
                      browser on this machine (authorization code with PKCE);
                      the command opens no browser by itself

The client's secret is read from the environment variable
OIDCAUTH_CLIENT_SECRET or from a file, and there is no flag that takes it: an
argument can be seen by every user of the machine in the list of processes, and
stays in the shell's history. A client with a key signs an assertion instead
(private_key_jwt).

The provider's endpoints are discovered from the issuer's URL, and ID tokens are
verified before anything is printed.`,
		example: `
oidcauth token client-credentials \
    --issuer https://id.example.com --client-id importer |
  oidcauth explain --issuer https://id.example.com --audience my-db`,
		setup: func(flags *flag.FlagSet) action {
			f := new(tokenFlags)
			f.register(flags)
			return f.run
		},
	}
}

// register defines the flags.
func (f *tokenFlags) register(flags *flag.FlagSet) {
	flags.StringVar(&f.issuer, "issuer", "", "ask the provider whose issuer `URL` this is")
	flags.StringVar(&f.clientID, "client-id", "", "ask as the client with this `ID`")
	flags.StringVar(&f.secretFile, "client-secret-file", "", "read the client's secret from this `FILE`, less one line end; without it from the environment variable "+secretVariable)
	flags.StringVar(&f.keyFile, "client-key", "", "authenticate by an assertion signed with the private key in this `FILE`: a JWK, or PEM; client-credentials and login only")
	flags.StringVar(&f.clientAuth, "client-auth", "", "send the client's secret by this `METHOD`, client_secret_basic or client_secret_post, as the client is registered; without it by what the provider's discovery document lists, basic rather than post")
	flags.StringVar(&f.assertionAudience, "assertion-audience", "", "name the provider by its `WHAT`, token-endpoint or issuer, in the assertion of --client-key, as the provider demands; without it by its token endpoint, which most accept")
	flags.Var(&f.scopes, "scope", "ask for this `SCOPE`; may be repeated; device and login always ask for openid")
	flags.StringVar(&f.audience, "audience", "", "ask for a token for this `AUDIENCE`, for providers that have such a parameter")
	flags.StringVar(&f.resource, "resource", "", "ask for a token for this `URI`, the resource of RFC 8707")
	flags.StringVar(&f.listen, "listen", defaultListen, "`ADDRESS` on the loopback interface to which the browser is sent back, at the path /callback; port 0 is any free one; login only")
	flags.BoolVar(&f.idToken, "id-token", false, "print the ID token instead of the access token; device and login only")
	flags.StringVar(&f.export, "export", "", "print a shell command that puts the token into the environment variable `NAME`, for eval")
	flags.BoolVar(&f.json, "json", false, "print the provider's answer as JSON, with all its tokens")
	registerInsecureHTTP(flags, &f.allowInsecureHTTP)
}

// variableName is what a shell accepts as a variable's name.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// check refuses flags that are missing, or that would have no effect.
func (f *tokenFlags) check(operands []string) (grant string, err error) {
	if len(operands) != 1 {
		return "", usagef("got %s, want one of client-credentials, device and login", arguments(operands))
	}
	grant = operands[0]
	person := grant == grantDevice || grant == grantLogin
	switch {
	case !person && grant != grantClientCredentials:
		return "", usagef("got %s, want one of client-credentials, device and login", quoteArgument(grant))
	case f.issuer == "":
		return "", usagef("no issuer: give --issuer URL")
	case f.clientID == "":
		return "", usagef("no client: give --client-id ID")
	case f.secretFile != "" && f.keyFile != "":
		return "", usagef("--client-secret-file and --client-key exclude each other")
	case f.clientAuth != "" && f.clientAuth != authBasic && f.clientAuth != authPost:
		return "", usagef("--client-auth %s: want %s or %s; private_key_jwt is what --client-key does", quoteArgument(f.clientAuth), authBasic, authPost)
	case f.clientAuth != "" && f.keyFile != "":
		return "", usagef("--client-auth says how a secret is sent, and --client-key sends none")
	case f.assertionAudience != "" && f.assertionAudience != audienceEndpoint && f.assertionAudience != audienceIssuer:
		return "", usagef("--assertion-audience %s: want %s or %s", quoteArgument(f.assertionAudience), audienceEndpoint, audienceIssuer)
	case f.assertionAudience != "" && f.keyFile == "":
		return "", usagef("--assertion-audience is of the assertion that --client-key signs, and there is none")
	case f.keyFile != "" && grant == grantDevice:
		return "", usagef("--client-key has no effect on device: every poll would need an assertion of its own")
	case f.listen != defaultListen && grant != grantLogin:
		return "", usagef("--listen has no effect on %s", grant)
	case f.idToken && !person:
		return "", usagef("--id-token: %s is for services, which have no ID token", grant)
	case f.json && (f.idToken || f.export != ""):
		return "", usagef("--json prints everything: neither --id-token nor --export goes with it")
	case f.export != "" && !variableName.MatchString(f.export):
		return "", usagef("--export %s: want letters, digits and \"_\", the first not a digit", quoteArgument(f.export))
	}
	return grant, nil
}

// run obtains a token and prints it.
func (f *tokenFlags) run(ctx context.Context, std streams, operands []string) error {
	grant, err := f.check(operands)
	if err != nil {
		return err
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	if grant == grantClientCredentials && client.secret == "" && client.key == nil {
		return usagef("no secret: put it into %s, or give --client-secret-file or --client-key", secretVariable)
	}
	if f.clientAuth != "" && client.secret == "" {
		return usagef("--client-auth says how a secret is sent: put one into %s, or give --client-secret-file", secretVariable)
	}
	if err := client.discover(ctx, f.allowInsecureHTTP); err != nil {
		return err
	}
	obtain := map[string]func(context.Context, streams) (*oauth2.Token, error){
		grantClientCredentials: client.clientCredentials,
		grantDevice:            client.device,
		grantLogin:             client.login,
	}[grant]
	token, err := obtain(client.context(ctx), std)
	if err != nil {
		return client.providerError(err)
	}
	return f.print(std.out, token)
}

// personScopes are the scopes to ask for on behalf of a person.
func personScopes(scopes []string) []string {
	if slices.Contains(scopes, "openid") {
		return scopes
	}
	return append([]string{"openid"}, scopes...)
}

// shellQuote quotes text for a shell, whatever is in it.
func shellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// mustBePrintable refuses a token that no header could carry (RFC 6750,
// section 2.1, and RFC 6749, appendix A.12) and that could deceive a terminal.
func mustBePrintable(name, token string) error {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return fmt.Errorf("%s: character %d is %#x, want a visible ASCII character", name, i, token[i])
		}
	}
	return nil
}
