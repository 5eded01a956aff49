package keyset

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	exact "github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth/internal/dirlock"
	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/quote"
)

const (
	storeVersion = 1
	maxStored    = 2 << 20
	// A clock that was set back a little does not make a file useless.
	storeClockSlack = time.Minute
)

// store is one issuer's file in the cache directory. It holds public keys and
// where they came from, nothing that was copied from the issuer's answer.
type store struct {
	dir    string
	name   string   // of the file in it
	tap    disk.Tap // nil but in tests
	issuer string
	source string
	saved  time.Time // last written or tried; guarded by the set's mu

	mu      sync.Mutex // guards failing, and the order of writes
	failing bool
}

// storedSet is the file's content. No ETag is kept: the first refresh after a
// start asks for the whole set, because the file has only those keys that the
// version of this library that wrote it could use.
type storedSet struct {
	Version   int             `json:"version"`
	Issuer    string          `json:"issuer"`
	Source    string          `json:"source"`
	URL       string          `json:"jwks_url"`
	Confirmed time.Time       `json:"confirmed"`
	JWKS      json.RawMessage `json:"jwks"`
}

type storedKeys struct {
	Keys []json.RawMessage `json:"keys"`
}

func newStore(cfg Config) *store {
	st := &store{dir: cfg.CacheDir, tap: cfg.tap, issuer: cfg.Issuer, source: "discovery " + cfg.DiscoveryURL}
	if cfg.JWKSURL != "" {
		st.source = "jwks " + cfg.JWKSURL
	}
	if cfg.Apart != "" {
		st.source += "\n" + cfg.Apart
	}
	sum := sha256.Sum256([]byte(st.issuer + "\n" + st.source))
	st.name = hex.EncodeToString(sum[:16]) + ".json"
	return st
}

// wants reports whether the keys are to be written now. A refresh that changed
// nothing is written too, for its time, but not more often than needed. It may
// be called on nil.
func (st *store) wants(now time.Time, changed bool) bool {
	if st == nil || !changed && now.Sub(st.saved) < minLifetime {
		return false
	}
	st.saved = now
	return true
}

// adoptStored starts with the keys of the last run, which serve until the
// first refresh reports it better. Nobody else knows the set yet.
func (s *Set) adoptStored() {
	s.store.clean()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	file, doc, err := s.loadStored(now)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		s.noteStore(fmt.Errorf("key file ignored: %s: %w", filepath.Join(s.store.dir, s.store.name), err))
	default:
		confirmed := earlier(file.Confirmed, now)
		next := &snapshot{
			url: file.URL, stored: true, lifetime: defaultLifetime,
			fetched: confirmed, confirmed: confirmed, freshUntil: now,
		}
		next.setLimit(s.base)
		s.swap(next, doc.keys)
		s.source.url = file.URL
		s.refreshAt = now
		s.reportState(now)
	}
	s.timer.Reset(0) // what was noted is told, and the timer set
}

func (s *Set) loadStored(now time.Time) (storedSet, document, error) {
	file, err := s.store.load(now)
	if err != nil {
		return file, document{}, err
	}
	doc, err := s.parse(file.JWKS)
	return file, doc, err
}

// load reads the file if it can serve now.
func (st *store) load(now time.Time) (storedSet, error) {
	dir, err := st.open()
	if err != nil {
		return storedSet{}, err
	}
	defer dir.Close()
	return st.loadFrom(dir, now)
}

func (st *store) loadFrom(dir *disk.Dir, now time.Time) (storedSet, error) {
	var file storedSet
	body, err := dir.Read(st.name, maxStored, disk.CheckWritable)
	if err != nil {
		return file, err
	}
	if err := exact.Unmarshal(body, &file); err != nil {
		return file, fmt.Errorf("damaged: %s", brief(err))
	}
	return file, st.check(file, now)
}

func (st *store) check(file storedSet, now time.Time) error {
	switch {
	case file.Version != storeVersion:
		return fmt.Errorf("version: got %d, want %d", file.Version, storeVersion)
	case file.Issuer != st.issuer:
		return fmt.Errorf("issuer: got %s, want %s", quote.Value(file.Issuer), quote.Value(st.issuer))
	case file.Source != st.source:
		return fmt.Errorf("source: got %s, want %s", quote.Value(file.Source), quote.Value(st.source))
	case file.Confirmed.After(now.Add(storeClockSlack)):
		return fmt.Errorf("confirmed in the future: %s", file.Confirmed.Format(time.RFC3339))
	case now.Sub(file.Confirmed) >= StaleLimit:
		return fmt.Errorf("too old: confirmed %s, limit is %v", file.Confirmed.Format(time.RFC3339), StaleLimit)
	}
	return nil
}

// open opens the directory if nobody but its owner can have written to it. It may be
// reached through a link.
func (st *store) open() (*disk.Dir, error) {
	dir, err := disk.Open(st.dir, st.tap)
	if err != nil {
		return nil, err
	}
	info, err := dir.Info()
	if err == nil {
		err = disk.CheckWritable(info)
	}
	if err != nil {
		dir.Close()
		return nil, fmt.Errorf("%s: %w", st.dir, err)
	}
	return dir, nil
}

// openOrMake is open, except that a directory that is not there is made.
func (st *store) openOrMake() (*disk.Dir, error) {
	dir, err := st.open()
	if !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	if err := disk.Make(st.dir, st.tap); err != nil {
		return nil, err
	}
	return st.open()
}

// save writes the newest keys that are to be written, even if the set has been closed since,
// unless it has to wait for others then. Where somebody waits already to do so, it leaves
// them to that: a set stands in line once.
func (s *Set) save() {
	if !s.comesToSave() {
		return
	}
	came := time.Now()
	leave, entered := s.cfg.Writers.enter(s.ctx)
	if !entered {
		s.takeUnsaved()
		return
	}
	var err error
	defer func() { leave(err) }()
	err = s.saveNow(came)
}

// comesToSave reports whether there are keys to be written that nobody waits to write, and
// if so notes that somebody does.
func (s *Set) comesToSave() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	comes := s.unsaved != nil && !s.saving
	s.saving = s.saving || comes
	return comes
}

// takeUnsaved returns the keys to be written, for who waited to do so: those that come from
// now on are another's.
func (s *Set) takeUnsaved() *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := s.unsaved
	s.unsaved, s.saving = nil, false
	return snap
}

// saveNow is save for a set whose turn it is, and which came for that at a time. It returns
// why nothing was written.
func (s *Set) saveNow(came time.Time) error {
	st := s.store
	st.mu.Lock()
	defer st.mu.Unlock()
	err := st.write(s.takeUnsaved(), s.cfg.Writers.until(came))
	first := err != nil && !st.failing
	st.failing = err != nil
	if first {
		s.mu.Lock()
		s.noteStore(fmt.Errorf("key file not written: %w", err))
		s.mu.Unlock()
	}
	return err
}

// noteStore reports a problem with the file. s.mu must be held.
func (s *Set) noteStore(err error) {
	if hook := s.cfg.Hooks.StoreFailed; hook != nil && !s.closed() {
		s.notes = append(s.notes, func() { hook(err) })
	}
}

// write replaces the file in one step, so that a reader finds the old keys or
// the new ones, unless another process has written what the issuer confirmed
// later. It waits for the directory's lock until a time, and tries once if that is past.
func (st *store) write(snap *snapshot, until time.Time) error {
	body, err := st.encode(snap)
	if err != nil {
		return err
	}
	dir, err := st.openOrMake()
	if err != nil {
		return err
	}
	defer dir.Close()
	unlock, err := st.lock(dir, until)
	switch {
	case errors.Is(err, dirlock.ErrUnsupported):
		// Then two processes that write at once may write in the wrong order.
	case err != nil:
		return err
	default:
		defer unlock()
	}
	if there, err := st.loadFrom(dir, time.Now()); err == nil && there.Confirmed.After(snap.confirmed) {
		return nil
	}
	return dir.Replace(st.name, st.name+storeTemp, body)
}

func (st *store) encode(snap *snapshot) ([]byte, error) {
	set := storedKeys{}
	for _, k := range snap.keys {
		raw, err := k.encode()
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, raw)
	}
	jwks, err := json.Marshal(set)
	if err != nil {
		return nil, err
	}
	return json.Marshal(storedSet{
		Version: storeVersion, Issuer: st.issuer, Source: st.source, URL: snap.url,
		Confirmed: snap.confirmed.Round(0).UTC(), JWKS: jwks,
	})
}

// encode returns the key as a JWK, made from the parsed public key.
func (k *Key) encode() ([]byte, error) {
	jwk := jose.JSONWebKey{Key: k.Public(), KeyID: k.ID(), Algorithm: k.Algorithm(), Use: k.use}
	raw, err := jwk.MarshalJSON()
	if err != nil || len(k.operations) == 0 && k.issuer == "" {
		return raw, err
	}
	members := map[string]any{}
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	if len(k.operations) > 0 {
		members["key_ops"] = k.operations
	}
	if k.issuer != "" {
		members["issuer"] = k.issuer
	}
	return json.Marshal(members)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
