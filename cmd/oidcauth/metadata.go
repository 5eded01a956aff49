package main

import (
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
)

// metadataPath is where protected resource metadata is (RFC 9728, section 3).
const metadataPath = "/.well-known/oauth-protected-resource"

// metadata is the protected resource metadata and where it is served.
type metadata struct {
	url  string // for the challenge
	path string // of the route

	Resource               string   `json:"resource"`
	AuthorizationServers   []string `json:"authorization_servers,omitempty"`
	BearerMethodsSupported []string `json:"bearer_methods_supported"`

	// How possession is proved of what tokens are bound to (RFC 9728, section 2).
	ProofAlgorithms []string `json:"dpop_signing_alg_values_supported,omitempty"`
	ProofsRequired  bool     `json:"dpop_bound_access_tokens_required,omitempty"`
	Certificates    bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
}

// newMetadata returns the metadata of the resource with the given URL.
func newMetadata(resource string) (*metadata, error) {
	u, err := url.Parse(resource)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, usagef("resource %s: want an https URL, or an http URL on the loopback interface", quoteArgument(resource))
	case u.Host == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "":
		return nil, usagef("resource %s: want scheme, host and path only", quoteArgument(resource))
	case strings.ContainsAny(u.Path, "{}"):
		return nil, usagef("resource %s: braces in the path are not supported", quoteArgument(resource))
	}
	// RFC 9728, section 3.1: the well-known part goes between host and path.
	at := *u
	at.Path, at.RawPath = metadataPath+strings.TrimSuffix(u.Path, "/"), ""
	if path.Clean(at.Path) != at.Path {
		return nil, usagef("resource %s: want a path without empty parts, \".\" and \"..\"", quoteArgument(resource))
	}
	return &metadata{
		url:                    at.String(),
		path:                   at.Path,
		Resource:               resource,
		BearerMethodsSupported: []string{"header"},
	}, nil
}

// serveMetadata answers with the metadata, and the issuers of now. Pages of every origin
// may read it: a client that is one finds its provider by it, and it is no secret.
func (s *server) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	m, now := *s.metadata, s.live.Load()
	m.AuthorizationServers, m.ProofsRequired = now.addresses, now.proofsRequired
	w.Header().Set("Access-Control-Allow-Origin", "*")
	writeJSON(w, http.StatusOK, m)
}

// proofsRequired reports whether nobody is let in without a proof by a key (RFC 9449).
func proofsRequired(cfg oidcauth.Config) bool {
	unbound := func(i oidcauth.Issuer) bool { return i.Bound != "require" }
	return cfg.DPoP != nil && cfg.Certificate == nil && cfg.AnyIssuer == nil && !slices.ContainsFunc(cfg.Issuers, unbound)
}

// isLoopback reports whether host is this machine's own.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
