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
	anyIssuer         bool
	local             localFlags
	leeway            leeway

	described int // how many issuers the file has, which come first
	asking    introspections
	piped     pipedConfig
}

// register defines the flags.
func (s *settings) register(flags *flag.FlagSet) {
	flags.Var(&s.issuers, "issuer", "accept tokens of the issuer with this `URL`, compared exactly with the token's \"iss\"; may be repeated")
	flags.Var(&s.audiences, "audience", "accept tokens for this `AUDIENCE`; may be repeated, any one is enough; applies to every --issuer, and to whatever in the file names none")
	flags.Var(&s.tokenTypes, "token-type", "accept tokens of this `TYPE` (the header's \"typ\"), \"at+jwt\" for access tokens of RFC 9068; may be repeated; applies like --audience; without it plain JWTs, such as ID tokens, are accepted")
	flags.Var(&s.leeway, "leeway", "allow clocks to differ by this `DURATION`, 0s for not at all, 5m at most; without it 30s")
	registerConfig(flags, &s.config)
	registerInsecureHTTP(flags, &s.allowInsecureHTTP)
}

// registerConfig defines --config.
func registerConfig(flags *flag.FlagSet, file *string) {
	flags.Var((*configName)(file), "config", "read issuers and settings from this JSON `FILE`; flags add issuers to its own and take precedence over its settings")
}

// registerInsecureHTTP defines --allow-insecure-http.
func registerInsecureHTTP(flags *flag.FlagSet, allow *bool) {
	flags.BoolVar(allow, "allow-insecure-http", false, "permit http:// issuers on the loopback interface, for development")
}

// library returns the library's configuration for these flags and their file,
// and all of it for what is not the library's.
func (s *settings) library() (oidcauth.Config, fileConfig, error) {
	file, err := s.piped.read(s.config)
	if err == nil {
		s.described = len(file.Issuers)
		err = s.apply(&file)
	}
	if err != nil {
		return oidcauth.Config{}, fileConfig{}, err
	}
	return oidcauth.Config{
		Issuers: file.Issuers, AnyIssuer: file.AnyIssuer,
		Leeway: file.Leeway.config(), MaxTokenBytes: file.MaxTokenBytes, MaxTokenLifetime: file.MaxTokenLifetime.value, Proxies: file.Proxies,
	}, file, nil
}

// apply writes what the flags say into the configuration of the file. Its error tells
// everything that is wrong.
func (s *settings) apply(file *fileConfig) error {
	var wrong several
	for _, url := range s.issuers {
		if err := checkIssuerURL(url, s.allowInsecureHTTP); err != nil {
			wrong.add(fmt.Errorf("--issuer %w", err))
		}
		file.Issuers = append(file.Issuers, oidcauth.Issuer{URL: url})
	}
	if s.anyIssuer && file.AnyIssuer == nil {
		file.AnyIssuer = new(oidcauth.AnyIssuer)
	}
	if s.leeway.given {
		file.Leeway = s.leeway
	}
	wrong.add(s.local.apply(file))
	if len(file.Issuers) == 0 && file.AnyIssuer == nil && file.LocalIssuer == nil {
		wrong.add(usagef("no issuer: give --issuer URL, or --config FILE with \"issuers\""))
		return wrong.err()
	}
	for i := range file.Issuers {
		permitInsecureHTTP(&file.Issuers[i], s.allowInsecureHTTP)
	}
	s.asking.begin()
	for i, asked := range file.Introspections {
		wrong.add(asked.apply(&file.Issuers[i], &s.asking))
	}
	wrong.add(file.checkNames())
	wrong.add(s.fillIn(file))
	return wrong.err()
}

// checkNames reports names of issuers that are none: nothing would ever fit them.
func (file *fileConfig) checkNames() error {
	var wrong several
	for _, url := range file.ReadyIssuers {
		if !slices.Contains(issuerURLs(file.Issuers), url) {
			wrong.add(usagef("ready_issuers: %s is not the \"url\" of an issuer", quoteArgument(url)))
		}
	}
	if file.Admin != nil && file.Admin.Bearer != nil {
		for _, name := range file.Admin.Bearer.Issuers {
			if err := (naming{issuers: file.Issuers}).check(name); err != nil {
				wrong.add(usagef("admin.bearer.issuers: %w", err))
			}
		}
	}
	return wrong.err()
}

// fillIn gives the audiences and token types of the flags to whatever names
// none of its own.
func (s *settings) fillIn(file *fileConfig) error {
	var wrong several
	audiences, types := shared{values: s.audiences}, shared{values: s.tokenTypes}
	for i := range file.Issuers {
		issuer := &file.Issuers[i]
		if needsAudience(issuer) {
			audiences.give(&issuer.Audiences)
		}
		if issuer.Introspect == nil {
			types.give(&issuer.TokenTypes)
		}
		if needsAudience(issuer) {
			wrong.add(usagef("no audience for issuer %q: give --audience, or \"audiences\" in the configuration file", issuer.URL))
		}
	}
	if anyone := file.AnyIssuer; anyone != nil {
		if !anyone.InsecureAnyAudience {
			audiences.give(&anyone.Audiences)
		}
		types.give(&anyone.TokenTypes)
		if len(anyone.Audiences) == 0 && !anyone.InsecureAnyAudience {
			wrong.add(usagef("no audience for the tokens of any issuer: give --audience, or \"audiences\" in the file's \"any_issuer\""))
		}
	}
	if file.LocalIssuer != nil {
		audiences.give(&file.LocalIssuer.Audiences)
	}
	if audiences.idle() {
		wrong.add(usagef("--audience %q has no effect: everything in the file names its own", s.audiences))
	}
	if types.idle() {
		wrong.add(usagef("--token-type %q has no effect: everything in the file names its own", s.tokenTypes))
	}
	return wrong.err()
}

// shared are values of a flag that apply to whatever has none.
type shared struct {
	values list
	given  bool
}

// give sets to, if it is empty, to a copy of the values.
func (s *shared) give(to *[]string) {
	if len(*to) == 0 {
		*to = slices.Clone(s.values)
		s.given = true
	}
}

// idle reports whether there are values and nothing to give them to.
func (s *shared) idle() bool { return len(s.values) > 0 && !s.given }

// checkIssuerURL refuses an issuer's URL for the mistakes that have to do with
// this command. Everything else about it is the library's to say.
func checkIssuerURL(name string, allowInsecureHTTP bool) error {
	switch {
	case !strings.Contains(name, "://"):
		return usagef("%s: want an issuer's URL, such as https://id.example.com", quoteArgument(name))
	case strings.HasPrefix(name, "http://") && !allowInsecureHTTP:
		return usagef("%s: want an https URL, or --allow-insecure-http for an issuer on this machine", quoteArgument(name))
	}
	return nil
}

// needsAudience reports whether the issuer's description lacks an audience.
func needsAudience(issuer *oidcauth.Issuer) bool {
	return len(issuer.Audiences) == 0 && !issuer.InsecureAnyAudience && !issuer.DedicatedKeys
}

// permitInsecureHTTP applies --allow-insecure-http to an issuer with an http
// URL. One with https URLs only stays as strict as it was, so that its own
// discovery document cannot lead to plain http.
func permitInsecureHTTP(issuer *oidcauth.Issuer, allow bool) {
	for _, url := range []string{issuer.URL, issuer.Keys.DiscoveryURL, issuer.Keys.JWKSURL} {
		if allow && strings.HasPrefix(url, "http://") {
			issuer.Keys.InsecureHTTP = true
		}
	}
}

// noOperands refuses operands.
func noOperands(operands []string) error {
	if len(operands) > 0 {
		return usagef("got %s, want none beside the flags", arguments(operands))
	}
	return nil
}

// arguments counts operands, whose text is not repeated: it may be a token.
func arguments(operands []string) string {
	if len(operands) == 1 {
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", len(operands))
}

// configName is the name of a configuration file. An empty one, of a variable that nobody
// set, is no file left out: all its demands would be.
type configName string

func (n *configName) String() string { return string(*n) }

// Set takes the name.
func (n *configName) Set(value string) error {
	if value == "" {
		return errors.New("must not be empty")
	}
	*n = configName(value)
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
		return fmt.Errorf("got %q: %w", text, err)
	}
	return nil
}

// Want says what it is in a file.
func (*leeway) Want() string { return `a text such as "30s"` }

// config returns what [oidcauth.Config] takes: zero for the default, negative
// for none.
func (l leeway) config() time.Duration {
	if l.given && l.value == 0 {
		return -1
	}
	return l.value
}
