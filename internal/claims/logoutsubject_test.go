package claims_test

import (
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Where subjects are integers, a logout token may have the same digits in a string, in
// the spelling that everybody writes, and means the same.
func TestReader_LogoutSubject(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, payload string
		numeric       bool
		want          string
		err           error
	}{
		{"a number", `{"sub":7}`, true, "7", nil},
		{"its digits", `{"sub":"7"}`, true, "7", nil},
		{"none", `{}`, true, "", nil},
		{"zero", `{"sub":"0"}`, true, "0", nil},
		{"a zero in front", `{"sub":"07"}`, true, "", refusal.ErrClaim},
		{"a sign", `{"sub":"+7"}`, true, "", refusal.ErrClaim},
		{"less than none", `{"sub":"-7"}`, true, "", refusal.ErrClaim},
		{"a fraction", `{"sub":"7.0"}`, true, "", refusal.ErrClaim},
		{"a word", `{"sub":"alice"}`, true, "", refusal.ErrClaim},
		{"nothing", `{"sub":""}`, true, "", refusal.ErrClaim},
		{"more than 53 bits", `{"sub":"9007199254740993"}`, true, "", refusal.ErrClaim},
		{"a word, where subjects are texts", `{"sub":"alice"}`, false, "alice", nil},
		{"digits, where subjects are texts", `{"sub":"07"}`, false, "07", nil},
		{"a number, where subjects are texts", `{"sub":7}`, false, "", refusal.ErrClaim},
	} {
		members, err := jws.ParseObject(nil, tt.payload)
		if err != nil {
			t.Fatal(err)
		}
		r := claims.Reader{Members: members, Record: new(claims.Record), Shape: &claims.Shape{Numeric: tt.numeric}}
		if got, err := r.LogoutSubject(); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: LogoutSubject() = %q, %v, want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

// Before its issuer is known, a subject is a text.
func TestReader_LogoutSubject_NoShape(t *testing.T) {
	t.Parallel()
	members, err := jws.ParseObject(nil, `{"sub":"7"}`)
	if err != nil {
		t.Fatal(err)
	}
	r := claims.Reader{Members: members, Record: new(claims.Record)}
	if got, err := r.LogoutSubject(); got != "7" || err != nil {
		t.Errorf("LogoutSubject() = %q, %v", got, err)
	}
}
