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

// serve has a socket served. If it cannot be, all that is left is to tell the client
// why, which its outbox does.
func (s *sockets) serve(k *socket) {
	if err := s.add(k); err != nil {
		k.end(err)
		k.session.Close()
		return
	}
	go func() {
		defer s.remove(k)
		k.serve()
	}()
}

// add takes a socket in unless the server has stopped, or the person has enough of them.
func (s *sockets) add(k *socket) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return oidcauth.ErrClosed
	}
	if k.leave, err = k.server.places.take(k.session.Context(), k.who); err != nil {
		return err
	}
	if s.open == nil {
		s.open = make(map[*socket]struct{})
	}
	s.open[k] = struct{}{}
	s.running.Add(1)
	return nil
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
	k.leave()
	delete(s.open, k)
	s.running.Done()
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
