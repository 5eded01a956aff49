package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// check says whether the configuration is right, all that is wrong with it at once,
// as far as that is known without the network. It makes no files, and listens nowhere.
func (f *serveFlags) check(ctx context.Context, std streams) error {
	cfg, file, err := f.library()
	if err != nil {
		return err
	}
	var wrong several
	if _, err := newLogger(std.err, firstOf(file.LogFormat, "text")); err != nil {
		wrong.add(err)
	}
	wrong.add(file.checkAddrs(ctx))
	local, err := file.LocalIssuer.standIn(&cfg, file.Forward)
	wrong.add(err)
	if local != nil {
		defer local.Close()
	}
	wrong.add(f.tryWithout(cfg, &file))
	_, err = file.TLS.read()
	wrong.add(err)
	_, err = file.Admin.readSecret()
	wrong.add(err)
	_, err = file.Forward.forwarder(&file, cfg)
	wrong.add(err)
	if err := file.Revocations.check(); err != nil {
		wrong.add(err)
	} else {
		wrong.add(file.Revocations.checkKept())
	}
	if len(wrong) == 0 { // or most of it would be told twice
		wrong.add(f.rehearse(cfg, &file, local))
	}
	if file.LocalIssuer.isOthers() {
		fmt.Fprintf(std.err, "oidcauth serve: local_issuer.dir: %s is another user's, and its keys were not looked at\n", printable(file.LocalIssuer.Dir))
	}
	file.tellUnwritable(std.err)
	file.tellOpenSecrets(std.err)
	if err := wrong.err(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "oidcauth: the configuration is good: issuers: %d\n", len(issuerURLs(cfg.Issuers)))
	return err
}

// rehearse does what a start does, by the same functions, as far as nobody sees it: so
// what a start refuses, a check does, too. A nil issuer is none.
func (f *serveFlags) rehearse(cfg oidcauth.Config, file *fileConfig, local *localissuer.Issuer) error {
	cfg.KeyCacheDir, cfg.KeepWarm, cfg.Logger = "", false, slog.New(slog.DiscardHandler)
	s, err := f.newServer(cfg, file, parts{local: local}, file.listenerAddr())
	if err != nil {
		return err
	}
	return errors.Join(s.local.close(stopGrace), s.auth.Close())
}

// listenerAddr returns the address of the main listener, with a host that is a name for
// the loopback interface, as localhost is.
func (file *fileConfig) listenerAddr() net.Addr {
	host, text, _ := net.SplitHostPort(firstOf(file.Addr, defaultAddr))
	port, _ := strconv.Atoi(text) // or a name
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "":
		ip = netip.IPv6Unspecified()
	case err != nil:
		ip = netip.IPv6Loopback()
	}
	return &net.TCPAddr{IP: ip.AsSlice(), Port: port}
}

// tryWithout reports what is wrong whatever there is outside of the configuration.
func (f *serveFlags) tryWithout(cfg oidcauth.Config, file *fileConfig) error {
	var wrong several
	wrong.add(f.tryLibrary(cfg))
	resource, err := file.resourceAt(file.listenerAddr())
	if wrong.add(err); resource != "" {
		_, err := newMetadata(resource)
		wrong.add(err)
	}
	return wrong.err()
}

// tryLibrary reports what the library finds wrong with a configuration.
func (f *serveFlags) tryLibrary(cfg oidcauth.Config) error {
	cfg.KeyCacheDir, cfg.KeepWarm = "", false
	// The issuers of a file may be wrong in one way, and the rest of it in another.
	rest := cfg
	rest.Issuers = []oidcauth.Issuer{{URL: "https://issuer.invalid", InsecureAnyAudience: true}}
	var wrong several
	wrong.add(tryNew(rest))
	if len(cfg.Issuers) > 0 && len(wrong) == 0 { // none: a local issuer, which is not there yet
		if err := tryNew(cfg); err != nil {
			wrong.add(f.whichIssuers(cfg, err))
		}
	} else if len(wrong) > 0 {
		wrong.add(f.whichIssuers(cfg, nil))
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

// tryNew reports what [oidcauth.New] does, and leaves nothing behind.
func tryNew(cfg oidcauth.Config) error {
	auth, err := oidcauth.New(cfg)
	if err != nil {
		return err
	}
	return auth.Close()
}

// whichIssuers returns what is wrong with each issuer, where the library, which told
// err, names the first alone; or else err.
func (f *serveFlags) whichIssuers(cfg oidcauth.Config, err error) error {
	var wrong several
	for i, issuer := range cfg.Issuers {
		alone := oidcauth.Config{Issuers: []oidcauth.Issuer{issuer}, DPoP: cfg.DPoP, Certificate: cfg.Certificate}
		for _, err := range each(tryNew(alone)) {
			text := strings.TrimPrefix(err.Error(), "oidcauth: ")
			if i < f.described {
				text = fmt.Sprintf("%s: issuers[%d]: %s", f.config, i, text)
			}
			wrong.add(errors.New(text))
		}
	}
	if len(wrong) == 0 {
		return err
	}
	return wrong
}
