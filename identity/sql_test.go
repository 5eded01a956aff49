package identity_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/identity"
)

func TestIdentity_Value(t *testing.T) {
	t.Parallel()
	got, err := aliceIdentity.Value()
	if b, ok := got.([]byte); err != nil || !ok || !bytes.Equal(b, aliceIdentity[:]) {
		t.Errorf("Value() = %v, %v, want the 32 bytes", got, err)
	}
	if _, err := (identity.Identity{}).Value(); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("Value() of nobody: error = %v, want %v", err, identity.ErrInvalid)
	}
}

func TestIdentity_Scan(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		src  any
		want error
	}{
		{"32 bytes", aliceIdentity[:], nil},
		{"digits in a string", aliceDigits, nil},
		{"digits in bytes", []byte(aliceDigits), nil},
		{"digits with 0x", "0x" + aliceDigits, nil},
		{"NULL", nil, identity.ErrInvalid},
		{"empty bytes", []byte{}, identity.ErrInvalid},
		{"empty string", "", identity.ErrInvalid},
		{"32 zero bytes", make([]byte, 32), identity.ErrInvalid},
		{"32 bytes in a string", string(aliceIdentity[:]), identity.ErrInvalid},
		{"bad checksum", []byte("\xc2\x00" + strings.Repeat("x", 30)), identity.ErrInvalid},
		{"integer", int64(7), identity.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := bobIdentity
			if err := got.Scan(tt.src); !errors.Is(err, tt.want) {
				t.Fatalf("Scan() error = %v, want %v", err, tt.want)
			}
			if want := map[bool]identity.Identity{true: aliceIdentity, false: bobIdentity}[tt.want == nil]; got != want {
				t.Errorf("Scan() leaves %s, want %s", got, want)
			}
		})
	}
}

// TestIdentity_SQL sends identities through database/sql and back.
func TestIdentity_SQL(t *testing.T) {
	t.Parallel()
	db := sql.OpenDB(echoDatabase{})
	defer db.Close()

	var got identity.Identity
	if err := db.QueryRow("?", aliceIdentity).Scan(&got); err != nil || got != aliceIdentity {
		t.Errorf("Scan() = %s, %v, want %s", got, err, aliceIdentity)
	}
	if err := db.QueryRow("?", aliceIdentity.String()).Scan(&got); err != nil || got != aliceIdentity {
		t.Errorf("text column: Scan() = %s, %v, want %s", got, err, aliceIdentity)
	}
	for _, want := range []sql.Null[identity.Identity]{{}, {V: aliceIdentity, Valid: true}} {
		var got sql.Null[identity.Identity]
		if err := db.QueryRow("?", want).Scan(&got); err != nil || got != want {
			t.Errorf("sql.Null: Scan() = %v, %v, want %v", got, err, want)
		}
	}
	if err := db.QueryRow("?", nil).Scan(&got); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("NULL: Scan() error = %v, want %v", err, identity.ErrInvalid)
	}
	if err := db.QueryRow("?", identity.Identity{}).Scan(&got); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("nobody: error = %v, want %v", err, identity.ErrInvalid)
	}
}

// An identity that may be missing: sql.Null tells nobody from somebody.
func ExampleIdentity_Scan() {
	var owner sql.Null[identity.Identity]
	fmt.Println(owner.Scan(nil), owner.Valid)
	fmt.Println(owner.Scan("c2001f9c165b3e2eebcbee5c898bea3364522875dca0074e46a42e131f711b24"), owner.Valid)
	// Output:
	// <nil> false
	// <nil> true
}

var errUnsupported = errors.New("the echo database only answers queries")

// echoDatabase is a driver whose every query has one row and one column: the
// query's argument.
type echoDatabase struct{}

func (d echoDatabase) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d echoDatabase) Driver() driver.Driver                        { return nil }
func (d echoDatabase) Begin() (driver.Tx, error)                    { return nil, errUnsupported }
func (d echoDatabase) Prepare(string) (driver.Stmt, error)          { return d, nil }
func (d echoDatabase) Close() error                                 { return nil }
func (d echoDatabase) NumInput() int                                { return 1 }
func (d echoDatabase) Exec([]driver.Value) (driver.Result, error)   { return nil, errUnsupported }
func (d echoDatabase) Query(args []driver.Value) (driver.Rows, error) {
	return &echoRows{value: args[0]}, nil
}

// echoRows is the one row.
type echoRows struct {
	value driver.Value
	read  bool
}

func (r *echoRows) Columns() []string { return []string{"value"} }
func (r *echoRows) Close() error      { return nil }
func (r *echoRows) Next(dest []driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read, dest[0] = true, r.value
	return nil
}
