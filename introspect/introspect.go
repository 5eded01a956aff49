// Package introspect asks an issuer what its opaque tokens stand for (OAuth 2.0 Token
// Introspection, RFC 7662), for [oidcauth.Issuer.Introspect]. That shares questions,
// bounds them and judges the answers; this package puts one question to the endpoint,
// and hands over what was answered as it stands.
package introspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/quote"
)

const (
	// maxBytes bounds what is read of an answer. What the library takes is bounded by
	// [oidcauth.Config.MaxTokenBytes] besides.
	maxBytes = 64 << 10

	// timeout bounds a question where nobody else does.
	timeout = 5 * time.Second
)

// A Config says whom to ask, and how this server proves who it is: the endpoint tells
// nothing to strangers (RFC 7662, section 2.1). Without ClientID, the Client's
// Transport or the network has to see to that.
type Config struct {
	// Issuer is the issuer's URL, whose discovery document has the
	// "introspection_endpoint". It is read at the first question, and again after an
	// hour. Needed only without Endpoint.
	Issuer string

	// Endpoint is the address to ask at, in place of discovery. It is https, unless one
	// of the settings below permits http.
	Endpoint string

	// ClientID is this server's at the issuer. With a secret it goes into the
	// Authorization header (client_secret_basic), both encoded as RFC 6749, section
	// 2.3.1, has it; without one it is a part of the form, as mutual TLS (RFC 8705) and
	// signed assertions (RFC 7523) want it.
	ClientID string

	// ClientSecret is the secret. ClientSecretFile is a file that has it instead, read
	// at each question so that it may be renewed; a line break at its end is not part
	// of it. One of them at most.
	ClientSecret     string
	ClientSecretFile string

	// SecretInBody sends ClientID and secret in the form (client_secret_post), for
	// endpoints that do not take the header.
	SecretInBody bool

	// Form returns what else belongs into the form of each question: a
	// "client_assertion" with its type, for instance. With one of "token",
	// "token_type_hint", "client_id" and "client_secret" each question fails. It must return
	// when its context ends and be safe for concurrent use. Nil adds nothing.
	Form func(context.Context) (url.Values, error)

	// Client makes the requests: its Transport, with the certificate of mutual TLS or
	// whatever else the endpoint wants. Its redirects, cookies and timeout are not
	// used. Nil, or no Transport, means what [http.DefaultTransport] is, with pings for
	// HTTP/2, so that a connection that is dead is not used for long. Give a Transport of
	// yours HTTP2.SendPingTimeout, too.
	Client *http.Client

	// InsecureHTTP permits http on the loopback interface, and InsecureHTTPHosts permits
	// it to further hosts, as in [oidcauth.KeysFrom]: Ory Hydra's administrative address
	// inside a cluster, for instance. Whoever can answer in such a host's place decides
	// who everybody is, and sees the tokens.
	InsecureHTTP      bool
	InsecureHTTPHosts []string
}

// Format prints the configuration without ClientSecret, whatever the verb.
func (c Config) Format(f fmt.State, verb rune) {
	type config Config // without this method
	c.ClientSecret = ""
	fmt.Fprintf(f, fmt.FormatString(f, verb), config(c))
}

// New returns a function for [oidcauth.Issuer.Introspect], which is safe for concurrent
// use. It makes no request. The error is about cfg: neither Issuer nor Endpoint, an
// address that is not https, two secrets, or a secret without ClientID.
//
// A question is a POST with the token in its form, never in the address, in 5 seconds
// and without following redirects. Only an answer with status 200 and
// application/json, of 64 KiB at most, is one; a signed answer (RFC 9701) is refused
// with the advice to have the issuer send plain JSON. All else is an error, and says
// nothing about the token: 401 is about this server's credentials. One of another status,
// or of a discovery document that cannot be had, hands Retry-After on. No error holds the
// token, the secret or anything of the body.
func New(cfg Config) (func(ctx context.Context, token string) (json.RawMessage, error), error) {
	documents, err := fetch.New(fetch.Config{
		HTTP: untimed(cfg.Client), Timeout: timeout, InsecureHTTP: cfg.InsecureHTTP, InsecureHTTPHosts: cfg.InsecureHTTPHosts,
	})
	if err != nil {
		return nil, fmt.Errorf("introspect: %w", err)
	}
	if err := cfg.check(documents); err != nil {
		return nil, fmt.Errorf("introspect: %w", err)
	}
	a := &asker{cfg: cfg, client: http.Client{CheckRedirect: noRedirect, Transport: fetch.Transport(cfg.Client)}}
	if cfg.Endpoint == "" {
		a.found = newDiscovery(documents, cfg.Issuer)
	}
	return a.ask, nil
}

// untimed returns a client without its limit of time, nil for none.
func untimed(c *http.Client) *http.Client {
	if c == nil {
		return nil
	}
	return &http.Client{Transport: c.Transport}
}

// check reports the first contradiction.
func (c *Config) check(documents *fetch.Client) error {
	secret := c.ClientSecret != "" || c.ClientSecretFile != ""
	switch {
	case c.Endpoint == "" && c.Issuer == "":
		return errors.New("neither Endpoint nor Issuer is set: say whom to ask")
	case c.ClientSecret != "" && c.ClientSecretFile != "":
		return errors.New("both ClientSecret and ClientSecretFile are set")
	case secret && c.ClientID == "":
		return errors.New("a secret without ClientID")
	case c.SecretInBody && !secret:
		return errors.New("SecretInBody without ClientSecret or ClientSecretFile")
	}
	field, address := "Endpoint", c.Endpoint
	if address == "" {
		field, address = "Issuer", c.Issuer
	}
	if err := documents.CheckURL(address); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	_, err := c.secret()
	return err
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// An asker puts questions to one endpoint.
type asker struct {
	cfg    Config
	client http.Client
	found  *discovery // nil where the endpoint is configured
}

// ask is what New returns.
func (a *asker) ask(ctx context.Context, token string) (json.RawMessage, error) {
	if ctx == nil {
		return nil, errors.New("introspect: got a nil context")
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := a.request(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("introspect: %w", err)
	}
	answer, err := a.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("introspect: %w", quote.Error(quote.WithoutURL(err)))
	}
	defer answer.Body.Close()
	if err := checkHead(answer); err != nil {
		return nil, fmt.Errorf("introspect: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("introspect: reading the answer: %w", quote.Error(err))
	case len(body) > maxBytes:
		return nil, fmt.Errorf("introspect: got more than %d bytes", maxBytes)
	}
	return body, nil
}

// checkHead refuses what is no answer.
func checkHead(answer *http.Response) error {
	media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch status := answer.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("got status %d: the endpoint does not accept this server's credentials", status)
	case status >= 300 && status < 400:
		return fmt.Errorf("got status %d: a redirect is not followed: set Endpoint to where it leads", status)
	case status != http.StatusOK:
		return fetch.Busy(fmt.Errorf("got status %d, want 200", status), answer.Header)
	case media == "application/token-introspection+jwt" || media == "application/jwt":
		return errors.New("got a signed answer (RFC 9701), want application/json: have the issuer leave out introspection_signed_response_alg for this client")
	case media != "application/json":
		return fmt.Errorf("got content type %s, want application/json", quote.Value(media))
	}
	return nil
}

// request is the question about a token.
func (a *asker) request(ctx context.Context, token string) (*http.Request, error) {
	endpoint := a.cfg.Endpoint
	if a.found != nil {
		var err error
		if endpoint, err = a.found.endpoint(ctx); err != nil {
			return nil, err
		}
	}
	form, err := a.form(ctx, token)
	if err != nil {
		return nil, err
	}
	secret, err := a.cfg.secret()
	if err != nil {
		return nil, err
	}
	if a.cfg.SecretInBody {
		form.Set("client_secret", secret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, quote.WithoutURL(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if secret != "" && !a.cfg.SecretInBody {
		r.SetBasicAuth(url.QueryEscape(a.cfg.ClientID), url.QueryEscape(secret))
	}
	return r, nil
}

// own are the members of the form that are not for others to set.
var own = []string{"token", "token_type_hint", "client_id", "client_secret"}

// form returns what is sent, without a secret.
func (a *asker) form(ctx context.Context, token string) (url.Values, error) {
	form := url.Values{}
	if a.cfg.Form != nil {
		more, err := a.cfg.Form(ctx)
		if err != nil {
			return nil, err
		}
		for name, values := range more {
			form[name] = values
		}
	}
	for _, name := range own {
		if form.Has(name) {
			return nil, fmt.Errorf("the form has %q by Form, which is not for it to say", name)
		}
	}
	form.Set("token", token)
	form.Set("token_type_hint", "access_token")
	if a.cfg.ClientID != "" && (a.cfg.SecretInBody || !a.cfg.hasSecret()) {
		form.Set("client_id", a.cfg.ClientID)
	}
	return form, nil
}

func (c *Config) hasSecret() bool { return c.ClientSecret != "" || c.ClientSecretFile != "" }
