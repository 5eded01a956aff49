// Package userinfo asks an issuer's UserInfo endpoint (OpenID Connect Core 1.0,
// section 5.3) for roles and claims that its access tokens do not hold.
package userinfo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/quote"
	"github.com/oidcauth/oidcauth/internal/supplement"
)

// maxBytes bounds what is read of an answer, of which only some claims are kept.
const maxBytes = 256 << 10

// Supplement returns a function for [oidcauth.Issuer.Supplement] that presents the
// token at the endpoint, "userinfo_endpoint" in the issuer's discovery document, and
// hands over the claims named, as far as they are there. The endpoint takes access
// tokens with the scope openid: of an issuer whose ID tokens are accepted every
// question fails, or worse, is answered with 401.
//
// The answer must be about the token's own "sub", to the byte (section 5.3.4), and
// JSON; a signed one is refused. 401 refuses the token with [oidcauth.ErrRevoked],
// since the library has checked it before: its issuer says that it is good no longer.
// Everything else is [oidcauth.ErrAnswerUnavailable], with its Retry-After, and so is 401
// for a token that is bound to a key or a certificate: the endpoint wants that to be
// proved, and nobody but the caller can prove it. An issuer of such tokens has to be asked
// otherwise.
//
// The client's Transport is used, and its redirects, cookies and timeout are not: the context
// ends a question. Nil, or no Transport, means what [http.DefaultTransport] is, with pings for
// HTTP/2, so that a connection that is dead is not used for long. Give a Transport of yours
// HTTP2.SendPingTimeout, too. An answer has 256 KiB at most. An error is returned for an
// endpoint without https, and for no claims, one without a name, one that is named twice, or
// one that no supplement may have, such as "sub".
func Supplement(client *http.Client, endpoint string, claims ...string) (func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error), error) {
	request, err := http.NewRequest(http.MethodGet, endpoint, nil)
	switch {
	case err != nil || request.URL.Scheme != "https" || request.URL.Host == "" || request.URL.User != nil || request.URL.Fragment != "":
		return nil, fmt.Errorf("userinfo: endpoint %s: want an https URL", quote.Address(endpoint))
	case len(claims) == 0:
		return nil, errors.New("userinfo: no claims named: say which to take over")
	}
	for i, name := range claims {
		switch {
		case name == "":
			return nil, errors.New("userinfo: a claim has no name: say which to take over")
		case slices.Contains(supplement.Registered, name):
			return nil, fmt.Errorf("userinfo: claim %q is for the token alone to say", name)
		case slices.Contains(claims[:i], name):
			return nil, fmt.Errorf("userinfo: claim %q is named twice, which no answer may have: name it once", name)
		}
	}
	request.Header.Set("Accept", "application/json")
	a := asker{client: http.Client{CheckRedirect: noRedirect, Transport: fetch.Transport(client)}, request: request, claims: slices.Clone(claims)}
	return a.ask, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

type asker struct {
	client  http.Client
	request *http.Request // without a token
	claims  []string
}

// ask presents the token at the endpoint.
func (a *asker) ask(ctx context.Context, c *oidcauth.Claims, token string) (json.RawMessage, error) {
	if ctx == nil {
		return nil, errors.New("userinfo: got a nil context")
	}
	r := a.request.Clone(ctx)
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := a.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", quote.Error(quote.WithoutURL(err)))
	}
	defer answer.Body.Close()
	switch media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); {
	case answer.StatusCode == http.StatusUnauthorized && isBound(c):
		return nil, errors.New("userinfo: got status 401 for a token that is bound to a key or a certificate, which this server cannot prove to have")
	case answer.StatusCode == http.StatusUnauthorized:
		return nil, fmt.Errorf("%w, says the userinfo endpoint", oidcauth.ErrRevoked)
	case answer.StatusCode != http.StatusOK:
		return nil, fetch.Busy(fmt.Errorf("userinfo: got status %d, want 200", answer.StatusCode), answer.Header)
	case media != "application/json":
		return nil, fmt.Errorf("userinfo: got %s, want application/json", quote.Value(media))
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("userinfo: %w", quote.Error(err))
	case len(body) > maxBytes:
		return nil, fmt.Errorf("userinfo: got more than %d bytes", maxBytes)
	}
	return a.choose(c, string(body))
}

// isBound reports whether it takes more than the token to present it (RFC 7800, section 3.1).
func isBound(c *oidcauth.Claims) bool {
	_, bound := c.Lookup("cnf")
	return bound
}

// choose takes the claims named out of an answer about the token's subject.
func (a *asker) choose(c *oidcauth.Claims, body string) (json.RawMessage, error) {
	members, err := jws.ParseObject(nil, body)
	if err != nil {
		return nil, fmt.Errorf("userinfo: %s", jws.Rule(err))
	}
	if sub, found := jws.Find(members, "sub"); !found || !isSubjectOf(c, sub) {
		return nil, errors.New("userinfo: the answer is not about the token's subject")
	}
	var chosen []string
	for _, name := range a.claims {
		if m, found := jws.Find(members, name); found {
			quoted, _ := json.Marshal(name) // which no text fails
			chosen = append(chosen, string(quoted)+":"+m.Value)
		}
	}
	return json.RawMessage("{" + strings.Join(chosen, ",") + "}"), nil
}

// isSubjectOf reports whether sub is the token's own: the same text, or the same
// number in the same digits ([oidcauth.Issuer.NumericSubject]).
func isSubjectOf(c *oidcauth.Claims, sub jws.Member) bool {
	if sub.Kind == jws.Number {
		want, has := c.Lookup("sub")
		return has && sub.Value == string(want)
	}
	about, err := sub.Text()
	want, has := c.LookupString("sub")
	return err == nil && has && about == want
}
