package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// Errors that were joined, and joined with others then, are told one in a line.
func TestEach(t *testing.T) {
	t.Parallel()
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	for _, test := range []struct {
		err  error
		want []error
	}{
		{nil, nil},
		{a, []error{a}},
		{errors.Join(nil, a), []error{a}},
		{errors.Join(a, b), []error{a, b}},
		{errors.Join(nil, errors.Join(a, b)), []error{a, b}},
		{errors.Join(errors.Join(a, b), several{b, c}), []error{a, b, b, c}},
		{usageError{errors.Join(a, errors.Join(b, c))}, []error{a, b, c}},
		{usageError{several{a, b}}, []error{a, b}},
	} {
		if got := each(test.err); !slices.Equal(got, test.want) {
			t.Errorf("each(%q) = %q, want %q", fmt.Sprint(test.err), got, test.want)
		}
	}
	if got := each(fmt.Errorf("two: %w", errors.Join(a, b))); len(got) != 1 {
		t.Errorf("an error with words of its own became %d", len(got))
	}
}
