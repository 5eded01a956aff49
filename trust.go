package oidcauth

import (
	"slices"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/strangers"
)

// allAlgorithms is the default of [Issuer.Algorithms].
var allAlgorithms = []string{
	"RS256", "ES256", "EdDSA", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512",
}

// strangersAlgorithms are the default of [AnyIssuer.Algorithms]: all but the one
// whose checks take twenty times as long as those of ES256.
var strangersAlgorithms = slices.DeleteFunc(slices.Clone(allAlgorithms), func(alg string) bool { return alg == "ES512" })

// A trust is an issuer's description made ready for use. It never changes, but for
// what it knows of the issuer's session IDs and the order in which keys are tried.
type trust struct {
	url           string
	names         []string // url and aliases
	tenants       *tenants // nil unless url is a template
	audiences     []string
	accepted      map[string]bool // the same, where they are many
	logout        []string        // audiences of logout tokens; empty for any
	logoutBySid   bool            // and not by the subject that is named beside it
	sessionIDs    *sessionIDs     // of the tokens accepted so far
	anyAudience   bool
	dedicatedKeys bool
	audienceClaim string // empty for "aud"
	algorithms    []string
	types         []string // in the spelling of mediaType
	requireKeyID  bool
	subject       []Path
	subjectElse   []Path
	roles         []Path
	roleForm      roleForm
	demands       []policy.Demand
	rules         []Rule
	reusesKeyIDs  bool
	ignoresScopes bool
	keys          *keyset.Set        // nil for a stranger's issuer that was not contacted yet
	order         *keyOrder          // in which they are tried
	strangers     *strangers.Issuers // whom it is one of; nil for a configured issuer
	local         *LocalIssuer       // nil for an issuer elsewhere
	noExpiry      bool               // tokens without expiry are accepted
}

// newTrust copies what the checks need of a valid description.
func newTrust(i Issuer, keys *keyset.Set) *trust {
	t := &trust{
		url:           i.URL,
		names:         append([]string{i.URL}, i.Aliases...),
		tenants:       newTenants(i),
		audiences:     slices.Clone(i.Audiences),
		logout:        slices.Clone(i.LogoutAudiences),
		logoutBySid:   i.LogoutBy == logoutBySession,
		sessionIDs:    new(sessionIDs),
		anyAudience:   i.InsecureAnyAudience,
		dedicatedKeys: i.DedicatedKeys,
		algorithms:    slices.Clone(i.Algorithms),
		requireKeyID:  i.RequireKeyID,
		subject:       clonePaths(i.Subject),
		subjectElse:   clonePaths(i.SubjectElse),
		roles:         clonePaths(i.Roles),
		roleForm:      roleForm{separator: i.RoleSeparator, objects: i.RoleObjects},
		demands:       demands(i.ClaimRules),
		rules:         slices.Clone(i.Rules),
		reusesKeyIDs:  i.ReusesKeyIDs,
		keys:          keys,
		order:         new(keyOrder),
	}
	if i.local != nil {
		t.local, t.noExpiry = i.local, i.local.noExpiry
	}
	if i.AudienceClaim != "aud" {
		t.audienceClaim = i.AudienceClaim
	}
	if len(t.audiences) > fewAudiences {
		t.accepted = make(map[string]bool)
		for _, audience := range t.audiences {
			t.accepted[audience] = true
		}
	}
	if len(t.logout) == 0 {
		t.logout = t.audiences
	}
	if len(t.algorithms) == 0 {
		t.algorithms = allAlgorithms
	}
	if len(t.roles) == 0 {
		t.roles = []Path{{"roles"}}
	}
	for _, typ := range i.TokenTypes {
		t.types = append(t.types, mediaType(typ))
	}
	if len(t.types) == 0 {
		t.types = []string{typeJWT}
	}
	return t
}

// fewAudiences are compared one by one.
const fewAudiences = 4

// accepts reports whether the audience is one of those configured. A token may
// name thousands.
func (t *trust) accepts(audience string) bool {
	if t.accepted != nil {
		return t.accepted[audience]
	}
	return slices.Contains(t.audiences, audience)
}

func clonePaths(paths []Path) []Path {
	clone := make([]Path, len(paths))
	for i, p := range paths {
		clone[i] = slices.Clone(p)
	}
	return clone
}

// refusal.Rules applies the program's own rules, which may depend on more than the
// claims and are therefore asked at every use of a token.
func (t *trust) checkRules(c *Claims) error {
	for _, rule := range t.rules {
		if err := rule(c); err != nil {
			return refusal.Because(refusal.Rules, ErrRule, err)
		}
	}
	return nil
}
