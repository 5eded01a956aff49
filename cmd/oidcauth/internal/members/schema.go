package members

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Draft is the version of JSON Schema that [Table.Schema] writes.
const Draft = "https://json-schema.org/draft/2020-12/schema"

// Schema returns the JSON Schema of a file that is read into the struct. It permits
// what [Table.Read] does, but for null where that is no mistake, and for what types
// check by themselves.
func (t *Table) Schema(typ reflect.Type, title string) ([]byte, error) {
	s := &schemas{table: t, defs: make(map[string]any), named: make(map[reflect.Type]string)}
	whole := s.object(typ)
	whole["$schema"], whole["title"], whole["$defs"] = Draft, title, s.defs
	return json.MarshalIndent(whole, "", "  ")
}

// schemas are those of the structs met so far.
type schemas struct {
	table *Table
	defs  map[string]any
	named map[reflect.Type]string
}

// object returns the schema of a struct.
func (s *schemas) object(typ reflect.Type) map[string]any {
	properties := make(map[string]any)
	for _, m := range s.table.Of(typ) {
		schema := s.of(m.Type)
		if len(m.Values) > 0 {
			inner := schema
			if items, isList := schema["items"].(map[string]any); isList {
				inner = items
			}
			inner["enum"] = m.Values
		}
		if m.About != "" {
			schema["description"] = m.About
		}
		properties[m.Name] = schema
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
}

// of returns the schema of a value, a new one each time.
func (s *schemas) of(typ reflect.Type) map[string]any {
	if own, known := s.table.Schemas[typ]; known {
		copied := make(map[string]any)
		for key, value := range own {
			copied[key] = value
		}
		return copied
	}
	switch {
	case typ == rawType, reflect.PointerTo(typ).Implements(ownType):
		return map[string]any{}
	case reflect.PointerTo(typ).Implements(textType):
		return map[string]any{"type": "string"}
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return s.of(typ.Elem())
	case reflect.Struct:
		return map[string]any{"$ref": "#/$defs/" + s.define(typ)}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(typ.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(typ.Elem())}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	}
	return map[string]any{"type": "string"}
}

// define returns the name of a struct's schema, which it puts among the definitions.
// A struct may be part of itself.
func (s *schemas) define(typ reflect.Type) string {
	if name, known := s.named[typ]; known {
		return name
	}
	name := strings.ToLower(typ.Name()[:1]) + typ.Name()[1:]
	for s.defs[name] != nil { // another package's of the same name
		name += "_"
	}
	s.named[typ], s.defs[name] = name, true // until it is known, for a part of itself
	s.defs[name] = s.object(typ)
	return name
}
