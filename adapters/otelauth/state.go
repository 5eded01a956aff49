package otelauth

import (
	"cmp"
	"maps"
	"slices"

	"go.opentelemetry.io/otel/attribute"

	"github.com/oidcauth/oidcauth/authtrace"
)

func (o *observer) keysState(s authtrace.KeyState) {
	switch {
	case s.Issuer == "":
	case s.To == authtrace.None: // configured no longer, or needed no longer
		o.mu.Lock()
		delete(o.states, s.Issuer)
		o.mu.Unlock()
		o.options.Delete(s.Issuer)
	default:
		o.mu.Lock()
		o.states[s.Issuer] = s.To
		o.mu.Unlock()
	}
	if o.also.KeysState != nil {
		o.also.KeysState(s)
	}
}

// observeStates says for each issuer and each state whether its keys are in it.
func (o *observer) observeStates(observe func(value int64, attrs ...attribute.KeyValue)) {
	for _, s := range o.statesInOrder() {
		for _, state := range []authtrace.State{authtrace.None, authtrace.Fresh, authtrace.Stale, authtrace.Gone} {
			value := int64(0)
			if state == s.is {
				value = 1
			}
			observe(value, keyIssuer.String(s.issuer), keyState.String(string(state)))
		}
	}
}

// An issuerState is the state that an issuer's keys are in.
type issuerState struct {
	issuer string
	is     authtrace.State
}

// statesInOrder returns the states of all issuers, those first that somebody has to look
// after: an SDK has room for so many, and makes one of the rest, which has to be the same
// issuers each time.
func (o *observer) statesInOrder() []issuerState {
	o.mu.Lock()
	states := maps.Clone(o.states)
	o.mu.Unlock()
	all := make([]issuerState, 0, len(states))
	for issuer, is := range states {
		all = append(all, issuerState{issuer, is})
	}
	slices.SortFunc(all, func(a, b issuerState) int {
		return cmp.Or(cmp.Compare(urgency(a.is), urgency(b.is)), cmp.Compare(a.issuer, b.issuer))
	})
	return all
}

// urgency is the less the sooner somebody has to look after keys in this state.
func urgency(s authtrace.State) int {
	switch s {
	case authtrace.Gone:
		return 0
	case authtrace.Stale:
		return 1
	}
	return 2
}
