package members

import (
	"reflect"
	"strings"
)

// suggestion says what a name that is not known may stand for: another of the same
// object, or a member of that name elsewhere.
func (r *reader) suggestion(name string, known []Member) string {
	names := make([]string, len(known))
	for i, m := range known {
		names[i] = m.Name
	}
	near := Nearest(name, names)
	if near == "" {
		near = r.table.elsewhere(name, r.whole, "", nil)
	}
	return didYouMean(near)
}

func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean " + name + "?"
}

// Nearest returns the name that takes the fewest slips of the pen to become the one
// given, or else one that says it longer or shorter; nothing if there is neither.
func Nearest(given string, names []string) string {
	best, least := "", 1+max(1, len(given)/3)
	for _, name := range names {
		if n := slips(fold(given), fold(name)); n < least {
			best, least = name, n
		}
	}
	for _, name := range names {
		longer := strings.HasPrefix(name, given+"_") // secret_file for secret
		shorter := len(name) > 2 && strings.HasPrefix(given, name)
		if best == "" && given != "" && (longer || shorter) {
			best = name
		}
	}
	return best
}

// fold makes equal what differs in case and in what stands between words alone.
func fold(name string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
}

// slips counts the letters that were inserted, left out, replaced, or exchanged with
// their neighbours.
func slips(a, b string) int {
	var before, last []int
	for j := range len(b) + 1 {
		last = append(last, j)
	}
	for i := range len(a) {
		row := []int{i + 1}
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			n := min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				n = min(n, before[j-1]+1)
			}
			row = append(row, n)
		}
		before, last = last, row
	}
	return last[len(b)]
}

// elsewhere returns the path of the first member of that name in the file, as
// "issuers[].keys.jwks_url", or nothing.
func (t *Table) elsewhere(name string, typ reflect.Type, path string, above []reflect.Type) string {
	for _, a := range above {
		if a == typ {
			return ""
		}
	}
	found := ""
	for _, m := range t.Of(typ) {
		at := under(path, m.Name)
		if m.Name == name {
			return at
		}
		if inner, marks := object(m.Type); inner != nil && found == "" {
			found = t.elsewhere(name, inner, at+marks, append(above, typ))
		}
	}
	return found
}

// Object returns the struct that a member is, or has many of, or nil.
func Object(typ reflect.Type) reflect.Type {
	inner, _ := object(typ)
	return inner
}

// object returns the struct that a member is, or has many of, and what stands for
// one of them in a path.
func object(typ reflect.Type) (inner reflect.Type, marks string) {
	for {
		switch {
		case reflect.PointerTo(typ).Implements(ownType), reflect.PointerTo(typ).Implements(textType):
			return nil, ""
		case typ.Kind() == reflect.Struct:
			return typ, marks
		case typ.Kind() == reflect.Slice:
			marks += "[]"
		case typ.Kind() == reflect.Map:
			marks += ".*"
		case typ.Kind() != reflect.Pointer:
			return nil, ""
		}
		typ = typ.Elem()
	}
}
