// Package hidden keeps values that nobody prints by mistake: whoever prints a struct with
// package fmt, by whatever verb, logs it or makes JSON of it, does not see them. A method
// of the struct would not do, because package fmt calls none of what stands in a field
// that is not exported, and a pointer would not either, because verbs that do not fit one
// print what it points to.
package hidden

// A Value is one that is printed as the address of a function. It never changes, and the
// zero Value has the zero value of its type.
type Value[T any] struct{ get func() T }

// Of hides a value. It allocates memory for it.
func Of[T any](value T) Value[T] { return Value[T]{func() T { return value }} }

// Get returns the value.
func (v Value[T]) Get() T {
	if v.get == nil {
		var zero T
		return zero
	}
	return v.get()
}
