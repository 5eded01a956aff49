// Package members reads a configuration file: one JSON object, whose members are the
// fields of a struct. The struct is the table of them: what reads the file, what
// checks it, the JSON schema and the help are all made of it. A member is one field:
//
//	LogFormat string `json:"log_format" about:"the form of the log" values:"text json"`
//
// The tags are
//
//	json    the name, which the file must have exactly so; "-" is no member
//	about   what it does, in half a sentence, for the schema and the help
//	values  the texts that are permitted, with spaces between
//	live    "true" if a running server takes a change of it; any other member's change
//	        needs a restart, and is refused by its name
//
// Members of structs that bear no about of their own, because they are a library's,
// have it in [Table.About].
//
// A member that is not known, that comes twice or has another type is a mistake; so
// is what its type says in a method Check. All mistakes are told at once. Null means
// absent, or is one, too: see [Table.NoNull].
package members

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// A Table says how a configuration file is read. The zero Table knows no more than
// what the tags of the structs say.
type Table struct {
	// NoNull has null be a mistake: it is what programs write for a variable that nobody
	// has set, and a demand that is left out is one less.
	NoNull bool
	// About has what members do whose tags do not say it, by struct and name.
	About map[reflect.Type]map[string]string
	// Schemas are of types that read themselves, and of library's.
	Schemas map[reflect.Type]map[string]any
}

// A Member is one of a struct's.
type Member struct {
	Name   string
	About  string
	Values []string     // the texts permitted; none: all
	Live   bool         // a running server takes a change
	Type   reflect.Type // of its value
	index  []int
}

// A Checker is a struct that has more to say about its members than their types. Its
// Check calls report for each mistake, with the name of the member, or with none for
// the struct as a whole.
type Checker interface {
	Check(report func(member, text string))
}

// Of returns the members of a struct, in its order, those of embedded structs in
// place of these. A field of the struct itself takes precedence over an embedded
// one's of the same name.
func (t *Table) Of(typ reflect.Type) []Member {
	var all []Member
	at := make(map[string]int)
	var walk func(typ reflect.Type, index []int)
	walk = func(typ reflect.Type, index []int) {
		for field := range typ.Fields() {
			here := append(append([]int{}, index...), field.Index...)
			if field.Anonymous && field.Tag.Get("json") == "" {
				walk(field.Type, here)
				continue
			}
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" || name == "-" {
				continue
			}
			m := Member{
				Name: name, Type: field.Type, index: here, Live: field.Tag.Get("live") == "true",
				About: field.Tag.Get("about"), Values: strings.Fields(field.Tag.Get("values")),
			}
			if text := t.About[typ][name]; text != "" {
				m.About = text
			}
			if i, known := at[name]; !known {
				at[name] = len(all)
				all = append(all, m)
			} else if len(here) < len(all[i].index) {
				all[i] = m
			}
		}
	}
	walk(typ, nil)
	return all
}

var (
	rawType       = reflect.TypeFor[json.RawMessage]()
	ownType       = reflect.TypeFor[json.Unmarshaler]()
	textType      = reflect.TypeFor[encoding.TextUnmarshaler]()
	checkerType   = reflect.TypeFor[Checker]()
	describedType = reflect.TypeFor[interface{ Want() string }]()
)

// want says what a value of the type has to be, in the words of a reader of the file.
func want(typ reflect.Type) string {
	switch {
	case reflect.PointerTo(typ).Implements(describedType):
		return reflect.New(typ).Interface().(interface{ Want() string }).Want()
	case typ == rawType:
		return "a value"
	case reflect.PointerTo(typ).Implements(textType):
		return "a text"
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return want(typ.Elem())
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	}
	return "a text"
}

// Value returns the member of a struct that [Table.Of] returned it for.
func (m Member) Value(of reflect.Value) any { return of.FieldByIndex(m.index).Interface() }
