package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
)

const (
	// defaultAdminAddr is where the admin listener is unless the file says otherwise.
	defaultAdminAddr = "127.0.0.1:9080"

	// unixPrefix stands before the name of a socket, in place of an address.
	unixPrefix = "unix:"
)

// adminConfig is "admin" of the configuration file.
type adminConfig struct {
	Addr        string       `json:"addr" about:"where it listens, as \"127.0.0.1:9080\", which it does without it, or \"unix:/run/oidcauth/admin\"; an address that other machines reach needs \"tls\""`
	SecretFile  fileName     `json:"secret_file" about:"a file with a secret of 32 characters at least, for Authorization: Bearer; read again when it changes"`
	Bearer      *adminBearer `json:"bearer" about:"whose tokens are as good as the secret"`
	OpenMetrics bool         `json:"open_metrics" about:"true to show /metrics there to whoever reaches it"`
}

// adminBearer says whose tokens count on the admin listener. Issuers are named one by
// one, since a role is what its issuer calls so.
type adminBearer struct {
	Issuers []string `json:"issuers" about:"their issuers, by \"url\"; of a template a tenant's own"`
	Roles   []string `json:"roles" about:"the roles of which one is needed"`
}

// Check implements [members.Checker].
func (b *adminBearer) Check(report func(member, text string)) {
	if len(b.Issuers) == 0 || len(b.Roles) == 0 {
		report("", `want "issuers" and "roles": not everybody with a token is an admin`)
	}
	if slices.Contains(b.Roles, "") {
		report("roles", "a role is empty")
	}
}

// rule is what an admin's claims must satisfy.
func (b *adminBearer) rule() oidcauth.Rule {
	var roles []oidcauth.Rule
	for _, role := range b.Roles {
		roles = append(roles, oidcauth.HasRole(role))
	}
	return oidcauth.All(oidcauth.HasIssuer(b.Issuers...), oidcauth.Any(roles...))
}

// Check implements [members.Checker].
func (c *adminConfig) Check(report func(member, text string)) {
	if c.SecretFile == "" && c.Bearer == nil && !c.OpenMetrics {
		report("", `nobody could use it: want "secret_file", "bearer" or "open_metrics"`)
	}
	if path, isSocket := strings.CutPrefix(c.Addr, unixPrefix); isSocket {
		switch {
		case path == "":
			report("addr", "the socket has no name")
		case path[0] == '@':
			report("addr", "an abstract socket has no mode, and everybody on the machine could open it: write a path, or ./@ for a file of that name")
		case longestSocketName(path) > maxSocketName:
			report("addr", errLongSocketName(path).Error())
		}
		return
	}
	if _, _, err := net.SplitHostPort(c.addr()); err != nil {
		report("addr", "want HOST:PORT, or unix: and the name of a socket")
	}
}

// addr returns where the listener is.
func (c *adminConfig) addr() string { return firstOf(c.Addr, defaultAdminAddr) }

// checkAddr reports an address at which nobody can listen, or that of the main listener;
// of a socket no more is known before it is made than that something else has its name. It
// may be called on nil.
func (c *adminConfig) checkAddr(ctx context.Context, main string) error {
	if c == nil {
		return nil
	}
	if path, isSocket := strings.CutPrefix(c.addr(), unixPrefix); isSocket {
		if _, err := findSocket(path); unlessHidden(err) != nil {
			return fmt.Errorf("admin.addr: %w", err)
		}
		return nil
	}
	if err := checkAddr(ctx, c.addr()); err != nil {
		return fmt.Errorf("admin.addr: %w", err)
	}
	if collide(ctx, c.addr(), main) {
		return usagef("admin.addr: %s is the main listener's, %s: want one of its own", quoteArgument(c.addr()), quoteArgument(main))
	}
	return nil
}

// isLocal reports whether no other machine reaches it.
func (c *adminConfig) isLocal() bool {
	if strings.HasPrefix(c.addr(), unixPrefix) {
		return true
	}
	host, _, err := net.SplitHostPort(c.addr())
	return err == nil && isLoopback(host)
}

// readSecret returns the secret, or nil without one. It may be called on nil.
func (c *adminConfig) readSecret() ([]byte, error) {
	if c == nil || c.SecretFile == "" {
		return nil, nil
	}
	secret, err := readSecret(c.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("admin.secret_file: %w", err)
	}
	asked := &http.Request{Header: http.Header{"Authorization": {"Bearer " + string(secret)}}}
	if _, err := oidcauth.BearerToken(asked); err != nil { // which would never be taken for it
		return nil, fmt.Errorf("admin.secret_file: %s: want a secret of letters, digits and any of -._~+/=, as bearer tokens have them", c.SecretFile)
	}
	return secret, nil
}
