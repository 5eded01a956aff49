package realtime

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"go.etcd.io/bbolt"
)

// A Change is what became of one row: its new text, or none if it is gone.
type Change struct {
	Table string          `json:"-"`
	Key   string          `json:"key"`
	Row   json.RawMessage `json:"row,omitempty"`
}

// Rows are changes of one table that were committed together. The first that a
// subscription gets are all the rows there are, with Whole set.
type Rows struct {
	Table   string   `json:"table"`
	Whole   bool     `json:"whole,omitempty"`
	Changes []Change `json:"changes"`
}

// A Subscription is somebody who watches tables.
type Subscription struct {
	tables []string
	send   func(message []byte)
	db     *DB
}

// feed passes changes on, in the order of their commits.
type feed struct {
	mu     sync.Mutex // guards all below
	subs   map[*Subscription]struct{}
	closed bool
}

// Subscribe has send called with the rows of these tables as they are now, and then
// with each commit's changes to them, each as the JSON text of [Rows]. The text is
// shared: send must not change it, and must not block. Every table decides whether
// this caller may watch it, by the claims that the caller has now: where roles can be
// taken from a token that stays good, as by a Supplement or SetIssuers, have
// [Subscription.Recheck] ask again.
func (db *DB) Subscribe(from Caller, tables []string, send func(message []byte)) (*Subscription, error) {
	if err := db.mayWatch(from, tables); err != nil {
		return nil, err
	}
	tables = slices.Compact(slices.Sorted(slices.Values(tables)))
	sub := &Subscription{tables: tables, send: send, db: db}
	db.writing.Lock() // so that no commit comes between the rows and the first change
	defer db.writing.Unlock()
	err := db.store.View(func(tx *bbolt.Tx) error {
		for _, name := range tables {
			message, err := whole(reader{tx}, name)
			if err != nil {
				return err
			}
			send(message)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	db.feed.add(sub)
	return sub, nil
}

// mayWatch reports an error unless every one of the tables lets a caller watch it.
func (db *DB) mayWatch(from Caller, tables []string) error {
	for _, name := range tables {
		table, ok := db.tables[name]
		if !ok {
			return fmt.Errorf("%w: table %q", ErrNoFunction, name)
		}
		if err := permit(from.Context, table.watchers()); err != nil {
			return err
		}
	}
	return nil
}

// Recheck reports an error unless a caller may watch all that the subscription does:
// who has begun to may not by another token, which has lost a role. It is for a
// connection that goes on under one, or whose token's roles are asked for again.
func (s *Subscription) Recheck(from Caller) error { return s.db.mayWatch(from, s.tables) }

// whole returns all rows of a table as a message.
func whole(r Reader, table string) ([]byte, error) {
	rows := Rows{Table: table, Whole: true, Changes: []Change{}}
	err := r.bucket(table).ForEach(func(key, text []byte) error {
		rows.Changes = append(rows.Changes, Change{Key: string(key), Row: text})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(rows)
}

// Close ends the subscription. A message may still be on its way.
func (s *Subscription) Close() {
	s.db.feed.mu.Lock()
	defer s.db.feed.mu.Unlock()
	delete(s.db.feed.subs, s)
}

func (f *feed) add(s *Subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	if f.subs == nil {
		f.subs = make(map[*Subscription]struct{})
	}
	f.subs[s] = struct{}{}
}

// publish passes on what one call changed: one message a table, written once for all
// that watch it.
func (f *feed) publish(changes []Change) {
	messages := make(map[string][]byte)
	for table, changes := range byTable(changes) {
		text, err := json.Marshal(Rows{Table: table, Changes: changes})
		if err != nil {
			panic("realtime: a row that was stored as JSON is none: " + err.Error())
		}
		messages[table] = text
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.subs {
		for _, table := range s.tables {
			if message := messages[table]; message != nil {
				s.send(message)
			}
		}
	}
}

func byTable(changes []Change) map[string][]Change {
	tables := make(map[string][]Change)
	for _, c := range changes {
		tables[c.Table] = append(tables[c.Table], c)
	}
	return tables
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	clear(f.subs)
}
