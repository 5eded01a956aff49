package realtime

import (
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/oidcauth/oidcauth"
)

// A TableInfo is a [Table] of any kind of row.
type TableInfo interface {
	Name() string
	watchers() oidcauth.Rule
}

// A Table holds rows of one kind, as JSON, in the order of their keys.
type Table[Row any] struct {
	name  string
	key   func(Row) string
	watch oidcauth.Rule
}

// NewTable describes a table. The key of a row is what key says, and never changes.
// Who satisfies watch may subscribe to all of its rows; with nil nobody may.
func NewTable[Row any](name string, key func(Row) string, watch oidcauth.Rule) *Table[Row] {
	return &Table[Row]{name, key, watch}
}

// Name returns the table's name.
func (t *Table[Row]) Name() string { return t.name }

func (t *Table[Row]) watchers() oidcauth.Rule { return t.watch }

// Get returns the row with a key, and whether there is one.
func (t *Table[Row]) Get(r Reader, key string) (row Row, found bool, err error) {
	kept := r.bucket(t.name).Get([]byte(key))
	if kept == nil {
		return row, false, nil
	}
	row, err = t.decode(key, kept)
	return row, err == nil, err
}

// Put adds a row, in place of one with the same key if there is one.
func (t *Table[Row]) Put(w Writer, row Row) error {
	text, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("realtime: table %q: %w", t.name, err)
	}
	key := t.key(row)
	w.changed(Change{Table: t.name, Key: key, Row: text})
	return w.bucket(t.name).Put([]byte(key), text)
}

// Delete removes the row with a key, if there is one.
func (t *Table[Row]) Delete(w Writer, key string) error {
	if w.bucket(t.name).Get([]byte(key)) == nil {
		return nil
	}
	w.changed(Change{Table: t.name, Key: key})
	return w.bucket(t.name).Delete([]byte(key))
}

// NextID returns 1, 2, 3 and so on, in a form whose order as text is theirs as
// numbers. A number that a failed call was given is given again.
func (t *Table[Row]) NextID(w Writer) (string, error) {
	n, err := w.bucket(t.name).NextSequence()
	return fmt.Sprintf("%016d", n), err
}

// All calls yield with each row, by key, until it returns false.
func (t *Table[Row]) All(r Reader, yield func(Row) bool) error {
	return t.scan(r.bucket(t.name).Cursor(), (*bbolt.Cursor).First, (*bbolt.Cursor).Next, yield)
}

// Backward is All from the last row to the first.
func (t *Table[Row]) Backward(r Reader, yield func(Row) bool) error {
	return t.scan(r.bucket(t.name).Cursor(), (*bbolt.Cursor).Last, (*bbolt.Cursor).Prev, yield)
}

type move func(*bbolt.Cursor) (key, value []byte)

func (t *Table[Row]) scan(c *bbolt.Cursor, first, next move, yield func(Row) bool) error {
	for key, text := first(c); key != nil; key, text = next(c) {
		row, err := t.decode(string(key), text)
		if err != nil {
			return err
		}
		if !yield(row) {
			return nil
		}
	}
	return nil
}

func (t *Table[Row]) decode(key string, text []byte) (row Row, err error) {
	if err := json.Unmarshal(text, &row); err != nil {
		return row, fmt.Errorf("realtime: table %q: row %q: %w", t.name, key, err)
	}
	return row, nil
}
