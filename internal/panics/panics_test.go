package panics_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/panics"
)

func TestError(t *testing.T) {
	var none *struct{ name string }
	for _, tt := range []struct {
		name string
		f    func()
		want string // in the text
	}{
		{"a text", func() { panic("secret") }, "with a value of type string"},
		{"an error", func() { panic(errors.New("secret")) }, "with a value of type *errors.errorString"},
		{"a nil", func() { panic(nil) }, "nil"},
		{"an index out of range", func() { _ = []int(nil)[len(t.Name())] }, "index out of range"},
		{"a nil pointer", func() { _ = none.name }, "nil pointer"},
		{"a panic further down", func() { further() }, "panics_test.go:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := call(tt.f)
			if !errors.Is(err, panics.Err) {
				t.Fatalf("Error() = %v, want panics.Err", err)
			}
			text := err.Error()
			if !strings.Contains(text, tt.want) || !strings.Contains(text, "at panics_test.go:") || strings.Contains(text, "secret") {
				t.Errorf("Error() = %q, want it with %q, the place and not the value", text, tt.want)
			}
		})
	}
}

func further() { panic("secret") }

func call(f func()) (err error) {
	defer func() { err = panics.Error(recover()) }()
	f()
	return nil
}

func TestCatch(t *testing.T) {
	for name, f := range map[string]func(){"panics": func() { panic("secret") }, "returns": func() {}} {
		err := func() (err error) {
			defer panics.Catch(&err)
			f()
			return nil
		}()
		if errors.Is(err, panics.Err) != (name == "panics") {
			t.Errorf("what %s gives %v", name, err)
		}
	}
}

// An ownError cannot be told where it is nil.
type ownError struct{ text string }

func (e *ownError) Error() string { return e.text }

// A moodyError can be told and not compared.
type moodyError struct{}

func (moodyError) Error() string { return "moody" }
func (moodyError) Is(error) bool { panic("secret") }

// A shyError can be told and compared, and not asked what it is.
type shyError struct{}

func (shyError) Error() string { return "shy" }
func (shyError) As(any) bool   { panic("secret") }

func TestTellable(t *testing.T) {
	failed := errors.New("failed")
	for _, tt := range []struct{ err, want error }{{nil, nil}, {failed, failed}, {(*ownError)(nil), panics.Err}, {moodyError{}, panics.Err}, {shyError{}, panics.Err}} {
		if err := panics.Tellable(tt.err); !errors.Is(err, tt.want) {
			t.Errorf("Tellable() = %v, want %v", err, tt.want)
		}
	}
}

func TestRun(t *testing.T) {
	failed := errors.New("failed")
	for _, tt := range []struct {
		name string
		f    func() error
		want error
	}{
		{"returns", func() error { return nil }, nil},
		{"fails", func() error { return failed }, failed},
		{"panics", func() error { panic("secret") }, panics.Err},
		{"ends its goroutine", func() error { runtime.Goexit(); return nil }, panics.Err},
		{"returns one that panics when it is compared", func() error { return moodyError{} }, panics.Err},
		{"returns one that panics when it is asked what it is", func() error { return shyError{} }, panics.Err},
		{"returns a nil pointer", func() error { return (*ownError)(nil) }, panics.Err},
	} {
		if err := panics.Run(tt.f); !errors.Is(err, tt.want) {
			t.Errorf("what %s gives %v, want %v", tt.name, err, tt.want)
		}
	}
}
