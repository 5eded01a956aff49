package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// LINE describes LINE Login, by the IDs of its channels.
//
// Send the ID token. LIFF apps and LINE's SDKs get one by ES256; that of the web flow has
// a MAC by the channel's secret (HS256), and is refused: let a broker log these people
// in.
//
// The identity rests on "sub", the user's ID, which is another one at each provider of
// LINE's console, and the same in all channels of one. There are no roles. A token lives
// for an hour.
func LINE(channelIDs ...string) oidcauth.Issuer {
	for _, id := range channelIDs {
		if !made(id, digits) {
			return refused("LINE", "channel ID", id, "digits")
		}
	}
	return oidcauth.Issuer{
		URL:        "https://access.line.me",
		Audiences:  slices.Clone(channelIDs),
		Algorithms: []string{"ES256"},
	}
}
