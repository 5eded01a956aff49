package oidcauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/quote"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// maxLeeway is what clocks may differ by at most.
const maxLeeway = 5 * time.Minute

// maxDescriptionName bounds Name and SubjectPrefix.
const maxDescriptionName = 64

// An Issuer describes one OpenID Connect issuer and what its tokens must look
// like. It is plain data, apart from its functions, and loads from JSON: with durations
// in nanoseconds, and with [json.Decoder.DisallowUnknownFields], lest a misspelt name
// leave something out. A name in another case, or there twice, can empty what stands
// before it: the guide has a function that refuses such a file. The file of the command
// oidcauth has a form of its own.
type Issuer struct {
	// URL is the issuer's name exactly as its tokens carry it in "iss": scheme,
	// case and trailing slash count. It is 1 to 512 bytes without "|", since it
	// becomes part of every [Identity]. Required.
	//
	// With TenantClaim it is a template instead, with one place for the tenant in
	// braces: "https://login.microsoftonline.com/{tenantid}/v2.0".
	//
	// "spiffe://example.org" is a trust domain: a token without "iss" (a JWT-SVID) is
	// its own if "sub" is a SPIFFE ID in it, and one that names it in "iss" must have
	// such a "sub" too. Keys must say where its bundle is.
	URL string `json:"url"`

	// Name tells the descriptions of one issuer apart, which has several where it
	// stands in a list more than once: its ID tokens and its access tokens, jobs and
	// people. The first whose Algorithms, Audiences, TokenTypes and ClaimRules a token
	// satisfies decides about it alone: about its subject, its roles and Rules, and
	// [Claims.Description] returns its name. If there is none, the refusal is that of
	// the description with which the token came furthest in the order of the checks.
	// Where their Keys differ, the first whose keys have signed the token counts, and
	// with it those alone that say the same of theirs: two that have the same keys must
	// not say otherwise where these are. It has 64 bytes at most. Required, and another in
	// each, where there are several.
	Name string `json:"name,omitempty"`

	// SubjectPrefix stands in front of the subject in everything that is made of it:
	// [Claims.Subject], the [Identity], [Revocation.Subject]. Descriptions of one issuer
	// whose keys come from elsewhere, or that have another Subject, must not have the
	// same, because one subject could be two callers: two clusters may both call
	// themselves "https://kubernetes.default.svc". Where one prefix begins with
	// another's, or that is empty, a token by the shorter is refused whose subject
	// begins with the longer. It is a part of identities: to change it changes them, and
	// what was revoked of a subject with the former prefix is not of one with another.
	// It has 64 bytes at most. Empty means that the subject stands as it is.
	SubjectPrefix string `json:"subject_prefix,omitempty"`

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
	// includes everybody who opens a tenant of their own with the provider.
	Tenants []string `json:"tenants,omitempty"`

	// Audiences are the names of this server: a token must be issued for one of
	// them at least. Empty is an error unless InsecureAnyAudience is set.
	Audiences []string `json:"audiences,omitempty"`

	// InsecureAnyAudience accepts tokens issued for anybody. Any other service
	// that receives the issuer's tokens can then act as its users here.
	InsecureAnyAudience bool `json:"insecure_any_audience,omitempty"`

	// DedicatedKeys says that the issuer signs with these keys for this server's
	// application only, so that the keys say what other issuers say with an
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
	// issuers do not say of which login session they are ("sid"), and a logout by
	// that would leave them alive. Clients that are signed in elsewhere need a new
	// token then. With "sid" it ends that login session alone, so that tokens
	// without "sid" live on. A logout token that names one of the two ends what it
	// names, whatever LogoutBy says.
	LogoutBy string `json:"logout_by,omitempty"`

	// AudienceClaim is the claim that Audiences are looked for in. Empty means
	// "aud"; Amazon Cognito's access tokens need "client_id".
	AudienceClaim string `json:"audience_claim,omitempty"`

	// Algorithms are the signature algorithms accepted (RFC 7518, section 3.1).
	// Empty means RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512,
	// EdDSA and Ed25519, which is its name by RFC 9864. The issuer's key narrows the
	// choice further: one that states its "alg" signs tokens of that name alone, EdDSA or
	// Ed25519.
	// ML-DSA-44, ML-DSA-65 and ML-DSA-87 (RFC 9964) are accepted where they are named
	// here, by a server built with Go 1.27 or later; with an older one naming them is
	// an error. Their signatures take 3.2 to 6.2 KB of a token: see docs/guide.md.
	Algorithms []string `json:"algorithms,omitempty"`

	// TokenTypes are the values of the "typ" header accepted, without regard to
	// case or to a leading "application/". Empty means "JWT", and for a trust domain
	// "JOSE" too. "JWT" stands for a missing header too, and an empty type is an error. RFC
	// 9068 access tokens bear "at+jwt".
	TokenTypes []string `json:"token_types,omitempty"`

	// Bound says whether tokens are bound to a key or a certificate that their bearer
	// must have ("cnf", RFC 7800). With "require" one that is not is refused, and with
	// "refuse" one that is, both with [ErrTokenType]. Empty means that both kinds are
	// accepted: bound ones with the proof that [Config.DPoP] and [Config.Certificate]
	// check, and without those that it takes they are refused. With several members in
	// "cnf" each that is known here (jkt, x5t#S256) has to be proved.
	Bound string `json:"bound,omitempty"`

	// Keys say where the issuer's keys come from. Their zero value is enough for an
	// issuer that is reached at URL: its discovery document says so.
	Keys KeysFrom `json:"keys,omitzero"`

	// Leeway takes the place of [Config.Leeway] for the tokens of this issuer, whose
	// clock may be worse than others'. Zero means Config's, negative means none, and
	// what else is not a millisecond to 5 minutes is an error. In JSON it counts nanoseconds.
	Leeway time.Duration `json:"leeway,omitempty"`

	// Subject lists the claims that make up the subject of the [Identity]. Their
	// values, all strings that are not empty, are joined with "|", which only the last
	// may contain; "sub" is no part of it then. Empty means "sub". The subject has 1 to
	// 2048 bytes, SubjectPrefix included.
	//
	// An e-mail address makes a caller of whoever can enter it at the issuer, and of
	// its next owner. With a path that ends with "email" [New] wants a rule about
	// "email_verified" beside it: In: []string{"true"}, or Absent where the issuer
	// has no such claim and lets nobody else enter addresses.
	Subject []Path `json:"subject,omitempty"`

	// SubjectElse takes the place of Subject in a token that has none of the
	// claims of Subject, or only empty strings there. The values of both share
	// one space: use it only with an issuer that never gives a caller of one kind
	// the value of another. Empty means that such a token is refused.
	SubjectElse []Path `json:"subject_else,omitempty"`

	// NumericSubject is for an issuer that names callers by numbers: the subject, "sub"
	// or the one claim of Subject, must be an integer of JSON from 0 to 2^53-1, written
	// in digits alone. Its digits are the [Claims.Subject], so that a string is refused:
	// "7" and 7 would be one caller. A logout token may have them in a string. False
	// means that the subject is a string.
	NumericSubject bool `json:"numeric_subject,omitempty"`

	// Roles lists the claims that hold the caller's roles. Empty means "roles" (RFC
	// 9068, section 2.2.3.1). In such a claim the strings of an array are roles, a
	// string is one role, and so is the name of an object's member whose value is
	// true. Everything else grants nothing: a member whose value is false, null, a
	// number, a string, an array or an object; an array with one element that is no
	// string, as a whole; a number or a boolean; an empty name. A path has a name for
	// each level, as in {"realm_access", "roles"}: dots and slashes are part of a name.
	// [Authenticator.Explain] says of a token which claims there grant nothing, and why.
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
	// use, must not block, and must be safe for concurrent use. One that panics
	// refuses the token with [ErrAnswerUnavailable], and the log says where.
	Rules []Rule `json:"-"`

	// Supplement supplies roles and further claims that the token does not hold: the issuer's
	// userinfo, the program's own table. It is asked about a token that everything else has
	// been checked of, revocations included, but for the proof of what it is bound to, once
	// for all that wait for the same token, and again when AnswerAge is over and the token is
	// presented, or a call is made on a session of it, which keeps the token for that. It gets
	// the claims without supplement, and the token, which it must not log. It must return when
	// its context ends, after 5 seconds or when the [Authenticator] is closed, and be safe for
	// concurrent use; 32 questions of a description run at once, and a token waits for its
	// turn for half of the 5 seconds.
	//
	// The answer is a JSON object by the rules for payloads, of no more bytes than
	// [Config.MaxTokenBytes]. Nil is an answer too. It never takes the place of what the token
	// says: an answer with a registered claim in it (iss, sub, aud, exp, nbf, iat, jti, azp,
	// sid, scope, client_id and others), or with one that Subject, SubjectElse, TenantClaim or
	// AudienceClaim names, or has its path begin with, is refused and logged. The roles in it,
	// where Roles says, are added to those of the token, ClaimRules with Supplement and all of
	// Rules see it, and [Claims.Supplement] returns it.
	//
	// An error that is [ErrRevoked] refuses the token with that: whoever was asked
	// says that it is good no longer. Any other error, a panic, an answer that is
	// late or refused is [ErrAnswerUnavailable], stands for a second, and never lets
	// an answer serve for longer than AnswerAge. One that has a method RetryAfter, which
	// returns a [time.Duration], stands for so long, half of AnswerAge and a minute at most.
	// After failures about eight callers in a row ten questions a second are put until one is
	// answered; that a question had no turn is no failure. Nil asks nobody.
	Supplement func(ctx context.Context, c *Claims, token string) (json.RawMessage, error) `json:"-"`

	// Introspect makes the issuer's tokens opaque: it is asked what a token stands for
	// (RFC 7662), and returns the JSON of the answer, of no more bytes than
	// [Config.MaxTokenBytes]. Package introspect has such functions. The description
	// is of opaque tokens alone then: a JWT that names the issuer is never asked
	// about, and needs a description of its own, with another Name.
	//
	// A token comes here by its form, and nothing else of it is looked at: it begins
	// with OpaquePrefix, has visible characters alone, and is not shaped like a JWT, by
	// three parts or "eyJ" in front of one dot. The answer counts if its "active" is
	// true; false, or an error that is [ErrRevoked], refuses the token with that, and
	// any other answer or error is [ErrAnswerUnavailable]. An "iss" in it must be URL
	// or an alias. Without one the answer is that of the issuer who gave it, and
	// [Claims.Payload] has URL as "iss" in front of the rest. Then the answer is judged
	// as a payload is: by its times, of which "exp" must be there, Audiences, subject,
	// and so on; some issuers need AudienceClaim or Subject for that. A "token_type"
	// that is not Bearer (or DPoP, with "cnf"), and a "token_use" that is not
	// access_token or access, are refused. What "cnf" binds the token to is proved as
	// with JWTs; see Bound.
	//
	// An answer serves for AnswerAge, and never beyond the token's expiry. Then a use
	// of the token asks again, and for live sessions it is asked again at some moment
	// between a half and all of AnswerAge. They end when the answer turns. While there
	// is no answer, tokens are refused with ErrAnswerUnavailable once theirs is too
	// old, and so are calls on sessions; a session ends when its answer is five times
	// as old as AnswerAge. All who ask about one token share a question.
	//
	// Since every text may be a token, everybody can cause questions. Those about
	// tokens that have not been found good stand in line, 16 at once and 100 a second
	// for a description, and the caller has the next turn who had none for the longest
	// time, as [AnyIssuer] says. 64 wait at most: who has no place, or waits for two
	// seconds, is refused with ErrAnswerUnavailable. In its time of 5 seconds, its
	// concurrency and its context it is as Supplement, and its errors must not hold the
	// token.
	Introspect func(ctx context.Context, token string) (json.RawMessage, error) `json:"-"`

	// OpaquePrefix is what the opaque tokens of the issuer begin with, such as
	// "ory_at_": 64 bytes of visible characters at most. Empty means that every opaque
	// token is asked about at this issuer, which must be the only one then. [New] and
	// [Authenticator.SetIssuers] refuse prefixes of which one begins with another.
	OpaquePrefix string `json:"opaque_prefix,omitempty"`

	// AnswerAge is how long an answer of Supplement or Introspect counts, from when it
	// was asked for, and never beyond the token's expiry. Zero means a minute; negative or
	// below a millisecond is an error, and any without either of them.
	AnswerAge time.Duration `json:"-"`
}

// validate reports the contradictions in the issuer's description, all at once.
func (i *Issuer) validate() error {
	for _, name := range append([]string{i.URL}, i.Aliases...) {
		if err := policy.CheckIssuerName(name); err != nil {
			return fmt.Errorf("oidcauth: %w", err)
		}
	}
	if i.hasPassword() { // which no other error may repeat
		return fmt.Errorf("oidcauth: issuer %s: URL: there is user information in it, and no issuer's name has that", refusal.QuoteAddress(i.URL))
	}
	if i.hasQuery() { // as before: it may hold a key
		return fmt.Errorf("oidcauth: issuer %s: URL: an issuer's URL has neither query nor fragment: write it as the tokens' \"iss\" has it; an address with a query may be the DiscoveryURL or the JWKSURL of Keys", refusal.QuoteAddress(i.URL))
	}
	checks := []func() error{
		i.checkDescription, i.checkTenants, i.checkAudiences, i.checkLogoutBy, i.checkAlgorithms, i.checkTypes, i.checkBound, i.checkKeys, i.checkLeeway, i.checkPaths, i.checkEmail, i.checkRoleForm, i.checkRules, i.checkSupplement, i.checkIntrospect,
	}
	var wrong []error
	for _, check := range checks {
		wrong = append(wrong, check())
	}
	return errors.Join(wrong...)
}

// hasPassword reports whether the issuer's own address, at which its keys are looked for,
// has user information.
func (i *Issuer) hasPassword() bool {
	return quote.HasUser(i.URL) && i.Keys.fetched() && i.Keys.DiscoveryURL == "" && i.Keys.JWKSURL == ""
}

// hasQuery reports whether the issuer's name is an address that no issuer can have.
func (i *Issuer) hasQuery() bool {
	return i.Keys.Source == nil && strings.Contains(i.URL, "://") && strings.ContainsAny(i.URL, "?#")
}

// checkDescription checks what tells the description from others.
func (i *Issuer) checkDescription() error {
	for _, field := range []struct{ name, text string }{{"Name", i.Name}, {"SubjectPrefix", i.SubjectPrefix}} {
		text := field.text
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || len(text) > maxDescriptionName {
			return fmt.Errorf("oidcauth: issuer %q: %s: got %s, want at most %d bytes of text", i.URL, field.name, refusal.Quote(text), maxDescriptionName)
		}
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
		if jws.IsMLDSA(alg) && jws.CheckMLDSA() != nil {
			return fmt.Errorf("oidcauth: issuer %q: algorithm %q: %w", i.URL, alg, jws.CheckMLDSA())
		}
		if upper := slices.IndexFunc(jws.Algorithms(), func(known string) bool { return known != alg && strings.EqualFold(known, alg) }); upper >= 0 {
			return fmt.Errorf("oidcauth: issuer %q: got algorithm %q, want %q: names are matched exactly", i.URL, alg, jws.Algorithms()[upper])
		}
		if !jws.Known(alg) {
			return fmt.Errorf("oidcauth: issuer %q: got algorithm %q, want %s: signatures by a private key alone, which a server that verifies does not have", i.URL, alg, refusal.OneOf(jws.Algorithms()))
		}
		if slices.Contains(i.Algorithms[:n], alg) {
			return fmt.Errorf("oidcauth: issuer %q: algorithm %q is listed twice", i.URL, alg)
		}
	}
	return nil
}

func (i *Issuer) checkLeeway() error {
	switch {
	case i.Leeway > maxLeeway:
		return fmt.Errorf("oidcauth: issuer %q: Leeway: got %v, want at most %v", i.URL, i.Leeway, maxLeeway)
	}
	if err := policy.CheckDuration(i.Leeway); err != nil {
		return fmt.Errorf("oidcauth: issuer %q: Leeway: %w", i.URL, err)
	}
	return nil
}

// tolerance returns the leeway that a setting which is not zero stands for.
func tolerance(setting time.Duration) time.Duration {
	return max(setting, 0).Truncate(time.Microsecond) // as fine as a claims.Time is
}

func (i *Issuer) checkTypes() error {
	for _, typ := range i.TokenTypes {
		if policy.MediaType(typ) == "" {
			return fmt.Errorf("oidcauth: issuer %q: TokenTypes: a type is empty: \"JWT\" stands for tokens that have none", i.URL)
		}
		if policy.NeverAuthenticates(policy.MediaType(typ)) {
			return fmt.Errorf("oidcauth: issuer %q: tokens of type %q never authenticate", i.URL, typ)
		}
	}
	return nil
}

func (i *Issuer) checkBound() error {
	switch i.Bound {
	case "", policy.BoundRequired, policy.BoundRefused:
		return nil
	}
	return fmt.Errorf("oidcauth: issuer %q: Bound: got %s, want %q, %q or none", i.URL, refusal.Quote(i.Bound), policy.BoundRequired, policy.BoundRefused)
}

func (i *Issuer) checkPaths() error {
	for _, p := range slices.Concat(i.Subject, i.SubjectElse, i.Roles) {
		if !p.IsValid() {
			return fmt.Errorf("oidcauth: issuer %q: a path to a claim is empty or has an empty name", i.URL)
		}
	}
	if i.NumericSubject && (len(i.Subject) > 1 || len(i.SubjectElse) > 0) {
		return fmt.Errorf("oidcauth: issuer %q: NumericSubject wants one claim: got several in Subject, or SubjectElse, whose values would share one space with the numbers", i.URL)
	}
	return nil
}

// checkEmail refuses a subject that is an e-mail address of which nobody says
// whether it was verified.
func (i *Issuer) checkEmail() error {
	for _, p := range slices.Concat(i.Subject, i.SubjectElse) {
		last := len(p) - 1
		if prefix, isEmail := strings.CutSuffix(p[last], "email"); isEmail && !endsInWord(prefix) {
			verified := append(slices.Clone(p[:last]), p[last]+"_verified")
			if !slices.ContainsFunc(i.ClaimRules, func(r ClaimRule) bool { return r.vouchesFor(verified) }) {
				return fmt.Errorf("oidcauth: issuer %q: the subject is an e-mail address, %s: want a rule on %s, In: []string{\"true\"}, or Absent where the issuer has no such claim and verifies every address", i.URL, p, verified)
			}
		}
	}
	return nil
}

// endsInWord reports whether the letters of a word go on: "femail" is none.
func endsInWord(prefix string) bool {
	return prefix != "" && strings.IndexByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", prefix[len(prefix)-1]) >= 0
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

// logoutBySession is the value of [Issuer.LogoutBy] for one login session.
const logoutBySession = "sid"

func (i *Issuer) checkLogoutBy() error {
	if i.LogoutBy == "" || i.LogoutBy == logoutBySession {
		return nil
	}
	return fmt.Errorf("oidcauth: issuer %q: LogoutBy: got %s, want %q or none", i.URL, refusal.Quote(i.LogoutBy), logoutBySession)
}

// checkTenants reports the first contradiction about tenants.
func (i *Issuer) checkTenants() error {
	if i.TenantClaim == "" {
		if len(i.Tenants) > 0 {
			return fmt.Errorf("oidcauth: issuer %q: Tenants without TenantClaim", i.URL)
		}
		return nil
	}
	_, err := policy.NewTenants(i.URL, i.TenantClaim, i.Tenants)
	switch {
	case err != nil:
		return fmt.Errorf("oidcauth: issuer %q: %w", i.URL, err)
	case len(i.Aliases) > 0:
		return fmt.Errorf("oidcauth: issuer %q: both TenantClaim and Aliases are set", i.URL)
	case i.Keys.DiscoveryURL == "" && i.Keys.JWKSURL == "" && len(i.Keys.JWKS) == 0:
		return fmt.Errorf("oidcauth: issuer %q: a template is no address: set DiscoveryURL, JWKSURL or JWKS in Keys", i.URL)
	}
	return nil
}

// policy says what the tokens of a valid description must be like.
func (i *Issuer) policy() policy.Policy {
	p := policy.Policy{
		URL:           i.URL,
		Name:          i.Name,
		Names:         append([]string{i.URL}, i.Aliases...),
		Audiences:     slices.Clone(i.Audiences),
		AnyAudience:   i.InsecureAnyAudience,
		DedicatedKeys: i.DedicatedKeys,
		AudienceClaim: i.AudienceClaim,
		Logout:        slices.Clone(i.LogoutAudiences),
		LogoutBySID:   i.LogoutBy == logoutBySession,
		Algorithms:    slices.Clone(i.Algorithms),
		Types:         slices.Clone(i.TokenTypes),
		RequireKeyID:  i.Keys.RequireKeyID,
		ReusesKeyIDs:  i.Keys.ReusesKeyIDs,
		Opaque:        i.Introspect != nil,
		Demands:       demands(i.ClaimRules),
		Bound:         i.Bound,
		Shape: claims.Shape{
			Subject:     claims.ClonePaths(i.Subject),
			SubjectElse: claims.ClonePaths(i.SubjectElse),
			Numeric:     i.NumericSubject,
			Roles:       claims.ClonePaths(i.Roles),
			RoleForm:    claims.RoleForm{Separator: i.RoleSeparator, Objects: i.RoleObjects},
		},
	}
	if i.TenantClaim != "" {
		p.Tenants, _ = policy.NewTenants(i.URL, i.TenantClaim, i.Tenants) // checkTenants has seen that it is one
	}
	p.Complete()
	return p
}
