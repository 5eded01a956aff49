package watch

import (
	"sync"

	"github.com/oidcauth/oidcauth/authtrace"
)

// Keys are those of an issuer that come from one place. Its descriptions may have them from
// several: hooks are told of the worst state that keys of the issuer's are in. A nil one is
// of no interest to anybody, and its methods do nothing.
type Keys struct {
	watch  *Watch
	issuer string // empty for one that is not configured

	// What follows is guarded by watch.states.mu.
	state authtrace.State
	err   error // the failure behind it
	left  bool
}

// keyStates are those of the issuers whose keys are in any.
type keyStates struct {
	mu      sync.Mutex // guards what follows, and is held while it is told
	issuers map[string]*issuerKeys
}

// issuerKeys are the keys of an issuer that are in a state.
type issuerKeys struct {
	told authtrace.State
	of   map[*Keys]struct{}
}

// Keys returns the keys of a configured issuer from one more place, or for no name those of
// any other, which are told of for themselves. They are in no state.
func (w *Watch) Keys(issuer string) *Keys {
	if w == nil || w.hooks.KeysState == nil {
		return nil
	}
	return &Keys{watch: w, issuer: issuer, state: authtrace.None}
}

// Known says that the keys are fresh from the start, as those are that a description has
// itself. That alone is told to nobody.
func (k *Keys) Known() {
	if k == nil || k.issuer == "" {
		return
	}
	all := &k.watch.states
	all.mu.Lock()
	defer all.mu.Unlock()
	k.state = authtrace.Fresh
	all.note(k)
}

// Entered tells of another state that the keys are in.
func (k *Keys) Entered(s authtrace.KeyState) {
	if k == nil {
		return
	}
	all := &k.watch.states
	all.mu.Lock()
	defer all.mu.Unlock()
	switch {
	case k.left:
	case k.issuer == "":
		s.Issuer = ""
		k.watch.KeysState(s)
	default:
		k.state, k.err = s.To, s.Err
		all.note(k)
		all.tell(k, s.From)
	}
}

// Leave says that nobody trusts the keys any more. They enter no other state.
func (k *Keys) Leave() {
	if k == nil {
		return
	}
	all := &k.watch.states
	all.mu.Lock()
	defer all.mu.Unlock()
	k.left = true
	if from := k.state; from != authtrace.None {
		k.state = authtrace.None
		all.note(k)
		all.tell(k, from)
	}
}

// note counts keys that are in a state among their issuer's, and no others.
func (s *keyStates) note(k *Keys) {
	i := s.issuers[k.issuer]
	switch {
	case k.state == authtrace.None && i != nil:
		delete(i.of, k)
	case k.state != authtrace.None && i == nil:
		if s.issuers == nil {
			s.issuers = make(map[string]*issuerKeys)
		}
		s.issuers[k.issuer] = &issuerKeys{told: authtrace.None, of: map[*Keys]struct{}{k: {}}}
	case i != nil:
		i.of[k] = struct{}{}
	}
}

// tell tells of the state of the issuer whose keys these are, if it is another than was told.
// The keys were in from; where nothing was told, they were known.
func (s *keyStates) tell(k *Keys, from authtrace.State) {
	i := s.issuers[k.issuer]
	if i == nil {
		return
	}
	if worst := i.worst(); worst.state != i.told {
		if i.told != authtrace.None {
			from = i.told
		}
		k.watch.KeysState(authtrace.KeyState{Issuer: k.issuer, From: from, To: worst.state, Err: worst.err})
		i.told = worst.state
	}
	if len(i.of) == 0 {
		delete(s.issuers, k.issuer)
	}
}

// worst returns those keys in whose state somebody has to look after them the soonest.
func (i *issuerKeys) worst() *Keys {
	worst := &Keys{state: authtrace.None}
	for k := range i.of {
		if badness(k.state) > badness(worst.state) {
			worst = k
		}
	}
	return worst
}

// badness is the greater the sooner somebody has to look after keys in this state.
func badness(s authtrace.State) int {
	switch s {
	case authtrace.Gone:
		return 3
	case authtrace.Stale:
		return 2
	case authtrace.Fresh:
		return 1
	}
	return 0
}
