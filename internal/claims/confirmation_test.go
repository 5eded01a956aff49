package claims_test

import (
	"errors"
	"strings"
	"testing"
	"unsafe"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// What one payload is bound to is read anew with each: a record that had been bound is a
// bearer's where nothing binds it.
func TestReader_ReadConfirmation(t *testing.T) {
	t.Parallel()
	key, certificate := strings.Repeat("A", 43), strings.Repeat("E", 43)
	record := new(claims.Record)
	for _, tt := range []struct {
		name, payload string
		want          *claims.Confirmation
		err           error
	}{
		{"bound to a key", `{"cnf":{"jkt":"` + key + `"}}`, &claims.Confirmation{Key: key}, nil},
		{"bound to nothing", `{}`, nil, nil},
		{"bound to both", `{"cnf":{"x5t#S256":"` + certificate + `","jkt":"` + key + `"}}`, &claims.Confirmation{Key: key, Certificate: certificate}, nil},
		{"bound in a way that nobody knows", `{"cnf":{"kid":"1"}}`, nil, refusal.ErrTokenType},
		{"bound to a certificate", `{"cnf":{"x5t#S256":"` + certificate + `"}}`, &claims.Confirmation{Certificate: certificate}, nil},
		{"bound to a text", `{"cnf":"` + key + `"}`, nil, refusal.ErrTokenType},
		{"a number for a key", `{"cnf":{"jkt":1}}`, nil, refusal.ErrTokenType},
		{"an empty key", `{"cnf":{"jkt":""}}`, nil, refusal.ErrTokenType},
		{"a good key and a bad certificate", `{"cnf":{"jkt":"` + key + `","x5t#S256":"E"}}`, nil, refusal.ErrTokenType},
	} {
		members, err := jws.ParseObject(nil, tt.payload)
		if err != nil {
			t.Fatal(err)
		}
		r := claims.Reader{Members: members, Record: record}
		if err := r.ReadConfirmation(); !errors.Is(err, tt.err) || !record.Confirmation.Equal(tt.want) {
			t.Errorf("%s: ReadConfirmation() error = %v, want %v; bound to %v, want %v", tt.name, err, tt.err, record.Confirmation, tt.want)
		}
	}
}

// What a record takes of memory is counted, what it is bound to among it.
func TestRecord_Size(t *testing.T) {
	t.Parallel()
	r := claims.Record{Payload: "12345", Index: "12"}
	if got := r.Size(); got != 7 {
		t.Errorf("Size() = %d, want 7", got)
	}
	r.Lists = []string{"elsewhere"}
	r.Confirmation = new(claims.Confirmation)
	if got, want := r.Size(), 7+int(unsafe.Sizeof("")+unsafe.Sizeof(claims.Confirmation{})); got != want {
		t.Errorf("Size() of a bound one = %d, want %d", got, want)
	}
}
