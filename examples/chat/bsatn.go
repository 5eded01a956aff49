package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth"
)

// What follows is of SpacetimeDB's subprotocols v2 and v3 what a chat needs. Values are
// written one after the other (BSATN): numbers little-endian, texts and lists behind
// their length, one of several kinds behind its tag.

// The tags of what a client says.
const (
	saysSubscribe = iota
	saysUnsubscribe
	saysQuery
	saysReducer
	saysProcedure
)

// The tags of what the server says.
const (
	tellsSubscribed   = 1
	tellsUnsubscribed = 2
	tellsNoSubscribe  = 3
	tellsChanges      = 4
	tellsQuery        = 5
	tellsReducer      = 6
	tellsProcedure    = 7
)

var errBSATN = errors.New("not a message of SpacetimeDB's protocol")

// A said is one message of a client.
type said struct {
	tag      byte
	request  uint32
	querySet uint32
	flags    byte     // of a call, or of the end of a subscription
	queries  []string // in SQL
	name     string   // of what is called
	args     []byte
}

// bsatnReader reads values off the front of a message. After an error it returns
// nothing but zeros.
type bsatnReader struct {
	rest []byte
	err  error
}

func (r *bsatnReader) take(n int) []byte {
	if r.err != nil || n > len(r.rest) {
		r.err = errBSATN
		return make([]byte, min(n, 8))
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *bsatnReader) u8() byte    { return r.take(1)[0] }
func (r *bsatnReader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }

// bytes returns a list of bytes, or a text.
func (r *bsatnReader) bytes() []byte {
	n := r.u32()
	if r.err != nil || uint64(n) > uint64(len(r.rest)) {
		r.err = errBSATN
		return nil
	}
	return r.take(int(n))
}

func (r *bsatnReader) texts() (texts []string) {
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		texts = append(texts, string(r.bytes()))
	}
	return texts
}

// message reads one message; in v3 several may stand in a frame.
func (r *bsatnReader) message() said {
	m := said{tag: r.u8(), request: r.u32()}
	switch m.tag {
	case saysSubscribe:
		m.querySet, m.queries = r.u32(), r.texts()
	case saysUnsubscribe:
		m.querySet, m.flags = r.u32(), r.u8()
	case saysQuery:
		m.queries = []string{string(r.bytes())}
	case saysReducer, saysProcedure:
		m.flags, m.name, m.args = r.u8(), string(r.bytes()), r.bytes()
	default:
		r.err = errBSATN
	}
	return m
}

// bsatn appends values to a message.
type bsatn []byte

// tell begins a message of the server, which is not compressed.
func tell(tag byte) bsatn { return bsatn{0, tag} }

func (b bsatn) u8(v byte) bsatn     { return append(b, v) }
func (b bsatn) u32(v uint32) bsatn  { return binary.LittleEndian.AppendUint32(b, v) }
func (b bsatn) text(s string) bsatn { return append(b.u32(uint32(len(s))), s...) }
func (b bsatn) time(t time.Time) bsatn {
	return binary.LittleEndian.AppendUint64(b, uint64(t.UnixMicro()))
}

func (b bsatn) bool(v bool) bsatn {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func (b bsatn) identity(id oidcauth.Identity) bsatn {
	little := slices.Clone(id[:])
	slices.Reverse(little)
	return append(b, little...)
}

// rows appends a list of rows, each as it is written, and where each begins.
func (b bsatn) rows(rows ...[]byte) bsatn {
	const offsets = 1
	b = b.u8(offsets).u32(uint32(len(rows)))
	at := 0
	for _, row := range rows {
		b = binary.LittleEndian.AppendUint64(b, uint64(at))
		at += len(row)
	}
	b = b.u32(uint32(at))
	for _, row := range rows {
		b = append(b, row...)
	}
	return b
}

// A rowWriter writes a row of a table, which comes as JSON, as clients have it.
type rowWriter func(row json.RawMessage) ([]byte, error)

func rowOf[Row any](write func(Row) bsatn) rowWriter {
	return func(text json.RawMessage) ([]byte, error) {
		var row Row
		if err := json.Unmarshal(text, &row); err != nil {
			return nil, fmt.Errorf("row: %w", err)
		}
		return write(row), nil
	}
}

// published are the tables that SpacetimeDB's clients may subscribe to, and the columns
// that they see.
var published = map[string]rowWriter{
	"messages": rowOf(func(m Message) bsatn {
		return bsatn{}.text(m.ID).identity(m.Author).text(m.Text).time(m.At).bool(m.Edited)
	}),
	"people": rowOf(func(p Person) bsatn {
		return bsatn{}.identity(p.Identity).text(p.Name).u32(uint32(p.Online)).bool(p.Moderator)
	}),
}

// parameters are what the reducers that SpacetimeDB's clients may call want, in order.
// All are texts.
var parameters = map[string][]string{
	"send":     {"text"},
	"edit":     {"id", "text"},
	"delete":   {"id"},
	"set_name": {"name"},
	"promote":  {"identity"},
}

// argumentsOf returns a client's arguments as the reducer wants them.
func argumentsOf(wanted []string, args []byte) (json.RawMessage, error) {
	r := &bsatnReader{rest: args}
	named := make(map[string]string)
	for _, name := range wanted {
		named[name] = string(r.bytes())
	}
	if r.err != nil || len(r.rest) > 0 {
		return nil, errBSATN
	}
	return json.Marshal(named)
}
