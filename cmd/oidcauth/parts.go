package main

import (
	"errors"
	"net"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// parts are what a server has beside the library, each nil if there is none.
type parts struct {
	local  *localissuer.Issuer
	shared *sharedRevocations
	lines  *logLines
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

// newServer returns a server at addr that is ready to serve, once its admin listener is
// open. It listens nowhere, and writes nothing but to the directories that cfg names.
func (f *serveFlags) newServer(cfg oidcauth.Config, file *fileConfig, p parts, addr net.Addr) (*server, error) {
	resource, err := file.resourceAt(addr)
	if err != nil {
		return nil, err
	}
	s, err := newServer(cfg, file, resource)
	if err != nil {
		return nil, usageError{f.whichIssuers(cfg, err)}
	}
	s.revocations = p.shared
	s.metrics.more = append(s.metrics.more, p.shared.write, p.lines.write)
	if p.local != nil {
		s.local, err = newLocalRoutes(s, p.local, file.LocalIssuer, ownOrigin(file.Resource))
	}
	if err == nil {
		s.admin, err = newAdmin(s, file.Admin)
	}
	if err == nil {
		err = s.checkRoutes()
	}
	if err != nil {
		return nil, usageError{errors.Join(err, s.auth.Close())}
	}
	if !s.keeps && (s.admin != nil || s.logout) {
		s.log.Warn(`revocations and logouts are in memory alone: a restart forgets them ("revocations": "dir" keeps them)`)
	}
	return s, nil
}

// resourceAt returns the address by which clients know a server at addr; nothing where
// nobody can tell.
func (file *fileConfig) resourceAt(addr net.Addr) (string, error) {
	if file.Resource != "" {
		return file.Resource, nil
	}
	address := baseURL(file, addr)
	if address == "" {
		return "", nil
	}
	if _, err := newMetadata(address); err != nil {
		return "", usagef("clients would know this server as %s, over a network and without TLS: give the address that they use, with --resource or as \"resource\" in the file", address)
	}
	return address, nil
}
