package main

import (
	"context"
	"sync"

	"github.com/oidcauth/oidcauth"
)

// maxSockets is how many connections one identity may have, in all its windows and
// programs and by whatever protocol.
const maxSockets = 100

// places are the connections that people have.
type places struct {
	mu    sync.Mutex                // guards taken
	taken map[oidcauth.Identity]int // by whose they are
}

// take takes a place for a connection until its session ends, or leave is called. A
// connection whose session has ended does not count, even while its client is yet to be
// told: else whoever holds a person's stolen token, and all places with it, would keep
// the person out for a while after it was withdrawn. One that ends for another reason
// counts until its client has gone, since what waits for the client is kept till then.
func (p *places) take(session context.Context, who oidcauth.Identity) (leave func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[who] >= maxSockets {
		return nil, errMany
	}
	if p.taken == nil {
		p.taken = make(map[oidcauth.Identity]int)
	}
	p.taken[who]++
	leave = sync.OnceFunc(func() { p.free(who) })
	context.AfterFunc(session, leave)
	return leave, nil
}

func (p *places) free(who oidcauth.Identity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[who]--; p.taken[who] == 0 {
		delete(p.taken, who)
	}
}
