package oidctest

import (
	"crypto/rand"
	"maps"
	"time"
)

// LogoutLifetime is how long logout tokens live that are given no "exp".
const LogoutLifetime = 2 * time.Minute

// LogoutEvent is the member of "events" that makes a token a logout token (OpenID
// Connect Back-Channel Logout 1.0, section 2.4).
const LogoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// LogoutToken returns a logout token signed with the current key, of type
// "logout+jwt", with the claims given: "sub", "sid" or both say what it ends, and
// "aud" for which client. "iss", "iat" (now), "exp" ([LogoutLifetime] from now), a
// "jti" that no other token has, "events" and the "aud" of [Config].Claims are filled
// in, as is an "iss" of these. A nil value leaves the claim out. The server gets it as
// "logout_token" in a form.
func (i *Issuer) LogoutToken(claims map[string]any) string {
	i.helper()
	filled := make(map[string]any)
	for name := range i.claims { // which are for tokens that let somebody in
		if name != "aud" && name != "iss" {
			filled[name] = nil
		}
	}
	now := i.now()
	filled["sub"], filled["jti"], filled["iat"], filled["exp"] = nil, rand.Text(), now, now.Add(LogoutLifetime)
	filled["events"] = map[string]any{LogoutEvent: map[string]any{}}
	maps.Copy(filled, claims)
	return i.Sign(map[string]any{"typ": "logout+jwt"}, i.fill(filled))
}
