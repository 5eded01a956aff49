package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/proxied"
)

// forwardHeaders are the names of the headers that tell the service behind a proxy who
// is calling; an empty name leaves the header out.
type forwardHeaders struct {
	// Identity, Issuer and Subject are there without being named: see
	// [defaultHeaders].
	Identity *string `json:"identity" about:"without it X-Auth-Identity; \"\" for none"`
	Issuer   *string `json:"issuer" about:"without it X-Auth-Issuer; \"\" for none"`
	Subject  *string `json:"subject" about:"without it X-Auth-Subject; \"\" for none"`

	// Expiry is in seconds since 1970, empty for a token that never expires. Roles and
	// Scopes are lists, separated by commas.
	Expiry string `json:"expiry" about:"the token's end in seconds since 1970"`
	Roles  string `json:"roles" about:"the roles, separated by commas"`
	Scopes string `json:"scopes" about:"the scopes, separated by commas"`

	// Claims are further claims of the token by the header that each gets.
	Claims map[string]oidcauth.Path `json:"claims" about:"further claims by the header that each gets, as {\"X-Auth-Email\": [\"email\"]}"`

	// JSON is a header with all of it in one JSON object.
	JSON string `json:"json" about:"all of it as one JSON object"`
}

// defaultHeaders are those that need not be named.
var defaultHeaders = map[string]string{"identity": "X-Auth-Identity", "issuer": "X-Auth-Issuer", "subject": "X-Auth-Subject"}

// An answerHeader is one header of the answer to a proxy.
type answerHeader struct {
	name  string
	value func(*oidcauth.Claims) string
}

// list returns the headers in the order of their names. Each of them is in every
// answer that lets a request pass, so that none of a client's gets through.
func (h *forwardHeaders) list() ([]answerHeader, error) {
	all := []answerHeader{
		{named(h.Identity, "identity"), func(c *oidcauth.Claims) string { return c.Identity().String() }},
		{named(h.Issuer, "issuer"), func(c *oidcauth.Claims) string { return proxied.Value(c.Issuer()) }},
		{named(h.Subject, "subject"), func(c *oidcauth.Claims) string { return proxied.Value(c.Subject()) }},
		{h.Expiry, func(c *oidcauth.Claims) string { return unixText(c.Expiry()) }},
		{h.Roles, func(c *oidcauth.Claims) string { return proxied.List(c.Roles()) }},
		{h.Scopes, func(c *oidcauth.Claims) string { return proxied.List(c.Scopes()) }},
		{h.JSON, h.object},
	}
	for _, name := range slices.Sorted(maps.Keys(h.Claims)) {
		path := h.Claims[name]
		if name == "" || !path.IsValid() {
			return nil, fmt.Errorf("claims: header %s: want a name, and the names that lead to the claim", quoteArgument(name))
		}
		all = append(all, answerHeader{name, func(c *oidcauth.Claims) string { return claimText(c, path) }})
	}
	all = slices.DeleteFunc(all, func(a answerHeader) bool { return a.name == "" })
	taken := make(map[string]bool)
	for i := range all {
		if err := proxied.CheckName(all[i].name); err != nil {
			return nil, fmt.Errorf("header %s: %w", quoteArgument(all[i].name), err)
		}
		all[i].name = textproto.CanonicalMIMEHeaderKey(all[i].name)
		if taken[all[i].name] {
			return nil, fmt.Errorf("header %s: named for two values", all[i].name)
		}
		taken[all[i].name] = true
	}
	return all, nil
}

// namesOf returns the names of headers.
func namesOf(headers []answerHeader) proxied.Names {
	var names []string
	for _, h := range headers {
		names = append(names, h.name)
	}
	return proxied.NamesOf(names...)
}

// named returns the name that a header is given, or the default one.
func named(name *string, what string) string {
	if name == nil {
		return defaultHeaders[what]
	}
	return *name
}

// unixText returns a time in seconds since 1970, or nothing for the zero time.
func unixText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// claimText returns a claim as a list of its values: a string, a number, a boolean, or
// the strings of an array. A claim of another shape has none.
func claimText(c *oidcauth.Claims, path oidcauth.Path) string {
	raw, _ := c.Lookup(path...)
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return ""
	}
	switch value := value.(type) {
	case string:
		return proxied.List(slices.Values([]string{value}))
	case bool, float64:
		return string(raw)
	case []any:
		var values []string
		for _, v := range value {
			text, ok := v.(string)
			if !ok {
				return ""
			}
			values = append(values, text)
		}
		return proxied.List(slices.Values(values))
	}
	return ""
}

// object returns all that is known of the caller as one JSON object in ASCII.
func (h *forwardHeaders) object(c *oidcauth.Claims) string {
	claims := make(map[string]json.RawMessage)
	for _, path := range h.Claims {
		if raw, found := c.Lookup(path...); found {
			claims[path.String()] = raw
		}
	}
	body, err := json.Marshal(struct {
		Identity  string                     `json:"identity"`
		Issuer    string                     `json:"issuer"`
		Subject   string                     `json:"subject"`
		ExpiresAt *time.Time                 `json:"expires_at"`
		Roles     []string                   `json:"roles"`
		Scopes    []string                   `json:"scopes"`
		Claims    map[string]json.RawMessage `json:"claims,omitempty"`
	}{
		c.Identity().String(), c.Issuer(), c.Subject(), expiresAt(c.Expiry()),
		slices.AppendSeq([]string{}, c.Roles()), slices.AppendSeq([]string{}, c.Scopes()), claims,
	})
	if err != nil {
		return "" // no claims that were read as JSON once
	}
	return asciiJSON(string(body))
}

// asciiJSON writes what is not visible ASCII in a JSON text as escapes. Outside of
// strings package json writes neither spaces nor anything else that is not.
func asciiJSON(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r >= ' ' && r < 0x7f:
			out.WriteRune(r)
		case r <= 0xffff && utf8.ValidRune(r):
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return out.String()
}
