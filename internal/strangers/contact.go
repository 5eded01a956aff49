package strangers

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// maxWaiters bounds the calls that wait for the turn of one first contact.
const maxWaiters = 64

// Contact returns an issuer whose keys have been fetched, waiting for its first
// contact if need be, on the account of caller, who is what [Account] returns. The
// contact looks for the key that a token is under. The error is [ErrUnknown], a
// [*keyset.PostponedError] when it is not this caller's turn for too long,
// [ErrClosed], or that of ctx, which may end the wait early; [refusal.Ended] words
// it.
func (s *Issuers) Contact(ctx context.Context, caller netip.Addr, name string, keyID jws.KeyID) (*Issuer, error) {
	i, err := s.join(caller, name, keyID)
	if err != nil {
		s.tooMany(err)
		return nil, err
	}
	if err := s.await(ctx, i); err != nil {
		return nil, err
	}
	if i.err != nil {
		return nil, i.err
	}
	return i, nil
}

// join returns the issuer as it is in the table, or puts it in line for its first
// contact if that is allowed now.
func (s *Issuers) join(caller netip.Addr, name string, keyID jws.KeyID) (*Issuer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.closed {
		return nil, ErrClosed
	}
	if known := s.table.issuers[name]; known != nil {
		s.table.use(known, now)
		known.asks(caller)
		if !known.reached {
			known.turn.share(caller)
		}
		if known.request != nil {
			known.request.share(caller)
		}
		return known, nil
	}
	if waiting := s.waiting[name]; waiting != nil {
		if waiting.waiters >= maxWaiters && !waiting.turn.decided() {
			return nil, &keyset.PostponedError{RetryAfter: busyRetry}
		}
		waiting.waiters++
		waiting.asks(caller)
		waiting.turn.share(caller)
		return waiting, nil
	}
	if s.failed.has(name, now) {
		return nil, ErrUnknown
	}
	i := &Issuer{name: name, done: make(chan struct{}), waiters: 1, callers: []netip.Addr{caller}}
	var err error
	if i.turn, err = s.turns.ask(context.Background(), i.callers); err != nil {
		return nil, err
	}
	s.waiting[name] = i
	s.wg.Go(func() { s.run(i, keyID) })
	return i, nil
}

// await waits for the end of the first contact.
func (s *Issuers) await(ctx context.Context, i *Issuer) error {
	select {
	case <-i.done:
		return nil // also for a caller who has no time left
	default:
	}
	select {
	case <-i.done:
		return nil
	case <-ctx.Done():
		if s.giveUp(i) {
			return &keyset.PostponedError{RetryAfter: busyRetry} // nobody was asked yet
		}
		return ctx.Err()
	}
}

// giveUp notes that one waiter less is there, and reports whether the issuer's
// turn is still to come. The last waiter takes it out of the line.
func (s *Issuers) giveUp(i *Issuer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[i.name] != i {
		return false
	}
	if i.waiters--; i.waiters == 0 {
		delete(s.waiting, i.name)
		i.turn.end()
	}
	return true
}

// run waits for a turn and makes the first contact. It ends with patience and
// contactTimeout, with Close, or when nobody waits for the turn any more.
func (s *Issuers) run(i *Issuer, keyID jws.KeyID) {
	defer i.turn.end()
	err := i.turn.wait()
	evicted, err := s.begin(i, err)
	if evicted != nil {
		s.letGo(evicted)
	}
	if err == nil {
		if err = s.contact(i, keyID); err != nil {
			i.keys.Close()
		}
	}
	s.finish(i, err)
}

// begin takes an issuer whose turn has come from the line into the table, and
// returns the one that it takes the place of, if any.
func (s *Issuers) begin(i *Issuer, err error) (*Issuer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[i.name] == i {
		delete(s.waiting, i.name)
	} else if err == nil {
		err = context.Canceled // nobody waits any more
	}
	if err != nil {
		return nil, err
	}
	if s.closed {
		return nil, ErrClosed
	}
	now := time.Now()
	var evicted *Issuer
	if len(s.table.issuers) >= s.table.max {
		if evicted = s.table.evict(now); evicted == nil {
			return nil, &keyset.PostponedError{RetryAfter: busyRetry}
		}
	}
	if i.keys, err = s.newKeySet(i); err != nil {
		return evicted, ErrUnknown
	}
	i.data = s.cfg.Describe(i.name, i.keys)
	s.table.add(i, now)
	return evicted, nil
}

func (s *Issuers) newKeySet(i *Issuer) (*keyset.Set, error) {
	return keyset.New(keyset.Config{
		Issuer: i.name, Fetch: s.cfg.Fetch, MaxBytes: MaxBytes, MaxKeys: maxKeys, MaxExponent: maxExponent,
		Admit:      func(ctx context.Context, url string) (context.Context, func(), error) { return s.admit(ctx, i, url) },
		AlwaysCool: true,
		Hooks: keyset.Hooks{
			FetchDone:    s.cfg.FetchDone,
			KeysGone:     s.cfg.KeysGone,
			StateChanged: func(from, to keyset.State, err error) { s.stateChanged(i, from, to, err) },
		},
	})
}

// contact fetches an issuer's keys for the first time.
func (s *Issuers) contact(i *Issuer, keyID jws.KeyID) error {
	ctx, cancel := context.WithTimeout(i.turn.ctx, contactTimeout)
	defer cancel()
	_, err := i.keys.Keys(ctx, keyID)
	if err == nil || errors.Is(err, keyset.ErrUnknownKey) {
		return nil // in the latter case the keys are there, the token's is not among them
	}
	if taken, ok := errors.AsType[*keyset.PostponedError](context.Cause(ctx)); ok {
		return taken
	}
	return err
}

// finish notes how the first contact went and lets its waiters go.
func (s *Issuers) finish(i *Issuer, err error) {
	defer close(i.done)
	if s.note(i, err) {
		s.log.line(time.Now(), slog.LevelInfo, "unknown issuer does not answer with its keys",
			slog.String("issuer", i.name), slog.String("error", fetch.Cause(err).Error()))
	}
	s.tooMany(i.err)
}

// note is finish without the log, and reports whether the issuer has failed and did not
// before.
func (s *Issuers) note(i *Issuer, err error) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i.reached = err == nil
	postponed, wasPostponed := errors.AsType[*keyset.PostponedError](err)
	switch {
	case s.closed:
		i.err = ErrClosed
		return false
	case err == nil:
		s.failed.remove(i.name)
		return false
	case wasPostponed:
		i.err = postponed
	case i.keys == nil:
		i.err = err // nobody waits for it any more
	default:
		i.err = ErrUnknown
		news = s.failed.add(i.name, time.Now())
	}
	if i.element != nil {
		s.table.remove(i)
	}
	return news
}

// tooMany writes a line for who is turned away with err.
func (s *Issuers) tooMany(err error) {
	if _, postponed := errors.AsType[*keyset.PostponedError](err); !postponed {
		return
	}
	s.mu.Lock()
	issuers, waiting := len(s.table.issuers), len(s.waiting)
	s.mu.Unlock()
	s.log.flood(time.Now(), issuers, waiting)
}

// letGo ends what is left of an issuer that was evicted.
func (s *Issuers) letGo(i *Issuer) {
	i.keys.Close()
	if i.good {
		s.cfg.Evicted(i.keys)
	}
}

// stateChanged reports on an issuer that has worked. How its first contact went
// is reported by finish.
func (s *Issuers) stateChanged(i *Issuer, from, to keyset.State, err error) {
	if from != keyset.None {
		attrs := []slog.Attr{
			slog.String("issuer", i.name), slog.String("from", from.String()), slog.String("to", to.String()),
		}
		if err != nil {
			attrs = append(attrs, slog.String("error", fetch.Cause(err).Error()))
		}
		s.log.line(time.Now(), slog.LevelInfo, "issuer's keys changed state", attrs...)
	}
	s.cfg.StateChanged(i.name, from, to, err)
}
