package main

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// places says where a request's token may stand besides the Authorization header.
type places struct {
	// IgnoreAuthorization leaves the Authorization header to whom it is for, where a
	// proxy hands the token on in a header of its own.
	IgnoreAuthorization bool `json:"ignore_authorization" about:"true to look into that header not at all"`

	// Headers are those of proxies, such as "Cf-Access-Jwt-Assertion".
	Headers []string `json:"headers" about:"those of a proxy, as \"Cf-Access-Jwt-Assertion\""`

	// Subprotocol is the form of [oidcauth.SubprotocolToken].
	Subprotocol bool `json:"subprotocol" about:"true for [\"…\", \"bearer.\" + base64url(token)]"`

	// SubprotocolPrefixes and SubprotocolNames are what stands before the token in
	// one WebSocket subprotocol, and as the one before it.
	SubprotocolPrefixes []string `json:"subprotocol_prefixes" about:"what stands before the token in one subprotocol"`
	SubprotocolNames    []string `json:"subprotocol_names" about:"the subprotocol before the token, as in [\"bearer\", token]"`

	// SubprotocolJWT is a subprotocol that is a JWT by itself.
	SubprotocolJWT bool `json:"subprotocol_jwt" about:"true for [token]"`

	// Cookie is a cookie, for pages of its origins alone.
	Cookie *cookiePlace `json:"cookie" about:"a cookie, for pages of its origins"`

	// Query is the name of a query parameter.
	Query string `json:"query" about:"the name of a query parameter"`
}

// Check implements [members.Checker].
func (p *places) Check(report func(member, text string)) {
	if slices.Contains(p.SubprotocolPrefixes, "") {
		report("subprotocol_prefixes", `a prefix is empty; for a subprotocol that is a JWT by itself write "subprotocol_jwt"`)
	}
	if p.extractor() == nil {
		report("", "the Authorization header is ignored and nothing else is named")
	}
}

// cookiePlace is a cookie with the token, as [oidcauth.CookieToken] has it.
type cookiePlace struct {
	Name    string   `json:"name" about:"the cookie's name"`
	Origins []string `json:"origins" about:"those of the pages that may use it, as \"https://app.example.com\""`
}

// extractor returns what takes the token out of a request; nil stands for the
// Authorization header alone. It may be called on nil.
func (p *places) extractor() oidcauth.Extractor {
	if p == nil {
		return nil
	}
	var all []oidcauth.Extractor
	if !p.IgnoreAuthorization {
		all = append(all, oidcauth.BearerToken)
	}
	for _, name := range p.Headers {
		all = append(all, oidcauth.HeaderToken(name))
	}
	if p.Subprotocol {
		all = append(all, oidcauth.SubprotocolToken)
	}
	for _, prefix := range p.SubprotocolPrefixes {
		all = append(all, oidcauth.SubprotocolForm(prefix, false))
	}
	for _, name := range p.SubprotocolNames {
		all = append(all, oidcauth.SubprotocolForm(name, true))
	}
	if p.SubprotocolJWT {
		all = append(all, oidcauth.SubprotocolForm("", false))
	}
	if p.Cookie != nil {
		all = append(all, oidcauth.CookieToken(p.Cookie.Name, p.Cookie.Origins...))
	}
	if p.Query != "" {
		all = append(all, oidcauth.QueryToken(p.Query))
	}
	if len(all) == 0 {
		return nil
	}
	return oidcauth.FirstOf(all...)
}
