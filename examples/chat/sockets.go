package main

import (
	"sync"

	"github.com/oidcauth/oidcauth"
)

// sockets are all that are open.
type sockets struct {
	running sync.WaitGroup // those that are served

	mu      sync.Mutex // guards all below
	open    map[*socket]struct{}
	stopped bool
}

// serve has a socket served. If the server has stopped, all that is left is to tell
// the client, which its outbox does.
func (s *sockets) serve(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		k.end(oidcauth.ErrClosed)
		k.session.Close()
		return
	}
	if s.open == nil {
		s.open = make(map[*socket]struct{})
	}
	s.open[k] = struct{}{}
	s.running.Go(func() {
		defer s.remove(k)
		k.serve()
	})
}

// stop ends all sockets, and waits until their clients have been told.
func (s *sockets) stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	for _, k := range s.all() {
		k.end(oidcauth.ErrClosed)
	}
	s.running.Wait()
}

func (s *sockets) remove(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, k)
}

func (s *sockets) all() []*socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*socket, 0, len(s.open))
	for k := range s.open {
		all = append(all, k)
	}
	return all
}

// of returns the sockets of one login.
func (s *sockets) of(login string) []*socket {
	var of []*socket
	for _, k := range s.all() {
		if login != "" && k.login == login {
			of = append(of, k)
		}
	}
	return of
}
