package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/cmd/oidcauth/internal/members"
)

// several are mistakes that are told together, each in a line of its own. As an
// error it is never empty: see [several.err].
type several []error

func (s several) Error() string {
	lines := make([]string, len(s))
	for i, err := range s {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

func (s several) Unwrap() []error { return s }

// add notes an error, or all of them if it is several; nil adds nothing.
func (s *several) add(err error) {
	*s = append(*s, each(err)...)
}

// err returns the mistakes as one about the command line or the configuration, or nil.
func (s several) err() error {
	if len(s) == 0 {
		return nil
	}
	return usageError{s}
}

// each returns the errors that an error consists of.
func each(err error) []error {
	var all several
	switch joined := joinedErrors(err); {
	case err == nil:
		return nil
	case joined != nil:
		for _, one := range joined { // of which each may be joined in turn
			all.add(one)
		}
		return all
	case errors.As(err, &all):
		return slices.Clone(all)
	}
	return []error{err}
}

// joinedErrors returns the errors that [errors.Join] made one of, in whatever wraps it
// without words of its own; nil if it was not that.
func joinedErrors(err error) []error {
	for err != nil {
		if list, ok := err.(interface{ Unwrap() []error }); ok && err.Error() == several(list.Unwrap()).Error() {
			return list.Unwrap()
		}
		inner := errors.Unwrap(err)
		if inner == nil || inner.Error() != err.Error() {
			return nil
		}
		err = inner
	}
	return nil
}

// inFile says of which file the mistakes are.
func inFile(name string, err error) error {
	var mistakes members.Mistakes
	if !errors.As(err, &mistakes) {
		return fmt.Errorf("%s: %w", name, err)
	}
	var all several
	for _, mistake := range mistakes {
		all.add(fmt.Errorf("%s: %s", name, mistake))
	}
	return all
}
