package issuers

import "github.com/oidcauth/oidcauth"

// Zitadel describes a Zitadel instance by its URL
// ("https://example.zitadel.cloud") and the ID of the project that stands for
// this server, as a number.
//
// Send the access token, of an application or service user that is set to JWT:
// others are opaque. The project is among the audiences if the client asked for
// the scope "urn:zitadel:iam:org:project:id:PROJECT:aud". ID tokens of the
// project's own applications have the same audience, and are accepted too.
//
// The identity rests on "sub", the user's ID, which is stable. Roles are the
// project's, which Zitadel writes as the names of an object; their values, the
// organizations that a role was granted in, are not looked at: where a project is
// granted to other organizations, handlers must check those too. Tokens have no
// scopes. In a sample a token lives twelve hours: a socket can live as long.
//
// Unconfirmed: the token's header.
func Zitadel(instance, project string) oidcauth.Issuer {
	switch {
	case !isURL(instance):
		return refused("Zitadel", "instance", instance, "a URL such as https://example.zitadel.cloud")
	case !made(project, digits):
		return refused("Zitadel", "project", project, "the project's ID, digits")
	}
	return oidcauth.Issuer{
		URL:         instance,
		Audiences:   []string{project},
		Algorithms:  []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"},
		TokenTypes:  []string{"JWT", "at+jwt"},
		Roles:       []oidcauth.Path{{"urn:zitadel:iam:org:project:" + project + ":roles"}},
		RoleObjects: true,
	}
}
