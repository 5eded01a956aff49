package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/oidcauth/oidcauth/cmd/oidcauth/internal/members"
)

// describeMembers returns what the help says of the members of a struct, those of the
// command's own structs in it included.
func describeMembers(typ reflect.Type) string {
	var out strings.Builder
	writeMembers(&out, typ, 2)
	return out.String()
}

func writeMembers(out *strings.Builder, typ reflect.Type, margin int) {
	const column, width = 23, 80
	for _, m := range fileTable.Of(typ) {
		text := strings.Split(wrap(m.About, width-column), "\n")
		name := strings.Repeat(" ", margin) + m.Name
		if len(name) > column-2 {
			fmt.Fprintln(out, name)
			name = ""
		}
		for i, line := range text {
			if i > 0 {
				name = ""
			}
			fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("%-*s%s", column, name, line), " "))
		}
		if inner := members.Object(m.Type); inner != nil && inner.PkgPath() == typ.PkgPath() && !embeds(inner) {
			writeMembers(out, inner, margin+2)
		}
	}
}

// embeds reports whether a struct has the members of a library's, which the schema
// shows and the help does not repeat.
func embeds(typ reflect.Type) bool {
	for field := range typ.Fields() {
		if field.Anonymous {
			return true
		}
	}
	return false
}
