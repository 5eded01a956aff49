package members

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Read reads data into the struct that into points to. Its error is [Mistakes], all
// that there are, in the order of the file; the struct is of no use then.
func (t *Table) Read(data []byte, into any) error {
	r := &reader{table: t, data: data, whole: reflect.TypeOf(into).Elem()}
	if root := parse(data, &r.mistakes); root != nil {
		r.value(reflect.ValueOf(into).Elem(), root, "")
	}
	return r.mistakes.inOrder()
}

// A reader is one call of Read.
type reader struct {
	table    *Table
	data     []byte
	whole    reflect.Type
	mistakes Mistakes
}

func (r *reader) wrong(n *node, path, format string, args ...any) {
	r.mistakes.add(r.data, n.offset, path, fmt.Sprintf(format, args...))
}

// mistyped notes that a value has another type than its member.
func (r *reader) mistyped(n *node, path, want string) {
	r.wrong(n, path, "got %s, want %s", n.kind(), want)
}

// value sets v to what the node says, and notes what keeps it from that.
func (r *reader) value(v reflect.Value, n *node, path string) {
	switch typ := v.Type(); {
	case n.value == nil && r.table.NoNull:
		r.wrong(n, path, "got null, want %s: leave it out if nothing is meant", want(typ))
	case n.value == nil:
		return
	case typ == rawType:
		v.SetBytes(slices.Clone(n.raw))
	case reflect.PointerTo(typ).Implements(ownType):
		if err := v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(n.raw); err != nil {
			r.wrong(n, path, "%v", err)
		}
	case reflect.PointerTo(typ).Implements(textType):
		r.text(v, n, path)
	default:
		r.byKind(v, n, path)
	}
}

// text sets v, which reads texts itself.
func (r *reader) text(v reflect.Value, n *node, path string) {
	text, ok := n.value.(string)
	if !ok {
		r.mistyped(n, path, want(v.Type()))
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		r.wrong(n, path, "%v", err)
	}
}

// byKind sets v, whose type says nothing of how it is read.
func (r *reader) byKind(v reflect.Value, n *node, path string) {
	ok := true
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.value(v.Elem(), n, path)
	case reflect.Struct:
		if ok = n.value == json.Delim('{'); ok {
			r.object(v, n, path)
		}
	case reflect.Map:
		if ok = n.value == json.Delim('{'); ok {
			r.named(v, n, path)
		}
	case reflect.Slice:
		if ok = n.value == json.Delim('['); ok {
			r.list(v, n, path)
		}
	case reflect.String:
		var text string
		text, ok = n.value.(string)
		v.SetString(text)
	case reflect.Bool:
		var is bool
		is, ok = n.value.(bool)
		v.SetBool(is)
	case reflect.Int, reflect.Int64, reflect.Float64:
		r.number(v, n, path)
	default:
		panic("members: " + path + ": no reader for " + v.Type().String())
	}
	if !ok {
		r.mistyped(n, path, want(v.Type()))
	}
}

// number sets v, which is a number.
func (r *reader) number(v reflect.Value, n *node, path string) {
	number, ok := n.value.(json.Number)
	if !ok {
		r.mistyped(n, path, want(v.Type()))
		return
	}
	if v.Kind() == reflect.Float64 {
		f, err := strconv.ParseFloat(number.String(), 64)
		if err != nil {
			r.wrong(n, path, "got %s, want a number of a size that can be", number)
		}
		v.SetFloat(f)
		return
	}
	i, err := strconv.ParseInt(number.String(), 10, v.Type().Bits())
	if err != nil {
		r.wrong(n, path, "got %s, want a whole number", number)
	}
	v.SetInt(i)
}

// list sets v to the elements of a list.
func (r *reader) list(v reflect.Value, n *node, path string) {
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		if item.value == nil {
			r.mistyped(item, at, want(v.Type().Elem()))
			continue
		}
		r.value(v.Index(i), item, at)
	}
}

// named sets v to the members of an object whose names are anybody's.
func (r *reader) named(v reflect.Value, n *node, path string) {
	v.Set(reflect.MakeMap(v.Type()))
	for _, member := range n.members {
		value := reflect.New(v.Type().Elem()).Elem()
		r.value(value, member.value, under(path, member.name))
		v.SetMapIndex(reflect.ValueOf(member.name).Convert(v.Type().Key()), value)
	}
}

// object sets v to the members of an object, and has it check them if they are of
// the right types.
func (r *reader) object(v reflect.Value, n *node, path string) {
	before, known := len(r.mistakes), r.table.Of(v.Type())
	for _, given := range n.members {
		at := under(path, given.name)
		i := slices.IndexFunc(known, func(m Member) bool { return m.Name == given.name })
		if i < 0 {
			r.mistakes.add(r.data, given.offset, at, "there is no such member"+r.suggestion(given.name, known))
			continue
		}
		r.value(v.FieldByIndex(known[i].index), given.value, at)
		r.permitted(given.value, at, known[i].Values)
	}
	if len(r.mistakes) == before && reflect.PointerTo(v.Type()).Implements(checkerType) {
		v.Addr().Interface().(Checker).Check(func(member, text string) { r.report(n, path, member, text) })
	}
}

// permitted notes a text, or one of a list, that is not among the values.
func (r *reader) permitted(n *node, path string, values []string) {
	for i, item := range n.items {
		r.permitted(item, fmt.Sprintf("%s[%d]", path, i), values)
	}
	if text, ok := n.value.(string); ok && len(values) > 0 && !slices.Contains(values, text) {
		r.wrong(n, path, "got %q, want %s%s", text, strings.Join(values, ", "), didYouMean(Nearest(text, values)))
	}
}

// report notes what a [Checker] says, at the member if that is there.
func (r *reader) report(n *node, path, member, text string) {
	if member == "" {
		r.wrong(n, path, "%s", text)
		return
	}
	at := n.offset
	for _, given := range n.members {
		if given.name == member {
			at = given.offset
		}
	}
	r.mistakes.add(r.data, at, under(path, member), text)
}
