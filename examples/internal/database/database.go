// Package database is a small realtime database server that authenticates its
// callers with oidcauth: a table of messages in an embedded store, reducers that
// change it in a transaction, views that read it, procedures that run outside
// one, and a scheduler.
//
// Who may do what is decided in three places, each in a few lines: the
// authenticator says whose tokens are good at all; [Config].Admit says which of
// those callers may use this database; and each function's Allow says what its
// caller needs. A function that forgets to say it is open to nobody.
package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/oidcauth/oidcauth"
)

var (
	// ErrNoFunction says that the database has no function of that name.
	ErrNoFunction = errors.New("no such function")
	// ErrArguments says that the function cannot work with its arguments.
	ErrArguments = errors.New("arguments not accepted")
)

// Reducer changes the database, all of it or nothing, in one transaction.
type Reducer struct {
	// Allow says which callers may call it. Nil means none from outside: only
	// the database itself, through its scheduler.
	Allow oidcauth.Rule
	// Run does the work. What it returns is the caller's answer; an error undoes
	// everything.
	Run func(ctx context.Context, tx *Tx, args json.RawMessage) (any, error)
}

// View reads the database in one transaction and changes nothing.
type View struct {
	// Public opens it to everybody, with and without a token.
	Public bool
	// Allow is as in [Reducer].
	Allow oidcauth.Rule
	Read  func(ctx context.Context, tx *Tx) (any, error)
}

// Procedure runs outside any transaction and may take its time. What it does
// to the database goes through functions that decide for themselves.
type Procedure struct {
	// Allow is as in [Reducer].
	Allow oidcauth.Rule
	Run   func(ctx context.Context, db *Database, args json.RawMessage) (any, error)
}

// Config says where a database lives and whom it admits.
type Config struct {
	// Path is the file it is kept in; it is created if missing.
	Path string
	// Admit decides when a caller with a token connects, by whatever way, before
	// any function is looked at. Nil admits nobody.
	Admit oidcauth.Rule
}

// Database holds the messages and the functions that work on them. It is safe
// for concurrent use.
type Database struct {
	store      *bbolt.DB
	admit      oidcauth.Rule
	reducers   map[string]Reducer
	views      map[string]View
	procedures map[string]Procedure
}

// Open opens the database at its path.
func Open(cfg Config) (*Database, error) {
	store, err := bbolt.Open(cfg.Path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	err = store.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{messagesBucket, countsBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		store.Close()
		return nil, fmt.Errorf("database: %w", err)
	}
	return &Database{
		store:      store,
		admit:      cfg.Admit,
		reducers:   reducers(),
		views:      views(),
		procedures: procedures(),
	}, nil
}

// Close waits for transactions under way and closes the file.
func (db *Database) Close() error { return db.store.Close() }

// Connect decides whether the caller of ctx may use this database. Callers
// without a token may; what they get is what is public.
func (db *Database) Connect(ctx context.Context) error {
	if _, known := oidcauth.FromContext(ctx); !known {
		return nil
	}
	return permit(ctx, db.admit)
}

// Call runs a reducer for the caller of ctx. What it did is undone if ctx ends
// before it is done: a caller whose token is revoked meanwhile changes nothing. The rule
// is asked again for the sake of a socket that goes on by another token: its context does
// not end when the call's own is revoked.
func (db *Database) Call(ctx context.Context, name string, args json.RawMessage) (result any, err error) {
	reducer, ok := db.reducers[name]
	if !ok {
		return nil, fmt.Errorf("%w: reducer %q", ErrNoFunction, name)
	}
	if err := permit(ctx, reducer.Allow); err != nil {
		return nil, err
	}
	err = db.store.Update(func(tx *bbolt.Tx) error {
		if result, err = reducer.Run(ctx, newTx(ctx, tx), args); err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		return permit(ctx, reducer.Allow)
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// View reads a view for the caller of ctx.
func (db *Database) View(ctx context.Context, name string) (result any, err error) {
	view, ok := db.views[name]
	if !ok {
		return nil, fmt.Errorf("%w: view %q", ErrNoFunction, name)
	}
	if !view.Public {
		if err := permit(ctx, view.Allow); err != nil {
			return nil, err
		}
	}
	err = db.store.View(func(tx *bbolt.Tx) error {
		result, err = view.Read(ctx, newTx(ctx, tx))
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// Run runs a procedure for the caller of ctx.
func (db *Database) Run(ctx context.Context, name string, args json.RawMessage) (any, error) {
	procedure, ok := db.procedures[name]
	if !ok {
		return nil, fmt.Errorf("%w: procedure %q", ErrNoFunction, name)
	}
	if err := permit(ctx, procedure.Allow); err != nil {
		return nil, err
	}
	return procedure.Run(ctx, db, args)
}

// Every calls a reducer on the database's own behalf, once per interval, until
// ctx ends; it then closes the channel it returned. Errors go to failed.
func (db *Database) Every(ctx context.Context, interval time.Duration, reducer string, failed func(error)) (done <-chan struct{}) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				_, err := db.Call(oidcauth.NewInternalContext(ctx), reducer, nil)
				if err != nil && ctx.Err() == nil {
					failed(err)
				}
			}
		}
	}()
	return ended
}

// permit lets internal calls and callers that satisfy allow pass.
func permit(ctx context.Context, allow oidcauth.Rule) error {
	if allow == nil {
		allow = nobody
	}
	return oidcauth.Require(ctx, allow)
}

// nobody is what a function without a rule demands.
func nobody(*oidcauth.Claims) error {
	return errors.New("not open to callers from outside")
}
