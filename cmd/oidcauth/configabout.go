package main

import (
	"reflect"

	"github.com/oidcauth/oidcauth"
)

// libraryAbout has what the members of the library's types do, in the words of the
// schema. A field that the library gains gets its line here, which a test demands.
var libraryAbout = map[reflect.Type]map[string]string{
	reflect.TypeFor[oidcauth.Issuer](): {
		"url":                   `the issuer's name exactly as its tokens have it in "iss"`,
		"name":                  "tells the descriptions of one issuer apart, where it has several",
		"subject_prefix":        "stands in front of the subject in identities",
		"aliases":               `further values of "iss" that mean the same issuer`,
		"tenant_claim":          "the claim with the tenant's ID, where url is a template with a place in braces",
		"tenants":               "the tenants whose tokens are accepted; without it all",
		"audiences":             "the names of this server: a token must be for one of them",
		"insecure_any_audience": "true to accept tokens that are for anybody",
		"dedicated_keys":        "true if the issuer's keys sign for this application only",
		"logout_audiences":      "the names by which logout tokens know this server; none: audiences",
		"logout_by":             `"sid" for a logout that ends one login session alone`,
		"audience_claim":        `where audiences are looked for in place of "aud"`,
		"algorithms":            "the signature algorithms accepted; without it RS, PS and ES 256 to 512 and EdDSA",
		"token_types":           `the values of "typ" accepted; without it JWT; at+jwt for access tokens of RFC 9068`,
		"keys":                  "where the issuer's keys come from; without it, its discovery document says so",
		"subject":               `the claims that make the subject, in place of "sub"`,
		"subject_else":          "those that do in a token that has none of these",
		"numeric_subject":       "true if the issuer names callers by numbers",
		"roles":                 `where roles are, as [["realm_access", "roles"]]; without it "roles"`,
		"role_separator":        "what stands between several roles in one text, or json",
		"role_objects":          "true if an object's members are roles whose values are objects",
		"claim_rules":           "demands on further claims",
		"opaque_prefix":         `what the opaque tokens begin with that the issuer is asked about ("introspection"); without it every opaque token`,
	},
	reflect.TypeFor[oidcauth.KeysFrom](): {
		"discovery_url":       "where the discovery document is, if not below url",
		"jwks_url":            "where the keys are; then no discovery takes place",
		"jwks":                "the keys themselves, a JSON Web Key Set; then nothing is fetched",
		"ca_file":             "certificates (PEM) that the issuer's must lead to, in place of the system's",
		"token_file":          "a file whose text is sent as bearer token to the issuer",
		"require_key_id":      "true to refuse tokens without key ID",
		"reuses_key_ids":      "true if the issuer publishes new keys under old IDs",
		"insecure_http":       "true to allow http on the loopback interface",
		"insecure_http_hosts": "further hosts to which http is allowed",
	},
	reflect.TypeFor[oidcauth.AnyIssuer](): {
		"audiences":                 "the names of this server: a token must be for one of them",
		"insecure_any_audience":     "true to accept tokens that are for anybody",
		"algorithms":                "the signature algorithms accepted",
		"token_types":               `the values of "typ" accepted; without it JWT`,
		"roles":                     "where roles are; without it nobody has any",
		"keep_scopes":               "true to let the scopes of a token count",
		"claim_rules":               "demands on further claims",
		"max_issuers":               "how many issuers are remembered; without it 1000",
		"max_first_contacts":        "how much is asked of them at once; without it 16",
		"first_contacts_per_second": "and each second; without it 10",
		"deny_prefixes":             "addresses that are never connected to",
		"deny_hosts":                "names that are never asked, with all below them",
	},
	reflect.TypeFor[oidcauth.ClaimRule](): {
		"claim":      `the path to the claim, as ["email_verified"]`,
		"supplement": "true to look for it in what was supplied",
		"in":         "one value at least must be among these",
		"all":        "each of these must be a value",
		"not_in":     "no value may be among these",
		"prefix":     "one value at least must begin with one of these",
		"suffix":     "one value at least must end with one of these",
		"differs":    `the path to a claim that must be there, and have no value of this one's, as ["client_id"]`,
		"present":    "true: it must be there and hold something",
		"absent":     "true: it must not be there",
		"optional":   "true: it may be missing",
		"or":         "rules of which any is enough instead",
	},
}
