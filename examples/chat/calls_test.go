package main

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket/wsjson"
)

// TestCalls_RenewalMeanwhile: a client that renews its own token is not held up by a call of
// its own that takes its time, beyond the session's end perhaps; and what waits is bounded.
func TestCalls_RenewalMeanwhile(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	began, may := w.answerSlowly(t)
	goOn := sync.OnceFunc(func() { close(may) })
	t.Cleanup(goOn) // or the world would wait for it
	bob := w.enter(t, "bob")
	say := func(f frame) {
		t.Helper()
		if err := wsjson.Write(t.Context(), bob.conn, f); err != nil {
			t.Fatal(err)
		}
	}
	status := func(id uint64) int {
		t.Helper()
		bob.until(func() bool { _, answered := bob.replies[id]; return answered })
		return bob.replies[id].Status
	}
	say(frame{ID: 100, Call: "slow"})
	<-began
	say(frame{ID: 101, Renew: w.token(t, "bob")})
	if got := status(101); got != http.StatusOK {
		t.Errorf("renewal: got %d, want 200", got)
	}
	for n := range uint64(maxCalls) {
		say(frame{ID: 200 + n, View: "nothing"})
	}
	say(frame{ID: 300, View: "nothing"})
	if got := status(300); got != http.StatusTooManyRequests {
		t.Errorf("one call too many: got %d, want 429", got)
	}
	if _, answered := bob.replies[200]; answered {
		t.Error("a later call was answered first")
	}
	goOn()
	for id, want := range map[uint64]int{100: http.StatusOK, 200: http.StatusNotFound, 200 + maxCalls - 1: http.StatusNotFound} {
		if got := status(id); got != want {
			t.Errorf("call %d: got %d, want %d", id, got, want)
		}
	}
}

// len returns how many calls wait.
func (c *calls) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting)
}

// TestCalls_Left: what a client that has left had sent is called by nobody.
func TestCalls_Left(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	began, may := w.answerSlowly(t)
	goOn := sync.OnceFunc(func() { close(may) })
	t.Cleanup(goOn) // or the world would wait for it
	bob := w.enter(t, "bob")
	k := w.sockets.all()[0]
	for id, name := range []string{"slow", "slow"} { // the second would close what is closed
		if err := wsjson.Write(t.Context(), bob.conn, frame{ID: uint64(id), Call: name}); err != nil {
			t.Fatal(err)
		}
	}
	<-began
	for deadline := time.Now().Add(patience); k.calls.len() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the second call does not wait")
		}
	}
	bob.conn.CloseNow()
	for deadline := time.Now().Add(patience); k.calls.len() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the second call waits on")
		}
	}
	goOn()
	w.sockets.running.Wait()
}

// TestCalls_Stop: what a socket's end takes away stays until the call under way is answered.
func TestCalls_Stop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c calls
		goOn, stopped := make(chan bool), false
		c.put(frame{}, func(frame) { <-goOn })
		synctest.Wait()
		go func() {
			c.stop()
			stopped = true
		}()
		synctest.Wait()
		if stopped {
			t.Error("stop() returned while a call was under way")
		}
		close(goOn)
		synctest.Wait()
		if !stopped {
			t.Error("stop() waits for nothing")
		}
	})
}
