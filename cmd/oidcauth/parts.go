package main

import (
	"context"
	"net"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// parts are what a server has beside the library, each nil if there is none.
type parts struct {
	local  *localissuer.Issuer
	shared *sharedRevocations
}

// openParts opens them, and enters them into the library's configuration.
func openParts(cfg *oidcauth.Config, file *fileConfig) (p parts, err error) {
	if p.local, err = file.LocalIssuer.open(cfg); err != nil {
		return parts{}, usageError{err}
	}
	if p.shared, err = file.Revocations.open(cfg); err == nil {
		err = file.bind(cfg) // where proofs are shared as revocations are
	}
	if err != nil {
		p.close()
		return parts{}, err
	}
	return p, nil
}

// issuers are those that every configuration has in addition to its own.
func (p parts) issuers() []oidcauth.Issuer {
	if p.local == nil {
		return nil
	}
	return []oidcauth.Issuer{p.local.Issuer()}
}

// close closes them, after the library.
func (p parts) close() {
	p.shared.close()
	if p.local != nil {
		p.local.Close()
	}
}

// newServer returns the server that listens at addr.
func (f *serveFlags) newServer(ctx context.Context, cfg oidcauth.Config, file *fileConfig, p parts, addr net.Addr) (*server, error) {
	s, err := newServer(cfg, file, firstOf(file.Resource, baseURL(file, addr)))
	if err != nil {
		return nil, usageError{f.whichIssuers(cfg, err)}
	}
	s.revocations = p.shared
	if p.local != nil {
		if s.local, err = newLocalRoutes(s, p.local, file.LocalIssuer, ownOrigin(file.Resource)); err != nil {
			return nil, usageError{err}
		}
	}
	if s.admin, err = newAdmin(ctx, s, file.Admin); err != nil {
		return nil, err
	}
	if !s.keeps && (s.admin != nil || s.logout) {
		s.log.Warn(`revocations and logouts are in memory alone: a restart forgets them ("revocations": "dir" keeps them)`)
	}
	return s, nil
}
