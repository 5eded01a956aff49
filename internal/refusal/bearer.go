package refusal

import "errors"

// A Bearer is whose token was refused.
type Bearer struct {
	// Issuer and Subject are whose signature vouches for the token, and for whom. Both
	// are empty where the signature did not hold: anybody could have written them.
	Issuer, Subject string

	// Configured is the URL of the issuer that the token names, if it is one of those
	// that the program lists.
	Configured string
}

// OfBearer returns err with the bearer of the refused token, where it is a refusal.
func OfBearer(err error, b Bearer) error {
	r, ok := err.(*Refusal)
	if !ok || b == (Bearer{}) {
		return err
	}
	of := *r
	of.bearer = b
	return &of
}

// BearerOf returns the bearer of the token that err refuses, or nothing.
func BearerOf(err error) Bearer {
	if r, ok := errors.AsType[*Refusal](err); ok && r != nil {
		return r.bearer
	}
	return Bearer{}
}

// CheckOf returns the check that err failed, or nothing.
func CheckOf(err error) string {
	if r, ok := errors.AsType[*Refusal](err); ok && r != nil {
		return r.Check
	}
	return ""
}
