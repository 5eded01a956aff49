package claims

import (
	"slices"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// WithRoles returns the record with the roles in members, which somebody else than
// the token says, behind its own. They are looked for where the token's are, and
// count if they are written as those must be.
func (r *Record) WithRoles(members []jws.Member, shape *Shape) Record {
	reader := Reader{Members: members, Shape: shape}
	next := *r
	next.Lists = slices.Clip(reader.appendRoles(slices.Clone(r.Lists)))
	return next
}
