package simulation_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
)

// floodKeyIDs has an issuer rotate in the middle of a flood of made-up key IDs.
func (w *world) floodKeyIDs() {
	p, n := pick(w.random, w.providers), w.node()
	w.note("a flood of key IDs of %s at %s", p.host, n.name)
	before, began, well := n.net.asked(p), time.Now(), p.fault == ""
	stop := w.flood(n, func(i int) string {
		return p.Key().WithID(fmt.Sprint("flood-", i)).Token(map[string]any{"iss": p.named().URL(), "aud": audience})
	}, 20, 30*time.Second)
	time.Sleep(time.Second + w.upTo(12*time.Second))
	k := p.rotate()
	w.note("%s rotates to %s", p.host, k.ID())
	t := w.draft(p, k).sign(k)
	w.tokens = append(w.tokens, t)
	w.insist(n, t)
	stop()
	// One at once and one in ten seconds, and what peace would have brought: the key
	// that is new, a refresh, and a look-up of before.
	if asked := n.net.asked(p) - before; well && asked > 5+int(time.Since(began)/coolDown) {
		w.fail(t, "%s asked %s for its keys %d times in a flood of %v", n.name, p.host, asked, time.Since(began))
	}
}

// flood has tokens be presented, so many a second, that must not be accepted.
func (w *world) flood(n *node, next func(i int) string, perSecond int, most time.Duration) (stop func()) {
	done := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for i := range int(most.Seconds()) * perSecond {
			select {
			case <-done:
				return
			case <-w.t.Context().Done(): // the run has failed
				return
			case <-time.After(time.Second / time.Duration(perSecond)):
			}
			text, auth := next(i), n.auth
			ctx := oidcauth.WithCallerAddr(context.Background(), netip.MustParseAddr("192.0.2.1"))
			all.Go(func() {
				if _, err := auth.Authenticate(ctx, text); err == nil {
					w.t.Error("a made-up token was accepted")
				}
			})
		}
	})
	return func() {
		close(done)
		all.Wait()
		w.tally["floods"]++
	}
}

func isStranger(name string) bool {
	return strings.HasPrefix(name, "https://stranger-") || strings.HasPrefix(name, "https://made-up-") || strings.HasPrefix(name, "https://hangs-")
}

// floodStrangers has one caller come with tokens of issuers that nobody runs, some of
// which never answer, while another comes with honest strangers' tokens.
func (w *world) floodStrangers() {
	if !w.plan.anyone {
		return
	}
	n, key := w.node(), pick(w.random, w.providers).Key()
	w.note("a flood of strangers at %s", n.name)
	stop := w.flood(n, func(i int) string {
		name := []string{"made-up", "hangs"}[i%2]
		return key.Token(map[string]any{"iss": fmt.Sprintf("https://%s-%d-%d.test", name, time.Now().UnixNano(), i), "aud": audience})
	}, 40, 20*time.Second)
	for range 3 {
		time.Sleep(w.upTo(5 * time.Second))
		p := pick(w.random, w.of(stranger))
		t := w.draft(p, p.current()).sign(p.current())
		w.tokens = append(w.tokens, t)
		w.insist(n, t)
	}
	stop()
}
