// Package identity derives who a caller is from the issuer and the subject of
// their token, byte for byte as SpacetimeDB does, and gives that identity its
// forms: text, JSON, binary and SQL.
//
//	id := identity.New("https://issuer.example", "alice")
//	id, err := identity.Parse("c2001f9c…")
//
// # In a database
//
// An [Identity] is stored as its 32 bytes and read back with its checksum checked;
// NULL and nobody are errors unless they are wrapped in a sql.Null. A mistyped
// identity is found out wherever one is read.
package identity

import (
	"bytes"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"

	"lukechampine.com/blake3"
)

// ErrInvalid is returned, wrapped with what was found and what was wanted,
// for text or bytes that are not an [Identity].
var ErrInvalid = errors.New("oidcauth: not an identity")

// Identity says who a caller is, in 32 bytes: the same issuer and subject have
// the same identity on every server and for ever. It is derived as SpacetimeDB
// derives it, so data keyed by SpacetimeDB's identities stays valid.
//
// Identities are comparable with == and serve as map keys. They are public:
// knowing one grants nothing.
//
// The zero Identity is nobody. It prints as 64 zeros; as text and JSON it is
// the empty string, in binary 32 zero bytes, and it cannot be stored through
// database/sql, so that nobody never becomes the owner of a row.
type Identity [size]byte

const (
	size      = 32
	headSize  = len(prefix)
	checkSize = 4 // the checksum that follows them
)

// prefix begins every identity: hex digits "c200".
var prefix = [...]byte{0xc2, 0x00}

// usualBytes is how long issuer and subject usually are, together.
const usualBytes = 257

// buffers hold what is hashed, which would leave the stack. Longer names get a
// buffer of their own.
var buffers = sync.Pool{New: func() any { return new([usualBytes]byte) }}

// New derives the identity of a subject at an issuer:
//
//	id       = BLAKE3(issuer "|" subject), first 26 bytes
//	check    = BLAKE3(c2 00 id), first 4 bytes
//	identity = c2 00 check id
//
// The strings are hashed byte by byte as given: letter case, a trailing slash
// and Unicode normalization all count.
//
// New checks nothing. An Authenticator makes sure that an issuer has no "|",
// without which two pairs could share an identity, and that neither name is
// empty; whoever derives identities from other sources owes the same checks.
func New(issuer, subject string) Identity {
	buffer := buffers.Get().(*[usualBytes]byte)
	defer buffers.Put(buffer)
	input := append(buffer[:0], issuer...)
	input = append(input, '|')
	input = append(input, subject...)
	hash := blake3.Sum256(input)

	var i Identity
	copy(i[:], prefix[:])
	copy(i[headSize+checkSize:], hash[:])
	check := i.checksum(input)
	copy(i[headSize:], check[:])
	return i
}

// Parse reads the 64 hexadecimal digits of an identity, in lower or
// upper case, with or without the "0x" that SpacetimeDB writes in SQL and JSON.
// It refuses, with [ErrInvalid], another length, other characters, a prefix
// other than c200, and a checksum that does not fit: a mistyped identity is
// found out. Nobody, the zero [Identity], has no form that it accepts.
func Parse(s string) (Identity, error) {
	digits := strings.TrimPrefix(s, "0x")
	var i Identity
	if len(digits) != hex.EncodedLen(size) {
		return Identity{}, fmt.Errorf("%w: got %d characters, want 64 hexadecimal digits", ErrInvalid, len(digits))
	}
	if _, err := hex.Decode(i[:], []byte(digits)); err != nil {
		return Identity{}, fmt.Errorf("%w: got %w, want 64 hexadecimal digits", ErrInvalid, err)
	}
	if err := i.check(); err != nil {
		return Identity{}, err
	}
	return i, nil
}

// checksum returns the checksum the last 26 bytes of i ask for. It overwrites
// buf, which may be nil.
func (i Identity) checksum(buf []byte) [checkSize]byte {
	input := append(buf[:0], prefix[:]...)
	input = append(input, i[headSize+checkSize:]...)
	hash := blake3.Sum256(input)
	return [checkSize]byte(hash[:checkSize])
}

// check returns an error unless i could have come from [New].
func (i Identity) check() error {
	if head := [headSize]byte(i[:headSize]); head != prefix {
		return fmt.Errorf("%w: got prefix %q, want %q", ErrInvalid,
			hex.EncodeToString(head[:]), hex.EncodeToString(prefix[:]))
	}
	got, want := [checkSize]byte(i[headSize:headSize+checkSize]), i.checksum(nil)
	if got != want {
		return fmt.Errorf("%w: got checksum %q, want %q", ErrInvalid,
			hex.EncodeToString(got[:]), hex.EncodeToString(want[:]))
	}
	return nil
}

// String returns the 64 lower-case hexadecimal digits of i, as
// [Parse] reads them.
func (i Identity) String() string {
	var digits [2 * size]byte
	hex.Encode(digits[:], i[:])
	return string(digits[:])
}

// IsZero reports whether i is nobody. It makes the JSON option "omitzero"
// leave nobody out.
func (i Identity) IsZero() bool {
	return i == Identity{}
}

// Compare returns -1, 0 or +1 as i sorts before, with or after other. The
// order is that of the bytes and of the hexadecimal digits.
func (i Identity) Compare(other Identity) int {
	return bytes.Compare(i[:], other[:])
}

// AppendText appends what [Identity.MarshalText] returns.
func (i Identity) AppendText(b []byte) ([]byte, error) {
	if i.IsZero() {
		return b, nil
	}
	return hex.AppendEncode(b, i[:]), nil
}

// MarshalText returns the 64 hexadecimal digits of i, nothing for nobody. JSON
// values and object keys are made of it.
func (i Identity) MarshalText() ([]byte, error) {
	return i.AppendText(make([]byte, 0, hex.EncodedLen(size)))
}

// UnmarshalText sets i to the identity that [Parse] reads from text,
// to nobody if text is empty; on an error i stays as it was. A JSON null, as
// encoding/json has it for all text, leaves i as it was too.
func (i *Identity) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*i = Identity{}
		return nil
	}
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*i = parsed
	return nil
}

// AppendBinary appends the 32 bytes of i to b.
func (i Identity) AppendBinary(b []byte) ([]byte, error) {
	return append(b, i[:]...), nil
}

// MarshalBinary returns the 32 bytes of i, first the prefix c2 00: big-endian.
// SpacetimeDB's binary protocol sends the same bytes in the opposite order.
func (i Identity) MarshalBinary() ([]byte, error) {
	return i.AppendBinary(make([]byte, 0, size))
}

// UnmarshalBinary sets i to the identity of 32 bytes as [Identity.MarshalBinary]
// wrote them. It checks what [Parse] checks, but takes 32 zero bytes
// for nobody; on an error i stays as it was.
func (i *Identity) UnmarshalBinary(data []byte) error {
	if len(data) != size {
		return fmt.Errorf("%w: got %d bytes, want %d", ErrInvalid, len(data), size)
	}
	read := Identity(data)
	if !read.IsZero() {
		if err := read.check(); err != nil {
			return err
		}
	}
	*i = read
	return nil
}

// Value implements [driver.Valuer]: an identity is stored as its 32 bytes, for
// a column such as BYTEA, BLOB or BINARY(32). For a text column pass
// i.String(). Nobody is an error, [ErrInvalid]: where a row may have no
// identity, use sql.Null[Identity].
func (i Identity) Value() (driver.Value, error) {
	if i.IsZero() {
		return nil, fmt.Errorf("%w: got the zero identity, want one from a token; sql.Null[Identity] stores none", ErrInvalid)
	}
	return i.MarshalBinary()
}

// Scan implements [database/sql.Scanner]. It reads the 32 bytes that
// [Identity.Value] stores, and hexadecimal digits from a text column, with the
// checks of [Parse]. NULL is an error, [ErrInvalid], because nobody is
// not an answer to who owns a row: where NULL may occur, scan into a
// sql.Null[Identity]. On an error i stays as it was.
func (i *Identity) Scan(src any) error {
	switch v := src.(type) {
	case []byte:
		if len(v) != size {
			return i.scanText(string(v))
		}
		read := Identity(v)
		if err := read.check(); err != nil {
			return err
		}
		*i = read
		return nil
	case string:
		return i.scanText(v)
	case nil:
		return fmt.Errorf("%w: got NULL, want 32 bytes; sql.Null[Identity] accepts NULL", ErrInvalid)
	default:
		return fmt.Errorf("%w: got a column value of type %T, want 32 bytes or 64 hexadecimal digits", ErrInvalid, src)
	}
}

// scanText sets i to the identity whose digits s holds.
func (i *Identity) scanText(s string) error {
	read, err := Parse(s)
	if err != nil {
		return err
	}
	*i = read
	return nil
}
