package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth/internal/quote"
)

// longestSecret is the most that is read from a file with a secret or a key.
const longestSecret = 64 << 10

// longestAnswer is the most that is read of a provider's answer.
const longestAnswer = 1 << 20

// errRedirected ends a request that a provider tries to send elsewhere: there
// are secrets and codes in it.
var errRedirected = errors.New("the provider redirects, which is not followed")

// tokenClient is a client of one provider.
type tokenClient struct {
	http      *http.Client
	provider  *oidc.Provider
	issuer    string
	metadata  providerMetadata
	endpoint  oauth2.Endpoint
	id        string
	secret    string     // empty for a public client, and for one with a key
	auth      string     // how to send it, empty for what the provider prefers
	key       *clientKey // nil for a client without
	audience  string     // of its assertions, empty for the usual one
	scopes    []string
	parameter map[string]string // audience and resource
	listen    string
	sent      []string // secrets that the provider was sent, beside its client's
}

// providerMetadata is what else a discovery document says.
type providerMetadata struct {
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	KeySet      string   `json:"jwks_uri"`
	SendsIssuer bool     `json:"authorization_response_iss_parameter_supported"`
}

// client reads the secret or the key.
func (f *tokenFlags) client() (*tokenClient, error) {
	if err := checkEndpoint("issuer", f.issuer, f.allowInsecureHTTP); err != nil {
		return nil, usageError{err}
	}
	c := &tokenClient{
		http: &http.Client{
			Timeout:       tokenTimeout,
			Transport:     shortAnswers{http.DefaultTransport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirected },
		},
		issuer: f.issuer, id: f.clientID, auth: f.clientAuth, audience: f.assertionAudience, scopes: f.scopes, listen: f.listen,
		parameter: map[string]string{},
	}
	if f.audience != "" {
		c.parameter["audience"] = f.audience
	}
	if f.resource != "" {
		c.parameter["resource"] = f.resource
	}
	if err := c.readCredentials(f); err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// readCredentials reads what the client authenticates with, if it does.
func (c *tokenClient) readCredentials(f *tokenFlags) error {
	switch {
	case f.keyFile != "":
		text, err := readShort(f.keyFile)
		if err != nil {
			return quote.SecretFile(f.keyFile, err)
		}
		if c.key, err = parseClientKey(text); err != nil {
			return fmt.Errorf("%s: %w", f.keyFile, err)
		}
	case f.secretFile != "":
		text, err := readShort(f.secretFile)
		if err != nil {
			return quote.SecretFile(f.secretFile, err)
		}
		c.secret = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
		if c.secret == "" {
			return fmt.Errorf("%s: is empty, want the client's secret", f.secretFile)
		}
	default:
		c.secret = os.Getenv(secretVariable)
	}
	return nil
}

// readShort reads a file that ought to be short.
func readShort(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > longestSecret {
		return nil, fmt.Errorf("%s: got %d bytes, want %d at most", name, info.Size(), longestSecret)
	}
	return os.ReadFile(name)
}

// discover fetches the provider's metadata and checks that its endpoints are
// as safe as its issuer.
func (c *tokenClient) discover(ctx context.Context, allowInsecureHTTP bool) error {
	var err error
	if c.provider, err = oidc.NewProvider(c.context(ctx), c.issuer); err != nil {
		return fmt.Errorf("discovery: %s", shortened(err.Error()))
	}
	if err := c.provider.Claims(&c.metadata); err != nil {
		return err
	}
	c.endpoint = c.provider.Endpoint()
	insecure := allowInsecureHTTP && strings.HasPrefix(c.issuer, "http://")
	for name, address := range map[string]string{
		"token endpoint":                c.endpoint.TokenURL,
		"authorization endpoint":        c.endpoint.AuthURL,
		"device authorization endpoint": c.endpoint.DeviceAuthURL,
		"key set":                       c.metadata.KeySet,
	} {
		if address == "" && name != "token endpoint" {
			continue // the grant that needs it says so
		}
		if err := checkEndpoint(name, address, insecure); err != nil {
			return err
		}
	}
	c.endpoint.AuthStyle = c.authStyle()
	return nil
}

// shortened cuts an error that may have a whole page in it.
func shortened(text string) string {
	const longest = 300
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "…"
}

// shortAnswers cuts off answers that are too long to be a provider's.
type shortAnswers struct{ http.RoundTripper }

// RoundTrip makes the request.
func (s shortAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, longestAnswer)
	}
	return response, err
}

// checkEndpoint refuses addresses to which no secret should be sent.
func checkEndpoint(name, address string, allowInsecureHTTP bool) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("%s %s: want an https URL", name, quoteArgument(address))
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()) && allowInsecureHTTP:
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return fmt.Errorf("%s %s: want an https URL, or --allow-insecure-http with an http issuer", name, quoteArgument(address))
	}
	return fmt.Errorf("%s %s: want an https URL", name, quoteArgument(address))
}

// The ways to send a client's secret (OpenID Connect Core 1.0, section 9).
const (
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
)

// authStyle says how the secret is sent. Left to itself package oauth2 tries
// one way after the other, which shows the secret twice to a provider that
// locks clients out.
func (c *tokenClient) authStyle() oauth2.AuthStyle {
	methods := c.metadata.AuthMethods
	switch {
	case c.secret == "":
		return oauth2.AuthStyleInParams // which sends the client ID alone
	case c.auth == authPost:
		return oauth2.AuthStyleInParams
	case c.auth == authBasic, len(methods) == 0, slices.Contains(methods, authBasic):
		return oauth2.AuthStyleInHeader // what no word about it means
	case slices.Contains(methods, authPost):
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

// context returns a ctx in which go-oidc and oauth2 use the client's own HTTP
// client.
func (c *tokenClient) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, c.http)
}

// config returns what package oauth2 needs for a person's token.
func (c *tokenClient) config(redirectURL string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: c.id, ClientSecret: c.secret, Endpoint: c.endpoint,
		RedirectURL: redirectURL, Scopes: personScopes(c.scopes),
	}
}

// options returns the parameters that every request for a token carries.
func (c *tokenClient) options() []oauth2.AuthCodeOption {
	var options []oauth2.AuthCodeOption
	for name, value := range c.parameter {
		options = append(options, oauth2.SetAuthURLParam(name, value))
	}
	return options
}

// verified returns the token if the ID token that came with it, where there is
// one, is good. A nonce is demanded unless it is empty.
func (c *tokenClient) verified(ctx context.Context, token *oauth2.Token, nonce string) (*oauth2.Token, error) {
	text := idTokenOf(token)
	if text == "" {
		if nonce != "" {
			return nil, errors.New("the provider's answer has no ID token, although openid was asked for")
		}
		return token, nil
	}
	idToken, err := c.provider.Verifier(&oidc.Config{ClientID: c.id}).Verify(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("ID token: %w", err)
	}
	if idToken.Nonce != nonce {
		return nil, errors.New("ID token: the nonce is not the one that was sent")
	}
	if idToken.AccessTokenHash != "" {
		if err := idToken.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, fmt.Errorf("ID token: %w", err)
		}
	}
	return token, nil
}

// authHint says what may be wrong where a provider knows two ways to send a secret and
// does not know the client by the one taken: it lists all that any client may use, and a
// client may be registered for one of them. Which audience it wants of assertions no
// document says.
func (c *tokenClient) authHint(code string) string {
	if code == "invalid_client" && c.key != nil && c.audience == "" {
		return "; the assertion named the token endpoint for its audience: if the provider wants its issuer there, say so with --assertion-audience " + audienceIssuer
	}
	if code != "invalid_client" || c.auth != "" || c.secret == "" || !slices.Contains(c.metadata.AuthMethods, authPost) || !slices.Contains(c.metadata.AuthMethods, authBasic) {
		return ""
	}
	return "; the secret was sent by " + authBasic + ": if the client is registered for " + authPost + ", say so with --client-auth"
}

// basicAuth sends the client's secret in a header.
type basicAuth struct {
	http.RoundTripper
	id, secret string
}

// RoundTrip makes the request.
func (b basicAuth) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.SetBasicAuth(url.QueryEscape(b.id), url.QueryEscape(b.secret)) // RFC 6749, section 2.3.1
	return b.RoundTripper.RoundTrip(r)
}

// providerError says what a provider answered, without the rest of its answer, and
// without the secrets that it was sent: either may repeat these.
func (c *tokenClient) providerError(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		if text := c.withoutSent(err.Error()); text != err.Error() {
			return errors.New(text)
		}
		return err
	}
	text := "the provider refuses"
	if answer.Response != nil {
		text += " with status " + answer.Response.Status
	}
	if answer.ErrorCode != "" {
		text += ": " + quoteArgument(c.withoutSent(answer.ErrorCode))
	}
	if answer.ErrorDescription != "" {
		text += ": " + answer.ErrorDescription
	}
	text += c.authHint(answer.ErrorCode)
	return errors.New(c.withoutSent(text))
}

// shortestSent is the least length of a secret that is looked for: a shorter one is in
// many a word.
const shortestSent = 4

// withoutSent takes out of a text what was sent to the provider and is secret: the secret
// in the form that a header has it, too.
func (c *tokenClient) withoutSent(text string) string {
	secrets := append([]string{c.secret}, c.sent...)
	if c.secret != "" {
		credentials := url.QueryEscape(c.id) + ":" + url.QueryEscape(c.secret)
		secrets = append(secrets, base64.RawStdEncoding.EncodeToString([]byte(credentials)))
	}
	for _, secret := range secrets {
		if len(secret) < shortestSent {
			continue
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			text = strings.ReplaceAll(text, form, "(not shown)")
		}
	}
	return text
}
