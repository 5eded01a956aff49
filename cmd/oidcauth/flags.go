package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
)

// settings are the flags of every command that authenticates tokens.
type settings struct {
	issuers           list
	audiences         list
	tokenTypes        list
	config            string
	allowInsecureHTTP bool
	anyIssuer         bool // for the commands that define the flag
	ownIssuer         bool // the server has an issuer of its own
	leeway            leeway
}

// register defines the flags.
func (s *settings) register(flags *flag.FlagSet) {
	flags.Var(&s.issuers, "issuer", "accept tokens of the issuer with this `URL`, compared exactly with the token's \"iss\"; may be repeated")
	flags.Var(&s.audiences, "audience", "accept tokens for this `AUDIENCE`; may be repeated, any one is enough; applies to every --issuer, and to the issuers of the file that name none")
	flags.Var(&s.tokenTypes, "token-type", "accept tokens of this `TYPE` (the header's \"typ\"), \"at+jwt\" for access tokens of RFC 9068; may be repeated; applies like --audience; without it plain JWTs, such as ID tokens, are accepted")
	flags.Var(&s.leeway, "leeway", "allow clocks to differ by this `DURATION`, 0s for not at all, 5m at most; without it 30s")
	registerConfig(flags, &s.config)
	registerInsecureHTTP(flags, &s.allowInsecureHTTP)
}

// registerConfig defines --config.
func registerConfig(flags *flag.FlagSet, file *string) {
	flags.StringVar(file, "config", "", "read issuers and settings from this JSON `FILE`; flags add issuers to its own and take precedence over its settings")
}

// registerInsecureHTTP defines --allow-insecure-http.
func registerInsecureHTTP(flags *flag.FlagSet, allow *bool) {
	flags.BoolVar(allow, "allow-insecure-http", false, "permit http:// issuers on the loopback interface, for development")
}

// library returns the library's configuration for these flags, and the file's
// contents for what is not the library's.
func (s *settings) library() (oidcauth.Config, fileConfig, error) {
	file, err := readConfig(s.config)
	if err != nil {
		return oidcauth.Config{}, fileConfig{}, err
	}
	issuers, err := s.combine(file.Issuers)
	if err != nil {
		return oidcauth.Config{}, fileConfig{}, err
	}
	tolerance := file.Leeway
	if s.leeway.given {
		tolerance = s.leeway
	}
	cfg := oidcauth.Config{Issuers: issuers, Leeway: tolerance.config()}
	if s.anyIssuer {
		cfg.AnyIssuer = &oidcauth.AnyIssuer{Audiences: slices.Clone(s.audiences), TokenTypes: slices.Clone(s.tokenTypes)}
	}
	return cfg, file, nil
}

// combine returns the issuers of the file and those of the flags, with what
// applies to them all filled in.
func (s *settings) combine(fromFile []oidcauth.Issuer) ([]oidcauth.Issuer, error) {
	issuers := slices.Clone(fromFile)
	for _, url := range s.issuers {
		issuers = append(issuers, oidcauth.Issuer{URL: url})
	}
	switch {
	case s.anyIssuer && len(s.audiences) == 0:
		return nil, usagef("no audience for --any-issuer: give --audience")
	case len(issuers) == 0 && !s.anyIssuer && !s.ownIssuer:
		return nil, usagef("no issuer: give --issuer URL, or --config FILE with \"issuers\"")
	}
	usedAudiences, usedTypes := s.anyIssuer || s.ownIssuer, s.anyIssuer
	for i := range issuers {
		issuer := &issuers[i]
		if needsAudience(issuer) {
			issuer.Audiences = slices.Clone(s.audiences)
			usedAudiences = true
		}
		if len(issuer.TokenTypes) == 0 {
			issuer.TokenTypes = slices.Clone(s.tokenTypes)
			usedTypes = true
		}
		if needsAudience(issuer) {
			return nil, usagef("no audience for issuer %q: give --audience, or \"audiences\" in the configuration file", issuer.URL)
		}
		permitInsecureHTTP(issuer, s.allowInsecureHTTP)
	}
	switch {
	case len(s.audiences) > 0 && !usedAudiences:
		return nil, usagef("--audience %q has no effect: every issuer of the file names its own", s.audiences)
	case len(s.tokenTypes) > 0 && !usedTypes:
		return nil, usagef("--token-type %q has no effect: every issuer of the file names its own", s.tokenTypes)
	}
	return issuers, nil
}

// needsAudience reports whether the issuer's description lacks an audience.
func needsAudience(issuer *oidcauth.Issuer) bool {
	return len(issuer.Audiences) == 0 && !issuer.InsecureAnyAudience && !issuer.DedicatedKeys
}

// permitInsecureHTTP applies --allow-insecure-http to an issuer with an http
// URL. One with https URLs only stays as strict as it was, so that its own
// discovery document cannot lead to plain http.
func permitInsecureHTTP(issuer *oidcauth.Issuer, allow bool) {
	for _, url := range []string{issuer.URL, issuer.DiscoveryURL, issuer.JWKSURL} {
		if allow && strings.HasPrefix(url, "http://") {
			issuer.InsecureHTTP = true
		}
	}
}

// noOperands refuses operands. Their text is not repeated: it may be a token.
func noOperands(operands []string) error {
	if len(operands) > 0 {
		return usagef("got %d arguments, want none beside the flags", len(operands))
	}
	return nil
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

// Set adds a value.
func (l *list) Set(value string) error {
	if value == "" {
		return errors.New("must not be empty")
	}
	if slices.Contains(*l, value) {
		return errors.New("given twice")
	}
	*l = append(*l, value)
	return nil
}

// leeway is the tolerance for clocks. Unlike in the library's configuration,
// where zero means the default, here "0s" means none.
type leeway struct {
	value time.Duration
	given bool
}

func (l *leeway) String() string {
	if !l.given {
		return ""
	}
	return l.value.String()
}

// Set reads a duration.
func (l *leeway) Set(text string) error {
	value, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("want a duration such as 30s")
	}
	if value < 0 {
		return errors.New("must not be negative; 0s means none")
	}
	*l = leeway{value: value, given: true}
	return nil
}

// UnmarshalText reads the leeway of a configuration file.
func (l *leeway) UnmarshalText(text []byte) error {
	if err := l.Set(string(text)); err != nil {
		return fmt.Errorf("leeway %q: %w", text, err)
	}
	return nil
}

// config returns what [oidcauth.Config] takes: zero for the default, negative
// for none.
func (l leeway) config() time.Duration {
	if l.given && l.value == 0 {
		return -1
	}
	return l.value
}
