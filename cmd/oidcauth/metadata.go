package main

import (
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
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

// serveMetadata answers with the metadata, and the issuers of now.
func (s *server) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	m := *s.metadata
	m.AuthorizationServers = s.live.Load().addresses
	writeJSON(w, http.StatusOK, m)
}

// isLoopback reports whether host is this machine's own.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
