package realtime

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"time"

	"go.etcd.io/bbolt"

	"github.com/oidcauth/oidcauth"
)

// caller is what every function may know of who calls it.
type caller struct {
	claims     *oidcauth.Claims // nil for the database itself and for nobody
	connection string
	internal   bool
}

func newCallerOf(entry Entry, claims *oidcauth.Claims) caller {
	return caller{claims: claims, connection: entry.Connection, internal: entry.Internal}
}

// Claims returns what the caller's token says; nil for the database itself and for a
// caller without a token. They are not renewed within a call.
func (c *caller) Claims() *oidcauth.Claims { return c.claims }

// Sender returns who calls: the zero identity where Claims are nil.
func (c *caller) Sender() oidcauth.Identity {
	if c.claims == nil {
		return oidcauth.Identity{}
	}
	return c.claims.Identity()
}

// Connection returns the ID of the connection that the call came by, or "".
func (c *caller) Connection() string { return c.connection }

// Internal reports whether the database calls on its own behalf.
func (c *caller) Internal() bool { return c.internal }

// A Reader is a context in which tables may be read.
type Reader interface {
	bucket(table string) *bbolt.Bucket
}

// A Writer is a context in which tables may be changed, too.
type Writer interface {
	Reader
	changed(Change)
}

type reader struct{ tx *bbolt.Tx }

func (r reader) bucket(table string) *bbolt.Bucket { return r.tx.Bucket(tableBucket(table)) }

type writer struct {
	reader
	changes []Change
}

func (w *writer) changed(c Change) { w.changes = append(w.changes, c) }

// A ReducerContext is what a reducer works with: the caller, the tables, and a time
// and a randomness that are in the log. It is a [Writer]. It is good until the
// reducer returns, and for one goroutine.
type ReducerContext struct {
	caller
	writer
	time   int64 // Unix, in µs
	seed   [32]byte
	random *rand.Rand
}

// Time returns when the call was made: the same at each replay.
func (c *ReducerContext) Time() time.Time { return time.UnixMicro(c.time).UTC() }

// Random returns the call's source of randomness: the same numbers at each replay.
// They are no secrets; whoever reads the log knows them.
func (c *ReducerContext) Random() *rand.Rand {
	if c.random == nil {
		c.random = rand.New(rand.NewChaCha8(c.seed))
	}
	return c.random
}

// A ViewContext is what a view works with: the caller and the tables as they are. It
// is a [Reader].
type ViewContext struct {
	caller
	reader
}

// A ProcedureContext is what a procedure works with: the caller, a context that ends
// with their authority, and reducers and views, which are called as the caller.
type ProcedureContext struct {
	caller
	db   *DB
	from Caller
}

// Context returns the context that the caller's authority stands in. A procedure
// gives it to whatever waits.
func (c *ProcedureContext) Context() context.Context { return c.from.Context }

// Call calls a reducer, which decides for itself whether this caller may.
func (c *ProcedureContext) Call(reducer string, args any) (any, error) {
	text, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	return c.db.Call(c.from, reducer, text)
}

// View reads a view, which decides for itself whether this caller may.
func (c *ProcedureContext) View(name string, args any) (any, error) {
	text, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	return c.db.View(c.from, name, text)
}
