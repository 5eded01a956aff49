package oidcauth

import "context"

// EnterAfter begins a session as NewSession does, with something that happens after
// the claims were found good and before the session lives by them. It reports
// whether it does live by them then.
func (a *Authenticator) EnterAfter(c *Claims, between func()) (entered bool) {
	s := &Session{auth: a}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	g, err := a.sessions.pin(c)
	if err != nil {
		return false
	}
	defer a.sessions.unpin(g)
	if a.judge(g) != nil {
		return false
	}
	between()
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.sessions.enter(s, g)
}

// LargestShard returns how many grants are in the part of the index that has most.
func (a *Authenticator) LargestShard() (most int) {
	for i := range a.sessions.shards {
		sh := &a.sessions.shards[i]
		sh.mu.Lock()
		n := 0
		for _, g := range sh.lists[byKey] {
			n += len(appendList(nil, g, byKey))
		}
		sh.mu.Unlock()
		most = max(most, n)
	}
	return most
}
