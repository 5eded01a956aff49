package realtime

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"go.etcd.io/bbolt"

	"github.com/oidcauth/oidcauth"
)

var logBucket = []byte("log")

// The names of calls that no client makes.
const (
	onConnect    = "on connect"
	onDisconnect = "on disconnect"
)

// An Entry is one call in the log: all that its outcome depends on.
type Entry struct {
	Name       string          `json:"name"` // of the reducer
	Args       json.RawMessage `json:"args,omitempty"`
	Time       int64           `json:"time"` // Unix, in µs
	Seed       [32]byte        `json:"seed"`
	Who        *Who            `json:"who,omitempty"` // nil for nobody and for the database itself
	Connection string          `json:"connection,omitempty"`
	Internal   bool            `json:"internal,omitempty"`
}

// Who is what claims are made of again: what the token said, what somebody else said of
// its bearer, and by which description of its issuer both were read.
type Who struct {
	Payload     []byte `json:"payload"`
	Supplement  []byte `json:"supplement,omitempty"`
	Description string `json:"description,omitempty"`
}

// whoOf returns what is logged of a caller.
func whoOf(c *oidcauth.Claims) *Who {
	return &Who{Payload: c.Payload(), Supplement: c.Supplement(), Description: c.Description()}
}

func appendEntry(tx *bbolt.Tx, entry Entry) error {
	log := tx.Bucket(logBucket)
	n, err := log.NextSequence()
	if err != nil {
		return err
	}
	text, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("realtime: log: %w", err)
	}
	return log.Put(sequenceKey(n), text)
}

// Entries calls yield with each entry of the log, in order, until it returns an error.
func (db *DB) Entries(yield func(Entry) error) error {
	return db.store.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(logBucket).ForEach(func(key, text []byte) error {
			var entry Entry
			if err := json.Unmarshal(text, &entry); err != nil {
				return fmt.Errorf("realtime: log: entry %d: %w", binary.BigEndian.Uint64(key), err)
			}
			return yield(entry)
		})
	})
}

// Replay makes the calls in the log of from again, in a database of the same module
// that has seen none. Claims become claims again by rebuild, which verifies nothing
// and asks nobody, as [oidcauth.Authenticator.UnverifiedClaims] does. Who may call what
// is not asked again either: what is in the log was permitted.
func (db *DB) Replay(from *DB, rebuild func(Who) (*oidcauth.Claims, error)) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	n := 0
	return from.Entries(func(entry Entry) error {
		n++
		if err := db.replay(entry, rebuild); err != nil {
			return fmt.Errorf("realtime: replay: call %d, %s: %w", n, entry.Name, err)
		}
		return nil
	})
}

func (db *DB) replay(entry Entry, rebuild func(Who) (*oidcauth.Claims, error)) error {
	run, err := db.module.named(entry.Name)
	if err != nil {
		return err
	}
	var claims *oidcauth.Claims
	if entry.Who != nil {
		if claims, err = rebuild(*entry.Who); err != nil {
			return err
		}
	}
	_, _, err = db.apply(entry, claims, run, func() error { return nil })
	return err
}

// named returns what an entry's name stands for.
func (m *Module) named(name string) (Run, error) {
	lifecycle := map[string]func(*ReducerContext) error{onConnect: m.OnConnect, onDisconnect: m.OnDisconnect}
	if run := lifecycle[name]; run != nil {
		return func(ctx *ReducerContext, _ json.RawMessage) (any, error) { return nil, run(ctx) }, nil
	}
	r, ok := m.Reducers[name]
	if !ok {
		return nil, fmt.Errorf("%w: reducer %q", ErrNoFunction, name)
	}
	return r.Run, nil
}

// Dump writes everything that is in the store, log included, byte for byte: two
// stores with the same dump are the same.
func (db *DB) Dump(w io.Writer) error {
	return db.store.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			if _, err := fmt.Fprintf(w, "%s (%d)\n", name, b.Sequence()); err != nil {
				return err
			}
			return b.ForEach(func(key, value []byte) error {
				_, err := fmt.Fprintf(w, "\t%q %s\n", key, bytes.TrimSpace(value))
				return err
			})
		})
	})
}
