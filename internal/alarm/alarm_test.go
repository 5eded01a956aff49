package alarm_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/alarm"
)

// A wall is a clock that can be set.
type wall struct {
	mu     sync.Mutex
	offset time.Duration
}

func (w *wall) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.offset)
}

func (w *wall) step(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offset += d
}

// A record is what was due, and in which batches.
type record struct {
	mu      sync.Mutex
	names   []string
	batches []int
	at      []time.Duration // since the beginning
}

func (r *record) add(since time.Time, batch []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names = append(r.names, batch...)
	r.batches = append(r.batches, len(batch))
	r.at = append(r.at, time.Since(since))
}

func TestClock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(c *alarm.Clock[string], w *wall, now time.Time)
		want []string
		at   []time.Duration // of each batch
	}{
		{"one after the other", func(c *alarm.Clock[string], _ *wall, now time.Time) {
			c.Set(&alarm.Alarm[string]{For: "late"}, now.Add(2*time.Second))
			c.Set(&alarm.Alarm[string]{For: "early"}, now.Add(time.Second))
		}, []string{"early", "late"}, []time.Duration{time.Second, 2 * time.Second}},
		{"in the past", func(c *alarm.Clock[string], _ *wall, now time.Time) {
			c.Set(&alarm.Alarm[string]{For: "past"}, now.Add(-time.Hour))
		}, []string{"past"}, []time.Duration{0}},
		{"later than a timer waits", func(c *alarm.Clock[string], _ *wall, now time.Time) {
			c.Set(&alarm.Alarm[string]{For: "in two days"}, now.Add(47*time.Hour))
		}, []string{"in two days"}, []time.Duration{47 * time.Hour}},
		{"set and unset", func(c *alarm.Clock[string], _ *wall, now time.Time) {
			m := &alarm.Alarm[string]{For: "never"}
			c.Set(m, now.Add(time.Second))
			c.Unset(m)
			c.Unset(m)
		}, nil, nil},
		{"set for another time", func(c *alarm.Clock[string], _ *wall, now time.Time) {
			m := &alarm.Alarm[string]{For: "moved"}
			c.Set(m, now.Add(time.Second))
			c.Set(m, now.Add(3*time.Second))
		}, []string{"moved"}, []time.Duration{3 * time.Second}},
		{"the clock is put forward", func(c *alarm.Clock[string], w *wall, now time.Time) {
			c.Set(&alarm.Alarm[string]{For: "x"}, now.Add(time.Hour))
			w.step(2 * time.Hour)
		}, []string{"x"}, []time.Duration{10 * time.Second}},
		{"the clock is put back", func(c *alarm.Clock[string], w *wall, now time.Time) {
			c.Set(&alarm.Alarm[string]{For: "x"}, now.Add(time.Minute))
			w.step(-time.Minute)
		}, []string{"x"}, []time.Duration{2 * time.Minute}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w wall
				var got record
				begin := time.Now()
				c := alarm.New(w.now, func(_ time.Time, batch []string) { got.add(begin, batch) })
				tt.do(c, &w, begin)
				time.Sleep(48 * time.Hour)
				synctest.Wait()
				if !slices.Equal(got.names, tt.want) || !slices.Equal(got.at, tt.at) {
					t.Errorf("got %q at %v, want %q at %v", got.names, got.at, tt.want, tt.at)
				}
				if n := c.Instants(); n != 0 {
					t.Errorf("alarms are set for %d instants, want none", n)
				}
			})
		})
	}
}

// What is due in one instant comes in bounded batches, and the lock is free
// meanwhile.
func TestClock_Batches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got record
		var c *alarm.Clock[string]
		begin := time.Now()
		c = alarm.New(time.Now, func(now time.Time, batch []string) {
			got.add(begin, batch)
			c.Unset(new(alarm.Alarm[string]))
		})
		for range 200 {
			c.Set(&alarm.Alarm[string]{For: "x"}, begin.Add(time.Second))
		}
		if n := c.Instants(); n != 1 {
			t.Errorf("alarms are set for %d instants, want 1", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if want := []int{64, 64, 64, 8}; !slices.Equal(got.batches, want) {
			t.Errorf("batches of %v, want %v", got.batches, want)
		}
	})
}
