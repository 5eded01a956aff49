package strangers

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/internal/clockstest"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// Turns and Turn give the tests the queue that nobody else sees.
type (
	Turns   = turns
	Turn    = turn
	Hosts   = hosts
	LineLog = lineLog
)

var (
	NewTurns   = newTurns
	HostOf     = hostOf
	NewLineLog = newLineLog
)

const (
	Patience = patience
	Lent     = lent
)

func (q *turns) Ask(ctx context.Context, callers ...netip.Addr) (*Turn, error) {
	return q.ask(ctx, callers)
}
func (q *turns) Close()                 { q.close() }
func (t *turn) Wait() error             { return t.wait() }
func (t *turn) End()                    { t.end() }
func (t *turn) Share(caller netip.Addr) { t.share(caller) }

// SharedBy reports whether a caller has a share in the turn.
func (t *turn) SharedBy(caller netip.Addr) bool {
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	return slices.Contains(t.accounts, t.turns.accounts[caller])
}

func (t *turn) Callers() int             { return len(t.accounts) }
func (t *turn) Context() context.Context { return t.ctx }
func (h hosts) Of(host string) *Turns    { return h.of(host, time.Now()) }

// Load counts those who have a turn, those who wait for one, and accounts.
func (q *turns) Load() (running, waiting, accounts int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.running), len(q.waiting), len(q.accounts)
}

// Balanced reports whether nobody's account has anything left.
func (q *turns) Balanced() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, a := range q.accounts {
		if a.running != 0 || a.waiting != 0 {
			return false
		}
	}
	return q.heir == nil
}

// Count returns how many issuers are known, how many of them have verified an
// accepted token, and how many are remembered as failed.
func (s *Issuers) Count() (known, proven, failed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.table.issuers), s.table.proven.Len(), s.failed.order.Len()
}

// Proven reports whether an issuer is known by a token that was accepted.
func (s *Issuers) Proven(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.table.issuers[name]
	return i != nil && i.proven
}

// Admit waits until an issuer may make one request.
func (s *Issuers) Admit(ctx context.Context, i *Issuer, url string) (func(), error) {
	_, done, err := s.admit(ctx, i, url)
	return done, err
}

// Begin has a first contact begin that waited, and whose turn has come.
func (s *Issuers) Begin(name string) error {
	i := &Issuer{name: name}
	s.mu.Lock()
	s.waiting[name] = i
	s.mu.Unlock()
	_, err := s.begin(i, nil)
	return err
}

// Requests reports whether a turn of an issuer is noted.
func (s *Issuers) Requests(i *Issuer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return i.request != nil
}

// HostOf returns the queue of a host.
func (s *Issuers) HostOf(url string) *Turns {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hosts.of(hostOf(url), time.Now())
}

// Keys returns the issuer's keys.
func (i *Issuer) Keys() *keyset.Set { return i.keys }

// Asked returns the accounts of those who asked for an issuer last.
func (s *Issuers) Asked(i *Issuer) []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(i.callers)
}

// Remembers reports whether a caller has an account.
func (q *turns) Remembers(caller netip.Addr) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.accounts[caller] != nil
}

// Line and Flood write lines of now.
func (l *lineLog) Line(text string) { l.line(time.Now(), slog.LevelInfo, text) }
func (l *lineLog) Flood()           { l.flood(time.Now(), 1, 2) }

// Due returns how many answers stand in line to be asked for again.
func (l *Lookups) Due() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.due[0]) + len(l.due[1])
}

// Overdue reports whether an answer of an age is let go of unasked.
func Overdue(queued bool, age time.Duration) bool {
	now := time.Now()
	return (&answer{queued: queued, asked: now.Add(-age)}).overdue(now)
}

// Sleep does what a machine's sleep does to what is known of a name: by the wall clock it is
// so much older, by the monotonic one it is not.
func (l *Lookups) Sleep(name string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := &l.known[name].asked
	*asked = clockstest.Move(*asked, -d, 0)
}
