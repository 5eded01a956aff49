package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// A gate that is shut lets nobody in, and says when the last has left.
func TestGate(t *testing.T) {
	t.Parallel()
	var g gate
	for range 2 {
		if !g.enter() {
			t.Fatal("the zero gate lets nobody in")
		}
	}
	g.leave()
	left := g.close()
	for range 3 {
		if g.enter() {
			t.Error("the gate lets somebody in after it was shut")
		}
		g.leave()
		select {
		case <-left:
			t.Fatal("the gate says that all have left, and one has not")
		default:
		}
	}
	g.leave()
	<-left
	if g.enter() {
		t.Error("the gate lets somebody in after the last has left")
	}
	g.leave()
}

// Whoever was let in is waited for.
func TestGate_Race(t *testing.T) {
	t.Parallel()
	for range 200 {
		var g gate
		var inside atomic.Int64
		var all, started sync.WaitGroup
		for range 8 {
			started.Add(1)
			all.Go(func() {
				started.Done()
				defer g.leave()
				if g.enter() {
					inside.Add(1)
					runtime.Gosched()
					inside.Add(-1)
				}
			})
		}
		started.Wait()
		<-g.close()
		if n := inside.Load(); n != 0 {
			t.Fatalf("%d that were let in were not waited for", n)
		}
		all.Wait()
	}
}

func TestGate_NobodyInside(t *testing.T) {
	t.Parallel()
	var g gate
	<-g.close()
}
