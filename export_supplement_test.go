package oidcauth

import (
	"reflect"
	"unsafe"

	"github.com/oidcauth/oidcauth/internal/claims"
)

// LeftOutOfCopies returns the names of the fields of Claims that claims with a
// supplement do not take over from those without.
func LeftOutOfCopies() (names []string) {
	c := &Claims{trust: new(trust)}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		memory := unsafe.Slice((*byte)(v.Field(i).Addr().UnsafePointer()), v.Field(i).Type().Size())
		switch v.Field(i).Kind() {
		case reflect.Pointer:
			*(*unsafe.Pointer)(v.Field(i).Addr().UnsafePointer()) = reflect.New(v.Field(i).Type().Elem()).UnsafePointer()
		case reflect.Bool, reflect.Uint8, reflect.Uint16, reflect.Int:
			memory[0] = 1
		}
	}
	copied := reflect.ValueOf(c.copy(claims.Record{}, &supplied{})).Elem()
	for i := range copied.NumField() {
		if copied.Field(i).IsZero() {
			names = append(names, copied.Type().Field(i).Name)
		}
	}
	return names
}

// StrangersAlgorithms returns the default of [AnyIssuer.Algorithms].
func StrangersAlgorithms() []string { return new(AnyIssuer).algorithms() }
