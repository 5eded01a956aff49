package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth"
)

// whoamiAnswer is the body of GET /v1/whoami.
type whoamiAnswer struct {
	Identity  string          `json:"identity"`
	Issuer    string          `json:"issuer"`
	Subject   string          `json:"subject"`
	Audience  []string        `json:"audience"`
	ExpiresAt *time.Time      `json:"expires_at"` // null when the token does not expire
	Roles     []string        `json:"roles"`      // from wherever the issuer's description says
	Scopes    []string        `json:"scopes"`
	Claims    json.RawMessage `json:"claims"` // the payload, as the issuer signed it
}

// whoami shows the bearer of a token what it says.
func whoami(w http.ResponseWriter, _ *http.Request, claims *oidcauth.Claims) {
	writeJSON(w, http.StatusOK, whoamiAnswer{
		Identity:  claims.Identity().String(),
		Issuer:    claims.Issuer(),
		Subject:   claims.Subject(),
		Audience:  slices.AppendSeq([]string{}, claims.Audience()),
		ExpiresAt: expiresAt(claims.Expiry()),
		Roles:     slices.AppendSeq([]string{}, claims.Roles()),
		Scopes:    slices.AppendSeq([]string{}, claims.Scopes()),
		Claims:    claims.Payload(),
	})
}
