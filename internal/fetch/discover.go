package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/oidcauth/oidcauth/internal/quote"
)

const wellKnown = "/.well-known/openid-configuration"

// Metadata is what the library takes from a discovery document.
type Metadata struct {
	Issuer  string
	JWKSURL string
}

// DiscoveryURL is where the discovery document of issuer stands: one trailing
// slash is cut, and only one (OpenID Connect Discovery 1.0, section 4.1).
func DiscoveryURL(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + wellKnown
}

// Discover fetches the discovery document of issuer, from discoveryURL or, if
// that is empty, from [DiscoveryURL]. The document's issuer must equal issuer or
// one of the aliases byte for byte (RFC 8414, section 3.3): an issuer that is being
// renamed goes by several names. Its jwks_uri must be a URL that the
// client would request, https if the issuer or the document came by https.
//
// A provider of many tenants states a template, such as
// "https://login.microsoftonline.com/{tenantid}/v2.0", wherever the document is
// fetched from. Give that template as issuer, together with a discoveryURL: it
// is then what the document must state, and binding it to a token's tenant is
// the caller's duty.
//
// The provider of go-oidc is not used here, because it matches member names
// without regard to case and fails on a string where an array is expected.
func (c *Client) Discover(ctx context.Context, issuer, discoveryURL string, aliases ...string) (Metadata, error) {
	m, err := c.discover(ctx, issuer, discoveryURL, aliases)
	if err != nil {
		return Metadata{}, c.outward(err)
	}
	return m, nil
}

func (c *Client) discover(ctx context.Context, issuer, discoveryURL string, aliases []string) (Metadata, error) {
	if discoveryURL == "" {
		if err := c.CheckURL(issuer); err != nil {
			return Metadata{}, err
		}
		if strings.Contains(issuer, "?") {
			return Metadata{}, fmt.Errorf("%w: issuer %s contains a query", ErrURL, quote.Address(issuer))
		}
		discoveryURL = DiscoveryURL(issuer)
	}
	resp, err := c.get(ctx, discoveryURL, Request{Member: "issuer"})
	if err != nil {
		return Metadata{}, err
	}
	m, err := parseMetadata(resp.Body)
	if err != nil {
		return Metadata{}, err
	}
	if m.Issuer != issuer && !slices.Contains(aliases, m.Issuer) {
		return Metadata{}, fmt.Errorf("%w: issuer is %s, want %s", ErrOtherIssuer, quote.Address(m.Issuer), quote.Address(issuer))
	}
	if err := c.checkJWKSURL(m.JWKSURL, issuer, discoveryURL); err != nil {
		return Metadata{}, err
	}
	return m, nil
}

// checkJWKSURL sees to it that the keys travel at least as safely as what named
// them.
func (c *Client) checkJWKSURL(jwksURL, issuer, discoveryURL string) error {
	u, err := c.parseURL(jwksURL)
	if err != nil {
		return fmt.Errorf("%w: jwks_uri: %w; or set JWKSURL to the whole address of the keys", ErrDiscovery, err)
	}
	if u.Scheme != "https" && (IsHTTPS(issuer) || IsHTTPS(discoveryURL)) {
		return fmt.Errorf("%w: jwks_uri %s is not https, as the issuer is: set JWKSURL to where this server reaches the keys", ErrDiscovery, show(u))
	}
	return nil
}

// IsHTTPS reports whether an address is one of https, in whatever case it is written.
func IsHTTPS(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "https"
}

// parseMetadata reads the members it needs by their exact names, and looks at no
// other member's value. A name that occurs twice is refused, whichever it is.
func parseMetadata(body []byte) (Metadata, error) {
	members, err := topLevel(body)
	if err != nil {
		return Metadata{}, fmt.Errorf("%w: %w", ErrDiscovery, err)
	}
	var m Metadata
	if m.Issuer, err = stringMember(members, "issuer"); err != nil {
		return Metadata{}, err
	}
	if m.JWKSURL, err = stringMember(members, "jwks_uri"); err != nil {
		return Metadata{}, err
	}
	return m, nil
}

// topLevel returns the members of the JSON object that body consists of.
func topLevel(body []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("not UTF-8")
	}
	// Also bounds the depth and refuses anything after the value.
	if !json.Valid(body) {
		return nil, errors.New("not JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, errors.New("not JSON")
		}
		name, _ := token.(string)
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("member %s occurs twice", quote.Value(name))
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errors.New("not JSON")
		}
		members[name] = value
	}
	return members, nil
}

// stringMember returns the string that is the value of the named member.
func stringMember(members map[string]json.RawMessage, name string) (string, error) {
	raw, ok := members[name]
	if !ok {
		return "", fmt.Errorf("%w: no member %q", ErrDiscovery, name)
	}
	var s *string
	if err := json.Unmarshal(raw, &s); err != nil || s == nil || *s == "" {
		return "", fmt.Errorf("%w: %s is not a string, or empty", ErrDiscovery, name)
	}
	return *s, nil
}
