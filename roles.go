package oidcauth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// roleText is the value of [Issuer.RoleSeparator] for strings of JSON text.
const roleText = "json"

// A roleForm says how an issuer writes roles beyond what every issuer may write.
// Its zero value is the strict one.
type roleForm struct {
	separator string // of the roles in a string; empty where a string is one role
	objects   bool   // a member whose value is an object can be a role
}

func (i *Issuer) checkRoleForm() error {
	switch i.RoleSeparator {
	case "", ",", " ", roleText:
		return nil
	}
	return fmt.Errorf("oidcauth: issuer %q: RoleSeparator: got %s, want \",\", \" \", %q or none", i.URL, refusal.Quote(i.RoleSeparator), roleText)
}

// appendRoles appends the roles at all of the issuer's paths to dst. What is not
// written as the issuer's description says grants none.
func (e *evaluation) appendRoles(dst []string) []string {
	for _, path := range e.trust.roles {
		if m, found := e.memberAt(path); found {
			dst = e.trust.roleForm.append(dst, m)
		}
	}
	return dst
}

// append appends the roles in one claim. An empty name is none.
func (f roleForm) append(dst []string, m jws.Member) []string {
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
func (f roleForm) appendText(dst []string, text string) []string {
	switch f.separator {
	case "":
		return append(dst, text)
	case roleText:
		return appendArrayText(dst, text)
	}
	for part := range strings.SplitSeq(text, f.separator) {
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
func (f roleForm) appendNames(dst []string, m jws.Member) []string {
	members, err := jws.ParseObject(nil, m.Value)
	if err != nil {
		return dst
	}
	for _, role := range members {
		if role.Value == "true" || f.objects && isGrant(role) {
			dst = append(dst, role.Name)
		}
	}
	return dst
}

// isGrant reports whether a member's value is an object as [Issuer.RoleObjects]
// describes it.
func isGrant(m jws.Member) bool {
	if m.Kind != jws.Object {
		return false
	}
	members, err := jws.ParseObject(nil, m.Value)
	noGrant := func(by jws.Member) bool { return by.Kind != jws.String || by.Value == `""` }
	return err == nil && len(members) > 0 && !slices.ContainsFunc(members, noGrant)
}
