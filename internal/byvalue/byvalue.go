// Package byvalue copies and compares descriptions: structs of strings, numbers,
// and slices and structs of such. What a description refers to beside that, a
// client or a source of keys, is the same only if it is the very same.
package byvalue

import (
	"bytes"
	"reflect"
	"unsafe"
)

// Clone returns a copy that shares no slice, array or map with v. Pointers,
// interfaces, functions and channels stay what they were, and so does what stands
// in fields that are not exported.
func Clone[T any](v T) T {
	c := reflect.New(reflect.TypeFor[T]()).Elem()
	c.Set(clone(reflect.ValueOf(&v).Elem()))
	return c.Interface().(T)
}

func clone(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		if isPlain(v.Type().Elem()) {
			return c
		}
		for i := range v.Len() {
			c.Index(i).Set(clone(v.Index(i)))
		}
		return c
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			c.SetMapIndex(it.Key(), clone(it.Value()))
		}
		return c
	case reflect.Array, reflect.Struct:
		c := reflect.New(v.Type()).Elem()
		c.Set(v)
		for i := range parts(v) {
			if part := part(c, i); part.CanSet() {
				part.Set(clone(part))
			}
		}
		return c
	}
	return v
}

// isPlain reports whether values of the type share nothing with their copies.
func isPlain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Array, reflect.Struct:
		return false
	}
	return true
}

// Equal reports whether two values say the same. Slices and maps are compared by
// what is in them, where none is another than an empty one; pointers, interfaces
// and channels by identity. Nothing equals a function, which cannot be compared,
// or what cannot be compared in an interface.
func Equal[T any](a, b T) bool {
	return equal(reflect.ValueOf(&a).Elem(), reflect.ValueOf(&b).Elem())
}

func equal(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Func:
		return a.IsNil() && b.IsNil()
	case reflect.Slice:
		if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		if a.Type().Elem().Kind() == reflect.Uint8 {
			return bytes.Equal(a.Bytes(), b.Bytes())
		}
		for i := range a.Len() {
			if !equal(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		return equalMaps(a, b)
	case reflect.Array, reflect.Struct:
		for i := range parts(a) {
			if !equal(part(a, i), part(b, i)) {
				return false
			}
		}
		return true
	}
	return a.Comparable() && b.Comparable() && a.Equal(b)
}

func equalMaps(a, b reflect.Value) bool {
	if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
		return false
	}
	for it := a.MapRange(); it.Next(); {
		other := b.MapIndex(it.Key())
		if !other.IsValid() || !equal(it.Value(), other) {
			return false
		}
	}
	return true
}

// parts returns how many parts an array or a struct has.
func parts(v reflect.Value) int {
	if v.Kind() == reflect.Array {
		return v.Len()
	}
	return v.NumField()
}

func part(v reflect.Value, i int) reflect.Value {
	if v.Kind() == reflect.Array {
		return v.Index(i)
	}
	return v.Field(i)
}

// SameFunc reports whether two functions are one value, made once and copied since: then
// they do the same, and have the same variables. F is a type of functions. Two that were
// made of the same code are not the same, and nor are two method values.
func SameFunc[F any](a, b F) bool {
	if reflect.TypeFor[F]().Kind() != reflect.Func {
		panic("byvalue: no function")
	}
	// A function is a pointer to its code and variables. Package reflect shows that to
	// the code alone, which others may share.
	return *(*unsafe.Pointer)(unsafe.Pointer(&a)) == *(*unsafe.Pointer)(unsafe.Pointer(&b))
}
