package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/proxied"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A filled text is not empty where it is there: left out, a rule fits more, and a variable
// that was empty must not have it do so.
type filled string

// UnmarshalText reads it from a configuration file.
func (f *filled) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("it is empty, and would fit all: leave it out if that is meant")
	}
	*f = filled(text)
	return nil
}

// A forwardRule says who may make some of the requests that a proxy asks about. The
// first rule that fits a request decides; a request that none fits is refused.
type forwardRule struct {
	// Route is the name in the address that the proxy asks at,
	// /v1/route/NAME/forward-auth. Empty stands for every route and for none.
	Route filled `json:"route" about:"fits what is asked at /v1/route/ROUTE/forward-auth"`

	// Path fits itself and all below it. It is written decoded and without a slash at
	// its end. Empty means every path.
	Path filled `json:"path" about:"fits this path and all below it"`

	// Methods are compared exactly: HEAD is another than GET. Empty means every one.
	Methods []string `json:"methods" about:"fits these methods"`

	// Roles and Issuers are names of which the caller must have one, Scopes those of
	// which they must have each, and Claims demands all of which they must satisfy.
	// Empty demands nothing.
	Roles   []string             `json:"roles" about:"the caller must have one of these"`
	Scopes  []string             `json:"scopes" about:"the caller must have each of these"`
	Issuers []string             `json:"issuers" about:"the caller's issuer must be one of these; of a template a tenant's own"`
	Claims  []oidcauth.ClaimRule `json:"claims" about:"demands on the caller's claims"`
}

// rules decide who may make a request. They never look at its query.
type rules struct {
	list     []forwardRule
	demands  []oidcauth.Rule // of each of list
	foldCase bool            // of paths
	paths    bool            // whether any rule looks at the path
	methods  bool            // whether any rule looks at the method
	known    map[string]bool // the routes
}

// newRules prepares rules for a dialect, which name issuers that are known.
func newRules(list []forwardRule, d dialect, ignoreCase bool, known naming) (rules, error) {
	set := rules{foldCase: ignoreCase, known: make(map[string]bool)}
	for i, r := range list {
		if err := r.check(d, known); err != nil {
			return rules{}, fmt.Errorf("rules[%d]: %w", i, err)
		}
		if ignoreCase {
			r.Path = filled(foldCase(string(r.Path)))
		}
		demand, err := r.demand()
		if err != nil {
			return rules{}, fmt.Errorf("rules[%d]: %w", i, err)
		}
		for j, before := range set.list {
			if before.includes(r) {
				return rules{}, fmt.Errorf("rules[%d] is never reached: rules[%d] fits all of its requests before it; put the narrower one first", i, j)
			}
		}
		set.list, set.demands = append(set.list, r), append(set.demands, demand)
		set.paths, set.methods = set.paths || r.Path != "", set.methods || len(r.Methods) > 0
		set.known[string(r.Route)] = true
	}
	return set, nil
}

// Check implements [members.Checker]: a list that is there and empty, of a variable that
// was for instance, would demand nothing where something was to be demanded.
func (r *forwardRule) Check(report func(member, text string)) {
	for _, list := range [...]struct {
		member string
		empty  bool
	}{
		{"methods", r.Methods != nil && len(r.Methods) == 0}, {"roles", r.Roles != nil && len(r.Roles) == 0},
		{"scopes", r.Scopes != nil && len(r.Scopes) == 0}, {"issuers", r.Issuers != nil && len(r.Issuers) == 0},
		{"claims", r.Claims != nil && len(r.Claims) == 0},
	} {
		if list.empty {
			report(list.member, "the list is empty, which permits all: leave it out if that is meant")
		}
	}
}

// check reports the first thing that no request can be like.
func (r *forwardRule) check(d dialect, known naming) error {
	switch {
	case !d.tells() && (r.Path != "" || len(r.Methods) > 0):
		return errors.New(`"path" and "methods" need "proxy" beside "rules": which proxy it is that says what the client asks for`)
	case r.Route != "" && !isRouteName(string(r.Route)):
		return fmt.Errorf("route %s: want letters, digits, dots, hyphens and underscores", quoteArgument(string(r.Route)))
	}
	if r.Path != "" {
		if err := checkRulePath(string(r.Path)); err != nil {
			return fmt.Errorf("path %s: %w", quoteArgument(string(r.Path)), err)
		}
	}
	for _, method := range r.Methods {
		if err := proxied.CheckMethod(method); err != nil { // a rule that no request could fit
			return fmt.Errorf("method %s: %w: want one in capitals, such as GET", quoteArgument(method), err)
		}
	}
	for _, name := range slices.Concat(r.Roles, r.Scopes) {
		if name == "" {
			return errors.New("a role or scope is empty")
		}
	}
	for _, issuer := range r.Issuers {
		if err := known.check(issuer); err != nil {
			return err
		}
	}
	return nil
}

// checkRulePath reports why no request has the path.
func checkRulePath(path string) error {
	switch {
	case path[0] != '/':
		return errors.New("it does not begin with a slash")
	case path != "/" && strings.HasSuffix(path, "/"):
		return errors.New("it ends with a slash: without it, it fits all below it, too")
	case strings.ContainsAny(path, `\%;?#`):
		return errors.New(`a path with one of \ % ; ? # in it is refused to everybody; write it decoded`)
	}
	return proxied.CheckSegments(path)
}

// isRouteName reports whether a segment of a path can be the name of a route.
func isRouteName(name string) bool {
	for i := range len(name) {
		if !proxied.IsUnreserved(name[i]) {
			return false
		}
	}
	return strings.Trim(name, ".") != ""
}

// includes reports whether every request that other fits is one that r fits.
func (r *forwardRule) includes(other forwardRule) bool {
	return (r.Route == "" || r.Route == other.Route) &&
		(r.Path == "" || other.Path != "" && covers(string(r.Path), string(other.Path))) &&
		(len(r.Methods) == 0 || len(other.Methods) > 0 && !slices.ContainsFunc(other.Methods, func(m string) bool { return !slices.Contains(r.Methods, m) }))
}

// demand returns all that the rule demands of the caller.
func (r *forwardRule) demand() (oidcauth.Rule, error) {
	var all, anyRole []oidcauth.Rule
	for _, role := range r.Roles {
		anyRole = append(anyRole, oidcauth.HasRole(role))
	}
	if len(anyRole) > 0 {
		all = append(all, oidcauth.Any(anyRole...))
	}
	for _, scope := range r.Scopes {
		all = append(all, oidcauth.HasScope(scope))
	}
	if len(r.Issuers) > 0 {
		all = append(all, oidcauth.HasIssuer(r.Issuers...))
	}
	for _, claim := range r.Claims {
		rule, err := claim.Rule()
		if err != nil {
			return nil, err
		}
		all = append(all, rule)
	}
	return oidcauth.All(all...), nil
}

// fits reports whether the rule decides about a request.
func (r *forwardRule) fits(route, method, path string) bool {
	return (r.Route == "" || string(r.Route) == route) &&
		(r.Path == "" || covers(string(r.Path), path)) &&
		(len(r.Methods) == 0 || slices.Contains(r.Methods, method))
}

// checkRoute refuses a route that no rule names; empty is none.
func (s *rules) checkRoute(route string) error {
	if route == "" || s.known[route] {
		return nil
	}
	return fmt.Errorf("%w: it asks at the route %s, which no rule names", errProxy, refusal.Quote(route))
}

// judge reports why the caller may not make a request that the proxy asked about at a
// route. Without rules every caller with a good token may.
func (s *rules) judge(route string, r *http.Request, claims *oidcauth.Claims) error {
	if err := s.checkRoute(route); err != nil {
		return err
	}
	if len(s.list) == 0 {
		return nil
	}
	path, err := s.read(r)
	if err != nil {
		return err
	}
	for i := range s.list {
		if !s.list[i].fits(route, r.Method, path) {
			continue
		}
		if err := s.demands[i](claims); err != nil {
			return refusal.Because(refusal.Caller, oidcauth.ErrForbidden, fmt.Errorf("rules[%d]: %w", i, err))
		}
		return nil
	}
	// Method and path stand in the line of the log, less what looks like a token.
	return refusal.New(refusal.Caller, oidcauth.ErrForbidden, "a request that no rule fits", "one of a rule")
}

// read returns the path of a request, as the rules compare it, if they look at any. What
// they look at must be what the service sees, too.
func (s *rules) read(r *http.Request) (path string, err error) {
	if s.methods {
		if err := errors.Join(proxied.CheckMethod(r.Method), proxied.CheckMethodHeaders(r.Header)); err != nil {
			return "", refusal.New(refusal.Caller, oidcauth.ErrForbidden, "a method that can be read in several ways: "+err.Error(), "one in capitals, and no header that names another")
		}
	}
	if !s.paths {
		return "", nil
	}
	if path, err = proxied.Path(r.RequestURI); err != nil {
		return "", refusal.New(refusal.Caller, oidcauth.ErrForbidden, "a path that can be read in several ways: "+err.Error(), "one that proxy and service agree on")
	}
	if s.foldCase {
		path = foldCase(path)
	}
	return path, nil
}
