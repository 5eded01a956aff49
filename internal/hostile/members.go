package hostile

import (
	"strings"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Members are the members of a JSON object in their order: names without
// quotes, values as JSON text.
type Members [][2]string

// Set returns a copy with the member changed, added, or for "" removed.
func (m Members) Set(name, value string) Members {
	var changed Members
	found := false
	for _, member := range m {
		if member[0] == name {
			found = true
			member[1] = value
		}
		if member[1] != "" {
			changed = append(changed, member)
		}
	}
	if !found && value != "" {
		changed = append(changed, [2]string{name, value})
	}
	return changed
}

// With returns a copy with a member more, whether or not it is there already.
func (m Members) With(name, value string) Members {
	return append(m[:len(m):len(m)], [2]string{name, value})
}

// String returns the object.
func (m Members) String() string {
	var parts []string
	for _, member := range m {
		parts = append(parts, `"`+member[0]+`":`+member[1])
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// Expiry is a time that tokens of tests expire at: long from now.
const Expiry = "4102444800"

// Claims are the claims of a token that is accepted.
func Claims(issuer string) Members {
	return Members{
		{"iss", `"` + issuer + `"`}, {"sub", `"alice"`}, {"aud", `"` + authtest.Audience + `"`},
		{"exp", Expiry}, {"iat", "1700000000"},
	}
}

// Header is the header that goes with a key.
func Header(k *oidctest.Key) Members {
	return Members{{"alg", `"` + k.Algorithm() + `"`}, {"kid", `"` + k.ID() + `"`}, {"typ", `"JWT"`}}
}
