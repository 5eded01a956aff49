package supplement_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/oidcauth/oidcauth/internal/supplement"
)

// Sixteen at a time, in the order in which they became due, and none after Stop.
func TestAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var again supplement.Again
		var mu sync.Mutex
		var begun []int
		add := func(n int) {
			again.Add(func() {
				mu.Lock()
				begun = append(begun, n)
				mu.Unlock()
				time.Sleep(time.Second)
			})
		}
		want := func(when string, n int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(begun) != n || !slices.Contains(begun, n-1) {
				t.Errorf("%s %d have begun, %v, want the first %d", when, len(begun), begun, n)
			}
		}
		for n := range 40 {
			add(n)
		}
		want("at once", 16)
		time.Sleep(time.Second)
		want("after a second", 32)
		time.Sleep(time.Second)
		want("after two", 40)
		time.Sleep(time.Hour)
		add(40)
		want("later", 41)
		time.Sleep(time.Second)
		for n := range 20 {
			add(41 + n)
		}
		want("of twenty more", 41+16)
		again.Stop()
		add(100)
		time.Sleep(time.Hour)
		want("after Stop", 41+16)
	})
}

// What was asked for is not held in memory until something is due again.
func TestAgain_HoldsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var again supplement.Again
		add := func() weak.Pointer[[1 << 10]byte] {
			session := new([1 << 10]byte)
			again.Add(func() { session[0]++ })
			return weak.Make(session)
		}
		memory := add()
		synctest.Wait()
		if runtime.GC(); memory.Value() != nil {
			t.Error("what was done is held")
		}
		runtime.KeepAlive(&again)
	})
}
