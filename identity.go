package oidcauth

import "github.com/oidcauth/oidcauth/identity"

// An Identity says who a caller is, in 32 bytes: the same issuer and subject
// have the same identity on every server and for ever. Package identity derives
// and parses it.
type Identity = identity.Identity
