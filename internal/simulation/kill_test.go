package simulation_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
)

// kill ends a process as kill -9 does: nobody closes anything. The next one begins with
// the files as they are at that moment, of which one may be half-written, and with what
// had arrived where others are. What was under way there is on its way still, or lost.
func (w *world) kill(n *node) {
	w.tally["kills"]++
	n.seen()
	under := w.underWay(n)
	w.note("%s is killed", n.name)
	w.processEnds(n)
	n.net.sever()
	if n.link != nil {
		n.link = n.link.severed()
	}
	n.dir = w.copyDir(n)
	killed, local := n.auth, n.local
	n.auth, n.local, n.net = nil, nil, newNetwork(n)
	for _, p := range w.providers {
		n.keysLetGo(p)
	}
	w.forgetSessionsOf(n)
	// What it does yet, nobody learns. But the simulation has to end it.
	_ = killed.Close()
	if local != nil {
		local.Close()
	}
	under()
	if w.chance(2) {
		time.Sleep(w.upTo(5 * time.Second))
	}
	n.start()
}

// underWay has a revocation be on its way when a process is killed: nobody was told
// that it holds, and it may or may not.
func (w *world) underWay(n *node) (wait func()) {
	if n.link == nil || w.chance(2) || len(w.tokens) == 0 {
		return func() {}
	}
	t := n.as(pick(w.random, w.tokens))
	r := oidcauth.Revocation{TokenID: t.jti}
	if t.jti == "" {
		return func() {}
	}
	w.keep(&revocation{Revocation: r, origin: n, process: n.process, at: time.Now()})
	done := make(chan struct{})
	auth := n.auth
	go func() {
		defer close(done)
		_ = auth.Revoke(w.t.Context(), r)
	}()
	time.Sleep(w.upTo(latency / 2))
	return func() { <-done }
}

// sever takes a process off the network: its requests come to nothing, and what is
// answered yet nobody is told.
func (x *network) sever() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dead = true
}

func (x *network) isDead() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.dead
}

// severed takes a process off the log, and returns the way that the next one has.
func (l *link) severed() *link {
	next := newLink(l.log)
	l.mu.Lock()
	next.fault, next.follows, next.appends, next.changed = l.fault, l.follows, l.appends, l.changed
	next.since = time.Now()
	l.mu.Unlock()
	l.set(cutOff)
	return next
}

// copyDir copies a server's directory, with what is half-written of each file beside it.
func (w *world) copyDir(n *node) (to string) {
	w.serial++
	to = filepath.Join(w.dir, "after-kill", fmt.Sprint(n.name, "-", w.serial))
	half, share := w.chance(2), w.random.Float64()
	err := filepath.WalkDir(n.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, n.dir))
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		content, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(target, content, 0o600)
		}
		if err == nil && half {
			// As the library names what it replaces a file with.
			name := filepath.Join(filepath.Dir(target), "temporary-HALFWRITTEN")
			err = os.WriteFile(name, content[:int(share*float64(len(content)))], 0o600)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		w.fail(nil, "%v", err)
	}
	return to
}

// forgetSessionsOf forgets the sessions of a server: nobody is there who could end
// them.
func (w *world) forgetSessionsOf(n *node) {
	synctest.Wait()
	kept := w.sessions[:0]
	for _, s := range w.sessions {
		if s.n != n {
			kept = append(kept, s)
		}
	}
	w.sessions = kept
}
