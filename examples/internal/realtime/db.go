// Package realtime is a small realtime database server's engine, in the style of
// SpacetimeDB: tables in an embedded store, a log of every call that changed them,
// and a feed of the rows that changed.
//
// A program describes itself as a [Module]: reducers change tables, views read
// them, procedures do what neither may. What each is given is what it may do. A
// [ReducerContext] writes tables, has its time and its randomness from the log, and
// nothing that reaches outside the database; a [ViewContext] only reads; a
// [ProcedureContext] has a context and calls reducers, and no table.
//
// Each call that was committed is in the log with the caller's identity and claims,
// so that [Replay] rebuilds the same bytes in an empty store, without network, clock
// or keys.
package realtime

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/oidcauth/oidcauth"
)

var (
	// ErrNoFunction says that the module has no function or table of that name.
	ErrNoFunction = errors.New("no such function")
	// ErrArguments says that a function cannot work with its arguments, or not now.
	ErrArguments = errors.New("arguments not accepted")
)

// A DB is a module's tables, the log of what changed them, and the feed of those who
// watch. It is safe for concurrent use.
type DB struct {
	store   *bbolt.DB
	module  Module
	tables  map[string]TableInfo
	now     func() time.Time
	feed    feed
	writing sync.Mutex // held from a call's beginning until its changes are in the feed
}

// Open opens the store at path, which is made if it is missing.
func Open(path string, m Module) (*DB, error) {
	db := &DB{module: m, tables: make(map[string]TableInfo), now: time.Now}
	for _, table := range m.Tables {
		if db.tables[table.Name()] != nil {
			return nil, fmt.Errorf("realtime: table %q stands twice", table.Name())
		}
		db.tables[table.Name()] = table
	}
	store, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("realtime: %w", err)
	}
	err = store.Update(func(tx *bbolt.Tx) error {
		for name := range db.tables {
			if _, err := tx.CreateBucketIfNotExists(tableBucket(name)); err != nil {
				return err
			}
		}
		_, err := tx.CreateBucketIfNotExists(logBucket)
		return err
	})
	if err != nil {
		store.Close()
		return nil, fmt.Errorf("realtime: %w", err)
	}
	db.store = store
	return db, nil
}

// Close waits for transactions under way, ends the feed and closes the store.
func (db *DB) Close() error {
	db.feed.close()
	return db.store.Close()
}

// A Caller is who calls: for whom ctx acts, and by which connection, if any.
type Caller struct {
	Context    context.Context // as the library's middleware or a session made it
	Connection string          // empty for a call that comes by none
}

// Call runs a reducer. Its changes are in the store, on disk, when Call returns, or
// none of them is: after an error, and for a caller whose authority ended meanwhile.
func (db *DB) Call(from Caller, reducer string, args json.RawMessage) (result any, err error) {
	r, ok := db.module.Reducers[reducer]
	if !ok {
		return nil, fmt.Errorf("%w: reducer %q", ErrNoFunction, reducer)
	}
	may := func() error { return permit(from.Context, r.Allow) }
	if err := may(); err != nil {
		return nil, err
	}
	return db.run(from, reducer, args, r.Run, may)
}

// Connect runs [Module.OnConnect], whose error refuses the connection.
func (db *DB) Connect(from Caller) error {
	return db.lifecycle(from, onConnect, db.module.OnConnect)
}

// Disconnect runs [Module.OnDisconnect] for a connection that has ended. The caller's
// authority may have ended with it.
func (db *DB) Disconnect(from Caller) error {
	from.Context = context.WithoutCancel(from.Context)
	return db.lifecycle(from, onDisconnect, db.module.OnDisconnect)
}

func (db *DB) lifecycle(from Caller, name string, run func(*ReducerContext) error) error {
	if run == nil {
		return nil
	}
	anybody := func() error { return nil } // the function itself decides, and of who leaves nobody does
	_, err := db.run(from, name, nil, func(ctx *ReducerContext, _ json.RawMessage) (any, error) { return nil, run(ctx) }, anybody)
	return err
}

// run executes one call with the present time and fresh randomness, and logs it. Before
// it is kept may is asked, beside the caller's context: that goes on where the connection
// does by another token, and the call's own was revoked.
func (db *DB) run(from Caller, name string, args json.RawMessage, run Run, may func() error) (result any, err error) {
	entry := Entry{Name: name, Args: args, Connection: from.Connection, Internal: oidcauth.IsInternal(from.Context)}
	crand.Read(entry.Seed[:])
	claims, known := oidcauth.FromContext(from.Context)
	if known {
		entry.Who = whoOf(claims)
	}
	db.writing.Lock()
	defer db.writing.Unlock()
	entry.Time = db.now().UnixMicro()
	changes, result, err := db.apply(entry, claims, run, func() error {
		if err := context.Cause(from.Context); err != nil {
			return err
		}
		return may()
	})
	if err != nil {
		return nil, err
	}
	db.feed.publish(changes)
	return result, nil
}

// apply runs one call in a transaction of its own, together with its entry in the
// log. The last word has permit, before the transaction is committed.
func (db *DB) apply(entry Entry, claims *oidcauth.Claims, run Run, permit func() error) (changes []Change, result any, err error) {
	err = db.store.Update(func(tx *bbolt.Tx) error {
		ctx := &ReducerContext{caller: newCallerOf(entry, claims), writer: writer{reader: reader{tx}}, time: entry.Time, seed: entry.Seed}
		if result, err = run(ctx, entry.Args); err != nil {
			return err
		}
		if err := appendEntry(tx, entry); err != nil {
			return err
		}
		changes = ctx.changes
		return permit()
	})
	return changes, result, err
}

// View reads a view.
func (db *DB) View(from Caller, name string, args json.RawMessage) (result any, err error) {
	v, ok := db.module.Views[name]
	if !ok {
		return nil, fmt.Errorf("%w: view %q", ErrNoFunction, name)
	}
	if err := permit(from.Context, v.Allow); err != nil {
		return nil, err
	}
	err = db.read(from, func(ctx *ViewContext) error {
		result, err = v.Read(ctx, args)
		return err
	})
	return result, err
}

func (db *DB) read(from Caller, read func(*ViewContext) error) error {
	claims, _ := oidcauth.FromContext(from.Context)
	entry := Entry{Connection: from.Connection, Internal: oidcauth.IsInternal(from.Context)}
	return db.store.View(func(tx *bbolt.Tx) error {
		return read(&ViewContext{caller: newCallerOf(entry, claims), reader: reader{tx}})
	})
}

// Procedure runs a procedure, outside any transaction.
func (db *DB) Procedure(from Caller, name string, args json.RawMessage) (any, error) {
	p, ok := db.module.Procedures[name]
	if !ok {
		return nil, fmt.Errorf("%w: procedure %q", ErrNoFunction, name)
	}
	if err := permit(from.Context, p.Allow); err != nil {
		return nil, err
	}
	claims, _ := oidcauth.FromContext(from.Context)
	entry := Entry{Connection: from.Connection, Internal: oidcauth.IsInternal(from.Context)}
	return p.Run(&ProcedureContext{caller: newCallerOf(entry, claims), db: db, from: from}, args)
}

// Schedule calls reducers on the database's own behalf, each once per interval,
// until ctx ends. Errors go to failed.
func (db *DB) Schedule(ctx context.Context, failed func(reducer string, err error)) {
	var running sync.WaitGroup
	for name, interval := range db.module.Schedule {
		running.Go(func() {
			ticker := time.NewTicker(interval)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
				_, err := db.Call(Caller{Context: oidcauth.NewInternalContext(ctx)}, name, nil)
				if err != nil && ctx.Err() == nil {
					failed(name, err)
				}
			}
		})
	}
	running.Wait()
}

// permit lets internal calls pass and callers that satisfy allow. What says nothing
// of who may call it is open to nobody.
func permit(ctx context.Context, allow oidcauth.Rule) error {
	if allow == nil {
		allow = func(*oidcauth.Claims) error { return errors.New("not open to callers from outside") }
	}
	return oidcauth.Require(ctx, allow)
}

func tableBucket(name string) []byte { return []byte("table " + name) }

func sequenceKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
