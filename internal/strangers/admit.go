package strangers

import (
	"context"
	"time"
)

// admit waits until an issuer may make one request. It is [keyset.Config.Admit].
// A first contact has its turn already. What comes later, a lookup or a refresh,
// takes one for each request; and one more has to come by who fetches keys from a
// host that is not the issuer's own.
func (s *Issuers) admit(ctx context.Context, i *Issuer, url string) (context.Context, func(), error) {
	queues := s.queues(i, url)
	var held []*turn
	done := func() {
		s.requests(i, nil)
		for _, t := range held {
			t.end()
		}
	}
	for _, q := range queues {
		t, err := s.ask(ctx, i, q)
		if err == nil {
			held = append(held, t)
			err = t.wait()
		}
		if err != nil {
			done()
			return nil, nil, err
		}
		ctx = t.ctx
	}
	return ctx, done, nil
}

// ask stands in line for those who asked for the issuer last. Whoever asks for it
// from then on has a share in the turn.
func (s *Issuers) ask(ctx context.Context, i *Issuer, q *turns) (*turn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := q.ask(ctx, i.callers)
	i.request = t
	return t, err
}

// requests notes the turn that an issuer waits for or has, nil for none.
func (s *Issuers) requests(i *Issuer, t *turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i.request = t
}

// queues returns where a request has to wait. The host's turn comes first, since
// nobody else waits for that host meanwhile.
func (s *Issuers) queues(i *Issuer, url string) []*turns {
	s.mu.Lock()
	defer s.mu.Unlock()
	var queues []*turns
	if host := hostOf(url); host != hostOf(i.name) {
		queues = append(queues, s.hosts.of(host, time.Now()))
	}
	if i.reached {
		queues = append(queues, s.turns)
	}
	return queues
}
