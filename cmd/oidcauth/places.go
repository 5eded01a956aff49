package main

import (
	"errors"

	"github.com/oidcauth/oidcauth"
)

// places says where a request's token may stand besides the Authorization header.
type places struct {
	// IgnoreAuthorization leaves the Authorization header to whom it is for, where a
	// proxy hands the token on in a header of its own.
	IgnoreAuthorization bool `json:"ignore_authorization"`

	// Headers are those of proxies, such as "Cf-Access-Jwt-Assertion".
	Headers []string `json:"headers"`

	// Subprotocol is the form of [oidcauth.SubprotocolToken].
	Subprotocol bool `json:"subprotocol"`

	// SubprotocolPrefixes and SubprotocolNames are what stands before the token in
	// one WebSocket subprotocol, and as the one before it.
	SubprotocolPrefixes []string `json:"subprotocol_prefixes"`
	SubprotocolNames    []string `json:"subprotocol_names"`

	// SubprotocolJWT is a subprotocol that is a JWT by itself.
	SubprotocolJWT bool `json:"subprotocol_jwt"`

	// Query is the name of a query parameter.
	Query string `json:"query"`
}

// extractor returns what takes the token out of a request; nil stands for the
// Authorization header alone. It may be called on nil.
func (p *places) extractor() (oidcauth.Extractor, error) {
	if p == nil {
		return nil, nil
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
		if prefix == "" {
			return nil, errors.New(`"token_places": a prefix is empty; for a subprotocol that is a JWT by itself write "subprotocol_jwt"`)
		}
		all = append(all, oidcauth.SubprotocolForm(prefix, false))
	}
	for _, name := range p.SubprotocolNames {
		all = append(all, oidcauth.SubprotocolForm(name, true))
	}
	if p.SubprotocolJWT {
		all = append(all, oidcauth.SubprotocolForm("", false))
	}
	if p.Query != "" {
		all = append(all, oidcauth.QueryToken(p.Query))
	}
	if len(all) == 0 {
		return nil, errors.New(`"token_places": the Authorization header is ignored and nothing else is named`)
	}
	return oidcauth.FirstOf(all...), nil
}
