package strangers

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// admit waits until an issuer may make one request. It is [keyset.Config.Admit].
// A first contact has its turn already. What comes later, a lookup or a refresh,
// takes one for each request; and one more has to come by who fetches keys from a
// host that is not the issuer's own.
func (s *Issuers) admit(ctx context.Context, i *Issuer, url string) (context.Context, func(), error) {
	queues, callers := s.queues(i, url)
	var held []*turn
	done := func() {
		s.requests(i, nil)
		for _, t := range held {
			t.end()
		}
	}
	for _, q := range queues {
		t, err := q.ask(ctx, callers)
		if err == nil {
			held = append(held, t)
			s.requests(i, t)
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

// requests notes the turn that an issuer waits for, so that whoever asks for it
// meanwhile has a share in it.
func (s *Issuers) requests(i *Issuer, t *turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i.request = t
	if t != nil {
		for _, caller := range i.callers {
			t.share(caller)
		}
	}
}

// queues returns where a request has to wait, and on whose account. The host's
// turn comes first, since nobody else waits for that host meanwhile.
func (s *Issuers) queues(i *Issuer, url string) ([]*turns, []netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var queues []*turns
	if host := hostOf(url); !s.closed && host != hostOf(i.name) {
		queues = append(queues, s.hosts.of(host, time.Now()))
	}
	if i.reached {
		queues = append(queues, s.turns)
	}
	return queues, slices.Clone(i.callers)
}
