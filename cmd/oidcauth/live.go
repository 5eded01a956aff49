package main

import (
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
)

// live is what a running server takes from its configuration anew at each reload. It
// never changes: each reload makes another.
type live struct {
	issuers      []string            // configured, whose keys are fetched or in the file
	places       map[string][]string // of these keys
	addresses    []string            // the issuers that a client can go to
	readyWanted  []string            // those that the server is ready with; none: any one
	opaque       []string            // what opaque tokens begin with, where that is known
	adminsOpaque []string            // what those of admins begin with
	clocksAhead  time.Duration       // how far an issuer's clock may be ahead of this one

	proofsRequired bool // of everybody, by a key
}

// newLive makes it of the configuration.
func newLive(cfg oidcauth.Config, file *fileConfig) *live {
	l := &live{places: make(map[string][]string), readyWanted: file.ReadyIssuers, addresses: addresses(issuerNames(cfg.Issuers).list()), clocksAhead: clocksAhead(cfg), adminsOpaque: adminsOpaque(cfg.Issuers, file.Admin), proofsRequired: proofsRequired(cfg)}
	for _, issuer := range cfg.Issuers {
		if issuer.OpaquePrefix != "" {
			l.opaque = append(l.opaque, issuer.OpaquePrefix)
		}
		if issuer.Keys.Source != nil {
			continue
		}
		if !slices.Contains(l.issuers, issuer.URL) {
			l.issuers = append(l.issuers, issuer.URL)
		}
		if place := issuer.URL + "|" + issuer.SubjectPrefix; !slices.Contains(l.places[issuer.URL], place) {
			l.places[issuer.URL] = append(l.places[issuer.URL], place)
		}
	}
	return l
}

// defaultLeeway is what [oidcauth.Config] takes its zero Leeway for.
const defaultLeeway = 30 * time.Second

// clocksAhead returns how far the clock of any issuer may be ahead of this one, for its
// tokens to be accepted.
func clocksAhead(cfg oidcauth.Config) time.Duration {
	or := func(leeway, otherwise time.Duration) time.Duration {
		if leeway == 0 {
			return otherwise
		}
		return max(leeway, 0) // less than nothing means none
	}
	ofAll := or(cfg.Leeway, defaultLeeway)
	var most time.Duration
	if cfg.AnyIssuer != nil {
		most = ofAll
	}
	for _, issuer := range cfg.Issuers {
		most = max(most, or(issuer.Leeway, ofAll))
	}
	return most
}

// ready reports whether the server is ready while the keys of some issuers are not in
// hand. A local issuer's always are, and say nothing of the others.
func (l *live) ready(unready []string) bool {
	missing := func(issuer string) bool { return slices.Contains(unready, issuer) }
	if len(l.readyWanted) > 0 {
		return !slices.ContainsFunc(l.readyWanted, missing)
	}
	return len(l.issuers) == 0 || slices.ContainsFunc(l.issuers, func(issuer string) bool { return !missing(issuer) })
}

// isOpaque reports whether a text begins as an opaque token does.
func (l *live) isOpaque(text string) bool {
	return slices.ContainsFunc(l.opaque, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}
