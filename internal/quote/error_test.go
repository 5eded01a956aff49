package quote_test

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/quote"
)

// An error is told in one line that is not long, and is found as before.
func TestError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"as it is", "read: no route to ~ é", "read: no route to ~ é"},
		{"lines and control characters", "a\r\nb\x00c\x1fd\x7fe", "a  b c d e"},
		{"as long as may be", strings.Repeat("a", 200), strings.Repeat("a", 200)},
		{"longer", strings.Repeat("a", 201), strings.Repeat("a", 200) + "..."},
		{"cut in a character", strings.Repeat("a", 199) + "é", strings.Repeat("a", 199) + "..."},
	} {
		err := quote.Error(fmt.Errorf("%s%w", tt.in, silent{io.EOF}))
		if got := err.Error(); got != tt.want || !errors.Is(err, io.EOF) {
			t.Errorf("%s: Error() = %q, %t, want %q that is the cause", tt.name, got, errors.Is(err, io.EOF), tt.want)
		}
	}
}

// A silent error has no text.
type silent struct{ err error }

func (silent) Error() string   { return "" }
func (e silent) Unwrap() error { return e.err }

// Addresses go with the layers that have them, and nothing else does.
func TestWithoutURL(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	failed := &url.Error{Op: "Get", URL: "https://issuer.test/?key=hunter2", Err: cause}
	nested := &url.Error{Op: "Post", URL: "https://sts.test/?secret=hunter2", Err: fmt.Errorf("first: %w", failed)}
	for _, err := range []error{failed, fmt.Errorf("once more: %w", failed), nested} {
		if got := quote.WithoutURL(err); got != cause {
			t.Errorf("WithoutURL(%v) = %v, want %v", err, got, cause)
		}
	}
	wrapped := fmt.Errorf("below: %w", cause)
	if got := quote.WithoutURL(wrapped); got != wrapped {
		t.Errorf("WithoutURL(%v) = %v, want it as it is", wrapped, got)
	}
}
