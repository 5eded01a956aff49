package jws

import (
	"errors"
	"fmt"
)

var (
	// ErrMalformed is the refusal of a token, or of a JSON text, whose form
	// breaks a rule; the error that wraps it names the rule.
	ErrMalformed = errors.New("malformed token")

	// ErrTooLarge is the refusal of a token longer than the caller allows. It is
	// an [ErrMalformed] too.
	ErrTooLarge = fmt.Errorf("%w: too large", ErrMalformed)

	// ErrKind is the refusal of a member whose JSON type or range is not the one
	// that was asked for.
	ErrKind = errors.New("unexpected JSON value")

	// ErrSignature is the refusal of a token whose signature a key does not
	// verify, or whose algorithm that key does not permit.
	ErrSignature = errors.New("signature not verified")

	// ErrKey is the refusal of a key that cannot or must not verify signatures.
	ErrKey = errors.New("unusable key")

	// ErrKeyUse is the refusal of a key that is meant for something else than
	// signatures. It is an [ErrKey] too, as are the others.
	ErrKeyUse = fmt.Errorf("%w: not for signatures", ErrKey)

	// ErrWeakKey is the refusal of an RSA key whose signatures can be forged, or
	// might be.
	ErrWeakKey = fmt.Errorf("%w: too weak", ErrKey)

	// ErrHugeKey is the refusal of an RSA key whose signatures take too long to check.
	ErrHugeKey = fmt.Errorf("%w: too large", ErrKey)
)

// formError says which part of a token breaks which rule.
type formError struct {
	part string // "header", "payload", "signature", or empty for the token itself
	rule string
}

func (e *formError) Error() string {
	if e.part == "" {
		return ErrMalformed.Error() + ": " + e.rule
	}
	return ErrMalformed.Error() + ": " + e.part + ": " + e.rule
}

// Unwrap makes every formError an [ErrMalformed].
func (e *formError) Unwrap() error { return ErrMalformed }

// sizeError is the refusal of a text that is too large.
type sizeError struct{ got, most int }

func (e *sizeError) Error() string { return ErrMalformed.Error() + ": " + e.rule() }

func (e *sizeError) rule() string {
	return fmt.Sprintf("too large: got %d bytes, want at most %d", e.got, e.most)
}

// Unwrap makes every sizeError an [ErrTooLarge].
func (e *sizeError) Unwrap() error { return ErrTooLarge }

// Rule returns the rule that err, an [ErrMalformed], names, without that sentinel's
// own text.
func Rule(err error) string {
	if size, ok := errors.AsType[*sizeError](err); ok {
		return size.rule()
	}
	form, ok := errors.AsType[*formError](err)
	switch {
	case !ok:
		return err.Error()
	case form.part == "":
		return form.rule
	}
	return form.part + ": " + form.rule
}

// refuse returns the refusal of a text that breaks the rule described.
func refuse(format string, args ...any) error {
	return &formError{rule: fmt.Sprintf(format, args...)}
}

// refusePart returns err with the name of the part of the token it is about.
func refusePart(part string, err error) error {
	var form *formError
	if errors.As(err, &form) {
		return &formError{part: part, rule: form.rule}
	}
	return fmt.Errorf("%s: %w", part, err)
}
