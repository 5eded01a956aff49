package claims

import (
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// RoleText is the separator of roles in strings of JSON text.
const RoleText = "json"

// A RoleForm says how an issuer writes roles beyond what every issuer may write.
// Its zero value is the strict one.
type RoleForm struct {
	Separator string // of the roles in a string; empty where a string is one role
	Objects   bool   // a member whose value is an object can be a role
}

// appendRoles appends the roles at all of the issuer's paths to dst. What is not
// written as the issuer's description says grants none.
func (r *Reader) appendRoles(dst []string) []string {
	for _, path := range r.Shape.Roles {
		if m, found := r.memberAt(path); found {
			dst = r.Shape.RoleForm.append(dst, m)
		}
	}
	return dst
}

// IdleRoles returns the paths of the issuer's that lead to a claim with something in
// it that grants no role, because the issuer's description does not say that roles
// are written so.
func (r *Reader) IdleRoles() []string {
	var idle []string
	for _, path := range r.Shape.Roles {
		m, found := r.memberAt(path)
		if found && !IsEmpty(m) && len(r.Shape.RoleForm.append(nil, m)) == 0 {
			idle = append(idle, path.String())
		}
	}
	return idle
}

// NestedRoles returns the claims that the token has where a path of the issuer's was meant
// to lead, but that is written as one name: "realm_access.roles" names no claim where
// "realm_access" is an object.
func (r *Reader) NestedRoles() []Path {
	var meant []Path
	for _, path := range r.Shape.Roles {
		if _, found := r.memberAt(path); found {
			continue
		}
		levels := Path(strings.FieldsFunc(path.String(), func(c rune) bool { return c == '.' || c == '/' }))
		if _, found := r.memberAt(levels); found {
			meant = append(meant, levels)
		}
	}
	return meant
}

// IsEmpty reports whether a claim holds nothing in whatever form: null, or no
// characters, elements or members.
func IsEmpty(m jws.Member) bool {
	switch m.Kind {
	case jws.Null:
		return true
	case jws.String:
		return m.Value == `""`
	case jws.Array, jws.Object:
		return strings.Trim(m.Value[1:len(m.Value)-1], " \t\r\n") == ""
	}
	return false
}

// append appends the roles in one claim. An empty name is none.
func (f RoleForm) append(dst []string, m jws.Member) []string {
	before := len(dst)
	switch m.Kind {
	case jws.Array:
		// Half of an array that is not understood could be the better half.
		dst, _ = m.AppendStrings(dst)
	case jws.String:
		if text, err := m.Text(); err == nil {
			dst = f.appendText(dst, text)
		}
	case jws.Object:
		dst = f.appendNames(dst, m)
	}
	added := slices.DeleteFunc(dst[before:], func(role string) bool { return role == "" })
	return dst[:before+len(added)]
}

// appendText appends the roles in a string.
func (f RoleForm) appendText(dst []string, text string) []string {
	switch f.Separator {
	case "":
		return append(dst, text)
	case RoleText:
		return appendArrayText(dst, text)
	}
	for part := range strings.SplitSeq(text, f.Separator) {
		dst = append(dst, strings.Trim(part, " "))
	}
	return dst
}

// appendArrayText appends the strings in the JSON text of an array. The text is
// read by the rules for payloads, as the only member of an object.
func appendArrayText(dst []string, text string) []string {
	members, err := jws.ParseObject(nil, `{"":`+text+`}`)
	if err != nil || len(members) != 1 {
		return dst
	}
	dst, _ = members[0].AppendStrings(dst)
	return dst
}

// appendNames appends the names of an object's members that are roles.
func (f RoleForm) appendNames(dst []string, m jws.Member) []string {
	members, err := jws.ParseObject(nil, m.Value)
	if err != nil {
		return dst
	}
	for _, role := range members {
		if role.Value == "true" || f.Objects && isGrant(role) {
			dst = append(dst, role.Name)
		}
	}
	return dst
}

// isGrant reports whether a member's value is an object that says where a role was
// granted: strings that are not empty, one at least.
func isGrant(m jws.Member) bool {
	if m.Kind != jws.Object {
		return false
	}
	members, err := jws.ParseObject(nil, m.Value)
	noGrant := func(by jws.Member) bool { return by.Kind != jws.String || by.Value == `""` }
	return err == nil && len(members) > 0 && !slices.ContainsFunc(members, noGrant)
}
