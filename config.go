package oidcauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

const (
	defaultLeeway        = 30 * time.Second
	maxLeeway            = 5 * time.Minute
	defaultMaxTokenBytes = 16 << 10
	defaultCacheBytes    = 64 << 20
	maxTokenLifetime     = 100 * 365 * 24 * time.Hour
)

// Config says whose tokens an [Authenticator] accepts and how. [New] copies it:
// changes made afterwards have no effect.
type Config struct {
	// Issuers are the issuers whose tokens are accepted. At least one is required
	// unless AnyIssuer is set.
	Issuers []Issuer

	// AnyIssuer, when set, accepts tokens of other issuers, too: of anybody on
	// the internet who runs one. Read its documentation first. Nil accepts the
	// tokens of Issuers only.
	AnyIssuer *AnyIssuer

	// Leeway is how far the clocks of issuer and server may differ: a token is
	// accepted until its expiry plus Leeway and from its not-before time minus
	// Leeway. Zero means 30 seconds, negative means none, and more than 5 minutes
	// is an error.
	Leeway time.Duration

	// Extract takes the token out of an HTTP request. Nil means [BearerToken]. One
	// of this package's that was made from wrong arguments is an error.
	Extract Extractor

	// Client makes the requests to the issuers. Its Transport is used; cookies
	// are not. With AnyIssuer the Transport must be nil or a [*http.Transport],
	// whose connections can be checked. Nil means a client of the package's own.
	Client *http.Client

	// Proxies are the proxies, by their addresses, whose word about callers counts:
	// the address that a request of theirs came from is then what X-Forwarded-For or
	// Forwarded (RFC 7239) says. Name only those that add to such a header, or replace
	// it, at each request. Nil means that nobody's word counts, so that a proxy's
	// callers are one caller where [AnyIssuer] accounts for them.
	Proxies []netip.Prefix

	// MaxTokenBytes is the size above which a token is refused unread. Zero means
	// 16 KiB; negative is an error.
	MaxTokenBytes int

	// CacheBytes bounds the memory of the cache of verified tokens, which spares
	// a token's second use the signature check and none of the others. Zero means
	// 64 MiB, negative means no cache.
	CacheBytes int64

	// KeyCacheDir is a directory that keeps each issuer's public keys, so that a
	// restart during an issuer's outage accepts tokens at once. It is created if
	// missing. Empty means that keys live in memory only.
	KeyCacheDir string

	// KeepWarm refreshes the keys of every issuer in the background even while no
	// token of that issuer arrives. False means that an unused issuer is left
	// alone and asked again when its next token comes.
	KeepWarm bool

	// ResourceMetadataURL is the address of the server's protected resource
	// metadata (RFC 9728), named in every challenge so that clients can find the
	// issuer. Empty means that challenges do not name one.
	ResourceMetadataURL string

	// Trace observes key fetches and changes of state. Nil means that nothing is observed.
	Trace *authtrace.Hooks

	// Logger receives one line for each refused request, for each logout, and for
	// each change of the state of a key set or of the revocation log, and when
	// revocations begin and cease to wait to be shared; never a token. Nil means
	// no logging.
	Logger *slog.Logger

	// MaxTokenLifetime is how far ahead of now, and of its own time of issue, a
	// token's expiry may lie: a token that lives longer is refused with [ErrClaim],
	// and so is one that does not say when it was issued ("iat"), since it may have
	// lived for longer already. It bounds how long revocations have to be kept. It does not bound the tokens
	// of a [LocalIssuer] that never expire. Zero means no limit; negative is an
	// error.
	MaxTokenLifetime time.Duration

	// Revocations shares revocations with the other servers of a cluster. Those
	// that it cannot take at once are shared later, as [Authenticator.Revoke]
	// says. Nil means that they are kept in this process alone.
	Revocations RevocationLog

	// RevocationDir is a directory that keeps the revocations that wait to be
	// shared, so that a restart loses none: [New] reads them, they hold from then
	// on, and the log is tried again. It is written before [Authenticator.Revoke]
	// returns. It is created if missing, must be on a file system that has locks,
	// and belongs to one Authenticator at a time: New is an error while another,
	// of this process or the last, has not been closed, when a file in it is
	// damaged, and when others may write to it. It holds IDs and times, never a
	// token. Empty means that revocations wait in memory only.
	RevocationDir string

	// RequireRevocations refuses every token with [ErrRevocationsUnavailable], and
	// ends every session, while Revocations is not known completely: before it was
	// read, and when contact with it is lost, after the grace that it may have of
	// its own. False means that tokens are accepted meanwhile by the revocations
	// that are known.
	RequireRevocations bool

	// Now is the clock that token times are compared with. Nil means [time.Now].
	Now func() time.Time
}

// An Issuer describes one OpenID Connect issuer and what its tokens must look
// like. It is plain data, apart from Rules, and loads from JSON.
type Issuer struct {
	// URL is the issuer's name exactly as its tokens carry it in "iss": scheme,
	// case and trailing slash count. It is 1 to 128 bytes without "|", since it
	// becomes part of every [Identity]. Required.
	//
	// With TenantClaim it is a template instead, with one place for the tenant in
	// braces: "https://login.microsoftonline.com/{tenantid}/v2.0".
	URL string `json:"url"`

	// Aliases are further values of "iss" under which the same issuer issues
	// tokens, because it was renamed for instance. Their identities are those of
	// URL. The discovery document may state any of the names.
	Aliases []string `json:"aliases,omitempty"`

	// TenantClaim makes one issuer of the many tenants of a provider such as
	// Microsoft Entra. It names the claim with the tenant's ID, a GUID in small
	// letters; "iss" must be URL with that ID in place of the braces, and the
	// identity is that of "iss". The discovery document must state the template,
	// and each key an "issuer" that is the template or the token's "iss". Empty
	// means that URL is no template.
	TenantClaim string `json:"tenant_claim,omitempty"`

	// Tenants are the tenants whose tokens are accepted. Empty means all, which
	// includes everybody who opens a tenant of his own with the provider.
	Tenants []string `json:"tenants,omitempty"`

	// Audiences are the names of this server: a token must be issued for one of
	// them at least. Empty is an error unless InsecureAnyAudience is set.
	Audiences []string `json:"audiences,omitempty"`

	// InsecureAnyAudience accepts tokens issued for anybody. Any other service
	// that receives the issuer's tokens can then act as its users here.
	InsecureAnyAudience bool `json:"insecure_any_audience,omitempty"`

	// DedicatedKeys says that the issuer signs with these keys for this server's
	// application only, so that the keys tell what other issuers tell with an
	// audience: WorkOS has a key set for each client, Clerk an issuer for each
	// application. A token without "aud" is then accepted; one with "aud" must
	// still name one of Audiences, which may be empty. If the keys sign for other
	// applications too, this is no better than InsecureAnyAudience.
	DedicatedKeys bool `json:"dedicated_keys,omitempty"`

	// LogoutAudiences are the names that the issuer's logout tokens know this
	// server by, often the client ID that people sign in with. They count for
	// [Authenticator.LogoutHandler] alone. Empty means Audiences.
	LogoutAudiences []string `json:"logout_audiences,omitempty"`

	// LogoutBy says what a logout token ends that names both a subject and a login
	// session. Empty means all that the subject has: the access tokens of most
	// issuers do not tell of which login session they are ("sid"), and a logout by
	// that would leave them alive. Clients that are signed in elsewhere need a new
	// token then. With "sid" it ends that login session alone, so that tokens
	// without "sid" live on. A logout token that names one of the two ends what it
	// names, whatever LogoutBy says.
	LogoutBy string `json:"logout_by,omitempty"`

	// AudienceClaim is the claim that Audiences are looked for in. Empty means
	// "aud"; Amazon Cognito's access tokens need "client_id".
	AudienceClaim string `json:"audience_claim,omitempty"`

	// Algorithms are the signature algorithms accepted (RFC 7518, section 3.1).
	// Empty means RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512
	// and EdDSA. The issuer's key narrows the choice further.
	Algorithms []string `json:"algorithms,omitempty"`

	// TokenTypes are the values of the "typ" header accepted, without regard to
	// case or to a leading "application/". Empty means "JWT". "JWT" stands for a
	// missing header too. RFC 9068 access tokens bear "at+jwt".
	TokenTypes []string `json:"token_types,omitempty"`

	// DiscoveryURL is where the discovery document is: its whole address, not URL
	// again. Empty means URL, less one trailing slash, plus
	// "/.well-known/openid-configuration".
	DiscoveryURL string `json:"discovery_url,omitempty"`

	// JWKSURL is where the keys are. When set, no discovery takes place.
	JWKSURL string `json:"jwks_url,omitempty"`

	// JWKS are the keys themselves, a JSON Web Key Set (RFC 7517, section 5).
	// When set, nothing is ever fetched for this issuer.
	JWKS json.RawMessage `json:"jwks,omitempty"`

	// RequireKeyID refuses tokens without a key ID ("kid"). Otherwise they are
	// tried with the keys whose type and size fit, four at most for one token. Of
	// more than four, those that verified such tokens last are tried first, and
	// the others in turn: a token by one of these may be refused with
	// [ErrSignature] a few times until its key's turn comes. An issuer whose tokens
	// have no key ID should publish no more than four keys of a kind.
	RequireKeyID bool `json:"require_key_id,omitempty"`

	// Subject lists the claims that make up the subject of the [Identity]. Their
	// values, all strings, are joined with "|". Empty means "sub".
	Subject []Path `json:"subject,omitempty"`

	// SubjectElse takes the place of Subject in a token that has none of the
	// claims of Subject, or only empty strings there. The values of both share
	// one space: use it only with an issuer that never gives a caller of one kind
	// the value of another. Empty means that such a token is refused.
	SubjectElse []Path `json:"subject_else,omitempty"`

	// Roles lists the claims that hold the caller's roles. Empty means "roles" (RFC
	// 9068, section 2.2.3.1). In such a claim the strings of an array are roles, a
	// string is one role, and so is the name of an object's member whose value is
	// true. Everything else grants nothing: a member whose value is false, null, a
	// number, a string, an array or an object; an array with one element that is no
	// string, as a whole; a number or a boolean; an empty name.
	Roles []Path `json:"roles,omitempty"`

	// RoleSeparator says how several roles are written in one string at Roles: ","
	// or " " stands between them (spaces around a role are not part of it), and
	// with "json" the string is the JSON text of an array of strings, or grants
	// nothing. It changes nothing within an array. Empty means that a string is one
	// role, as it stands: the LDAP name of a group is full of commas.
	RoleSeparator string `json:"role_separator,omitempty"`

	// RoleObjects makes a role of an object's member at Roles whose value is an
	// object in turn, in the form that Zitadel has: {"admin": {"ID": "domain"}} says
	// in which organizations the role was granted. There must be one at least, and
	// all must be strings that are not empty, so that {"enabled": false} grants
	// nothing. False means that objects grant nothing.
	RoleObjects bool `json:"role_objects,omitempty"`

	// ClaimRules are demands on further claims.
	ClaimRules []ClaimRule `json:"claim_rules,omitempty"`

	// Rules are the program's own demands. They see every accepted token at each
	// use, must not block, and must be safe for concurrent use.
	Rules []Rule `json:"-"`

	// ReusesKeyIDs is for an issuer that publishes a new key under the ID of an
	// old one: a bad signature under a known key ID then causes a fetch of the
	// keys, at most one in 10 seconds. A token without key ID that no key fits
	// causes one with every issuer.
	ReusesKeyIDs bool `json:"reuses_key_ids,omitempty"`

	// InsecureHTTP allows http addresses for this issuer, on the loopback
	// interface only: for tests and development.
	InsecureHTTP bool `json:"insecure_http,omitempty"`

	local *LocalIssuer // whose keys they are; set by LocalIssuer.Issuer
}

// A Path leads to a claim by its member names from the top of the payload:
// Path{"realm_access", "roles"}. Names are matched exactly. Its String method
// joins them with "/".
type Path = claims.Path

// validate reports the first contradiction in the configuration.
func (cfg *Config) validate() error {
	if len(cfg.Issuers) == 0 && cfg.AnyIssuer == nil {
		return errors.New("oidcauth: Config.Issuers is empty: name at least one issuer")
	}
	if cfg.Leeway > maxLeeway {
		return fmt.Errorf("oidcauth: Config.Leeway: got %v, want at most %v", cfg.Leeway, maxLeeway)
	}
	if cfg.MaxTokenLifetime > maxTokenLifetime {
		return fmt.Errorf("oidcauth: Config.MaxTokenLifetime: got %v, want at most %v", cfg.MaxTokenLifetime, maxTokenLifetime)
	}
	if cfg.MaxTokenBytes < 0 {
		return fmt.Errorf("oidcauth: Config.MaxTokenBytes: got %d, want none or more", cfg.MaxTokenBytes)
	}
	if cfg.MaxTokenLifetime < 0 {
		return fmt.Errorf("oidcauth: Config.MaxTokenLifetime: got %v, want none or more", cfg.MaxTokenLifetime)
	}
	if cfg.RequireRevocations && cfg.Revocations == nil {
		return errors.New("oidcauth: Config.RequireRevocations is set without Revocations")
	}
	if cfg.RevocationDir != "" && cfg.Revocations == nil {
		return errors.New("oidcauth: Config.RevocationDir is set without Revocations")
	}
	if err := argumentsOf(cfg.Extract); err != nil {
		return err
	}
	if strings.ContainsFunc(cfg.ResourceMetadataURL, unfitForQuotes) {
		return fmt.Errorf("oidcauth: Config.ResourceMetadataURL: got %q, want an address fit for a header", cfg.ResourceMetadataURL)
	}
	if cfg.AnyIssuer != nil {
		if err := cfg.AnyIssuer.validate(); err != nil {
			return err
		}
	}
	return cfg.checkProxies()
}

// unfitForQuotes reports whether r cannot stand in a quoted header parameter.
func unfitForQuotes(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' }

func (cfg *Config) leeway() time.Duration {
	switch {
	case cfg.Leeway < 0:
		return 0
	case cfg.Leeway == 0:
		return defaultLeeway
	}
	return cfg.Leeway.Truncate(time.Microsecond) // as fine as a claims.Time is
}

func (cfg *Config) maxTokenBytes() int {
	if cfg.MaxTokenBytes == 0 {
		return defaultMaxTokenBytes
	}
	return cfg.MaxTokenBytes
}

func (cfg *Config) cacheBytes() int64 {
	if cfg.CacheBytes == 0 {
		return defaultCacheBytes
	}
	return max(cfg.CacheBytes, 0)
}

// validate reports the first contradiction in the issuer's description.
func (i *Issuer) validate() error {
	for _, name := range append([]string{i.URL}, i.Aliases...) {
		if err := checkIssuerName(name); err != nil {
			return err
		}
	}
	checks := []func() error{
		i.checkTenants, i.checkAudiences, i.checkLogoutBy, i.checkAlgorithms, i.checkTypes, i.checkSources, i.checkPaths, i.checkRoleForm, i.checkRules,
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkIssuerName enforces what makes an identity's input split one way only.
func checkIssuerName(name string) error {
	if strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return fmt.Errorf("oidcauth: issuer %s: contains white space", refusal.Quote(name))
	}
	if name == "" || len(name) > claims.MaxNameBytes {
		return fmt.Errorf("oidcauth: issuer %s: got %d bytes, want 1 to %d", refusal.Quote(name), len(name), claims.MaxNameBytes)
	}
	if strings.Contains(name, "|") {
		return fmt.Errorf("oidcauth: issuer %q: contains \"|\", which separates issuer and subject in an identity", name)
	}
	return nil
}

func (i *Issuer) checkAudiences() error {
	switch {
	case len(i.Audiences) == 0 && !i.InsecureAnyAudience && !i.DedicatedKeys:
		return fmt.Errorf("oidcauth: issuer %q: Audiences is empty: name this server as its tokens do, or set InsecureAnyAudience", i.URL)
	case len(i.Audiences) > 0 && i.InsecureAnyAudience:
		return fmt.Errorf("oidcauth: issuer %q: both Audiences and InsecureAnyAudience are set", i.URL)
	case i.DedicatedKeys && i.InsecureAnyAudience:
		return fmt.Errorf("oidcauth: issuer %q: both DedicatedKeys and InsecureAnyAudience are set", i.URL)
	case i.DedicatedKeys && i.AudienceClaim != "":
		return fmt.Errorf("oidcauth: issuer %q: both DedicatedKeys and AudienceClaim are set", i.URL)
	case slices.Contains(i.Audiences, ""), slices.Contains(i.LogoutAudiences, ""):
		return fmt.Errorf("oidcauth: issuer %q: an audience is empty", i.URL)
	}
	return nil
}

func (i *Issuer) checkAlgorithms() error {
	for n, alg := range i.Algorithms {
		if !jws.Known(alg) {
			return fmt.Errorf("oidcauth: issuer %q: algorithm %q is not supported", i.URL, alg)
		}
		if slices.Contains(i.Algorithms[:n], alg) {
			return fmt.Errorf("oidcauth: issuer %q: algorithm %q is listed twice", i.URL, alg)
		}
	}
	return nil
}

func (i *Issuer) checkTypes() error {
	for _, typ := range i.TokenTypes {
		if policy.NeverAuthenticates(policy.MediaType(typ)) {
			return fmt.Errorf("oidcauth: issuer %q: tokens of type %q never authenticate", i.URL, typ)
		}
	}
	return nil
}

func (i *Issuer) checkSources() error {
	sources := 0
	for _, given := range []bool{i.DiscoveryURL != "", i.JWKSURL != "", len(i.JWKS) > 0} {
		if given {
			sources++
		}
	}
	if i.local != nil && (sources > 0 || i.URL != i.local.url) {
		return fmt.Errorf("oidcauth: issuer %q: its name and keys are those of local issuer %q", i.URL, i.local.url)
	}
	if sources > 1 {
		return fmt.Errorf("oidcauth: issuer %q: more than one of DiscoveryURL, JWKSURL and JWKS is set", i.URL)
	}
	return nil
}

func (i *Issuer) checkPaths() error {
	for _, p := range slices.Concat(i.Subject, i.SubjectElse, i.Roles) {
		if len(p) == 0 || slices.Contains(p, "") {
			return fmt.Errorf("oidcauth: issuer %q: a path to a claim is empty or has an empty name", i.URL)
		}
	}
	return nil
}

func (i *Issuer) checkRules() error {
	for _, r := range i.ClaimRules {
		if err := r.validate(); err != nil {
			return fmt.Errorf("oidcauth: issuer %q: %w", i.URL, err)
		}
	}
	if slices.ContainsFunc(i.Rules, func(r Rule) bool { return r == nil }) {
		return fmt.Errorf("oidcauth: issuer %q: a rule is nil", i.URL)
	}
	return nil
}

func (i *Issuer) checkRoleForm() error {
	switch i.RoleSeparator {
	case "", ",", " ", claims.RoleText:
		return nil
	}
	return fmt.Errorf("oidcauth: issuer %q: RoleSeparator: got %s, want \",\", \" \", %q or none", i.URL, refusal.Quote(i.RoleSeparator), claims.RoleText)
}
