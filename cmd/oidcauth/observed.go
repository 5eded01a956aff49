package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
)

// observed is what the library's hooks tell, and what it is asked for when the metrics
// are read. Its zero value is empty. It is safe for concurrent use.
type observed struct {
	remembered, verified durations // of tokens that were verified before, and that were not
	sessions             atomic.Int64
	ended                labelled // sessions, by outcome
	tickets              labelled // by outcome
	revocations          labelled // by what they match

	mu   sync.Mutex // guards what follows
	gone map[string]bool
	auth *oidcauth.Authenticator
	live func() *live // says which issuers are configured now
}

// hooks returns the hooks of the library, and fetched among them.
func (o *observed) hooks(fetched func(authtrace.KeyFetch)) *authtrace.Hooks {
	return &authtrace.Hooks{
		KeysFetched:    fetched,
		KeysState:      o.keysState,
		Decided:        o.decided,
		Ticket:         func(_ context.Context, d authtrace.Decision) { o.tickets.add(d.Outcome) },
		Revoked:        func(r authtrace.Revocation) { o.revocations.add(r.By) },
		SessionStarted: func(s authtrace.Session) { o.sessions.Store(int64(s.Live)) },
		SessionEnded: func(s authtrace.Session) {
			o.sessions.Store(int64(s.Live))
			o.ended.add(s.Outcome)
		},
		Missed: func(m authtrace.Missed) { o.sessions.Store(int64(m.Live)) },
	}
}

// watch says whose keys are asked about when the metrics are read.
func (o *observed) watch(auth *oidcauth.Authenticator, live func() *live) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.auth, o.live = auth, live
}

func (o *observed) decided(_ context.Context, d authtrace.Decision) {
	if d.Remembered {
		o.remembered.add(d.Duration)
		return
	}
	o.verified.add(d.Duration)
}

// keysState notes whose keys were trusted once and are no more.
func (o *observed) keysState(s authtrace.KeyState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone == nil {
		o.gone = make(map[string]bool)
	}
	if delete(o.gone, s.Issuer); s.To == authtrace.Gone && s.Issuer != "" {
		o.gone[s.Issuer] = true
	}
}

// write writes all of it in the Prometheus text format.
func (o *observed) write(out *strings.Builder) {
	writeBuild(out)
	writeProcess(out)
	help(out, "oidcauth_authentication_duration_seconds", "histogram", "How long it took to accept or refuse a token, waiting for keys included; remembered ones were verified before.")
	o.verified.write(out, "oidcauth_authentication_duration_seconds", `remembered="false"`)
	o.remembered.write(out, "oidcauth_authentication_duration_seconds", `remembered="true"`)
	help(out, "oidcauth_sessions", "gauge", "Sessions of live connections.")
	fmt.Fprintf(out, "oidcauth_sessions %d\n", o.sessions.Load())
	o.ended.write(out, "oidcauth_sessions_ended_total", "Sessions that ended, by outcome.", "outcome")
	o.tickets.write(out, "oidcauth_tickets_total", "Tickets used or refused, by outcome.", "outcome")
	o.revocations.write(out, "oidcauth_revocations_total", "Revocations that began to hold here, by what they match.", "by")
	o.writeKeys(out)
}

// keyStates are the states of a key set, in order of output.
var keyStates = []authtrace.State{authtrace.None, authtrace.Fresh, authtrace.Stale, authtrace.Gone}

// writeKeys writes the state of each configured issuer's keys. It fetches nothing.
func (o *observed) writeKeys(out *strings.Builder) {
	reports := o.reports()
	help(out, "oidcauth_issuer_keys_state", "gauge", "1 for the state that the issuer's keys are in, of those from several places the worst; with fresh and stale ones tokens are accepted.")
	for _, issuer := range slices.Sorted(maps.Keys(reports)) {
		for _, state := range keyStates {
			is := 0
			if reports[issuer].state == state {
				is = 1
			}
			fmt.Fprintf(out, "oidcauth_issuer_keys_state{issuer=%s,state=%q} %d\n", label(issuer), state, is)
		}
	}
	help(out, "oidcauth_issuer_keys", "gauge", "Keys that the issuer publishes, usable or not.")
	for _, issuer := range slices.Sorted(maps.Keys(reports)) {
		fmt.Fprintf(out, "oidcauth_issuer_keys{issuer=%s,usable=\"true\"} %d\n", label(issuer), reports[issuer].usable)
		fmt.Fprintf(out, "oidcauth_issuer_keys{issuer=%s,usable=\"false\"} %d\n", label(issuer), reports[issuer].skipped)
	}
	help(out, "oidcauth_issuer_keys_confirmed_timestamp_seconds", "gauge", "When the issuer last gave these keys, or said that they have not changed.")
	for _, issuer := range slices.Sorted(maps.Keys(reports)) {
		if at := reports[issuer].confirmed; !at.IsZero() {
			fmt.Fprintf(out, "oidcauth_issuer_keys_confirmed_timestamp_seconds{issuer=%s} %d\n", label(issuer), at.Unix())
		}
	}
}

// issuerKeys are what is told of an issuer's keys.
type issuerKeys struct {
	state           authtrace.State
	usable, skipped int
	confirmed       time.Time
}

// reports returns what is known of the keys of each configured issuer.
func (o *observed) reports() map[string]issuerKeys {
	o.mu.Lock()
	defer o.mu.Unlock()
	reports := make(map[string]issuerKeys)
	if o.auth == nil {
		return reports
	}
	unready := o.auth.Unready()
	done, cancel := context.WithCancel(context.Background())
	cancel() // whose keys were let go of in this moment is not waited for
	now := o.live()
	for _, issuer := range now.issuers {
		switch {
		case !slices.Contains(unready, issuer):
			if keys, known := o.worst(done, now.places[issuer]); known {
				reports[issuer] = keys
			}
		case o.gone[issuer]:
			reports[issuer] = issuerKeys{state: authtrace.Gone}
		default:
			reports[issuer] = issuerKeys{state: authtrace.None}
		}
	}
	return reports
}

// worst returns those keys of an issuer's that are in the worst state: its descriptions may
// have them from several places, of which one cannot be reached.
func (o *observed) worst(ctx context.Context, places []string) (worst issuerKeys, known bool) {
	for _, place := range places {
		r, err := o.auth.Keys(ctx, place)
		if err != nil || known && slices.Index(keyStates, r.State) <= slices.Index(keyStates, worst.state) {
			continue
		}
		worst, known = issuerKeys{r.State, len(r.Keys), len(r.Skipped), r.Confirmed}, true
	}
	return worst, known
}
