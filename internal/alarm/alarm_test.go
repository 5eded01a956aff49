package alarm_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/alarm"
	"github.com/oidcauth/oidcauth/internal/clockstest"
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
		{"the clock is put forward a second time", func(c *alarm.Clock[string], w *wall, now time.Time) {
			c.Set(&alarm.Alarm[string]{For: "x"}, now.Add(3*time.Hour))
			w.step(time.Hour)
			time.Sleep(15 * time.Second)
			w.step(2 * time.Hour)
		}, []string{"x"}, []time.Duration{20 * time.Second}},
		{"the clock is put back, and forward again", func(c *alarm.Clock[string], w *wall, now time.Time) {
			c.Set(&alarm.Alarm[string]{For: "x"}, now.Add(time.Hour))
			w.step(-time.Hour)
			time.Sleep(15 * time.Second)
			w.step(time.Hour)
		}, []string{"x"}, []time.Duration{time.Hour}},
		{"the clock drifts by as much as it may", func(c *alarm.Clock[string], w *wall, now time.Time) {
			c.Set(&alarm.Alarm[string]{For: "x"}, now.Add(time.Hour))
			w.step(100 * time.Millisecond)
		}, []string{"x"}, []time.Duration{time.Hour}},
		{"the clock drifts by more", func(c *alarm.Clock[string], w *wall, now time.Time) {
			c.Set(&alarm.Alarm[string]{For: "x"}, now.Add(time.Hour))
			w.step(101 * time.Millisecond)
		}, []string{"x"}, []time.Duration{time.Hour - 101*time.Millisecond}},
		{"the clock is a nanosecond behind", func(c *alarm.Clock[string], w *wall, now time.Time) {
			c.Set(&alarm.Alarm[string]{For: "x"}, now.Add(time.Second))
			w.step(-1)
		}, []string{"x"}, []time.Duration{time.Second + time.Millisecond}},
		{"the clock is put forward after one of two was unset", func(c *alarm.Clock[string], w *wall, now time.Time) {
			c.Set(&alarm.Alarm[string]{For: "x"}, now.Add(time.Hour))
			never := &alarm.Alarm[string]{For: "never"}
			c.Set(never, now.Add(time.Minute))
			c.Unset(never)
			w.step(2 * time.Hour)
		}, []string{"x"}, []time.Duration{10 * time.Second}},
		{"the first of two of one instant is unset", func(c *alarm.Clock[string], _ *wall, now time.Time) {
			never := &alarm.Alarm[string]{For: "never"}
			c.Set(never, now.Add(time.Second))
			c.Set(&alarm.Alarm[string]{For: "x"}, now.Add(time.Second))
			c.Unset(never)
		}, []string{"x"}, []time.Duration{time.Second}},
		{"one is unset twice, and another set between", func(c *alarm.Clock[string], _ *wall, now time.Time) {
			c.Set(&alarm.Alarm[string]{For: "x"}, now.Add(time.Second))
			never := &alarm.Alarm[string]{For: "never"}
			c.Set(never, now.Add(time.Second))
			c.Unset(never)
			c.Set(&alarm.Alarm[string]{For: "y"}, now.Add(time.Second))
			c.Unset(never)
		}, []string{"y", "x"}, []time.Duration{time.Second}},
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

// A clock whose alarms were all unset has nothing to do any more.
func TestClock_Idle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		now := func() time.Time { asked++; return time.Now() }
		c := alarm.New(now, func(time.Time, []string) { t.Error("something is due") })
		m := &alarm.Alarm[string]{For: "never"}
		c.Set(m, time.Now().Add(time.Hour))
		c.Unset(m)
		before := asked
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if asked != before {
			t.Errorf("the time was asked for %d times", asked-before)
		}
	})
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

// A clock whose readings have what nobody sets beside what is set, as the system's, and
// whose alarms have it, too, does not have them wait because it was set. One that was set
// forward has them due as soon as that is noticed: so it is after a sleep.
func TestClock_Monotonic(t *testing.T) {
	t.Parallel()
	base := time.Now() // outside of the bubble, in which readings have no monotonic part
	for _, tt := range []struct {
		before, step time.Duration // by which the clock was set, before the alarm was and after
		want         time.Duration
	}{
		{0, 0, time.Minute}, {0, -time.Hour, time.Minute}, {0, -30 * 24 * time.Hour, time.Minute},
		{0, 30 * time.Second, 30 * time.Second}, {0, time.Hour, 10 * time.Second},
		{time.Hour, 0, time.Minute}, {-time.Hour, 0, time.Minute}, {time.Hour, -time.Hour, time.Minute},
	} {
		t.Run(tt.before.String()+tt.step.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin, set := time.Now(), time.Duration(0)
				var mu sync.Mutex
				now := func() time.Time {
					mu.Lock()
					defer mu.Unlock()
					return clockstest.Move(base.Add(time.Since(begin)), set, 0)
				}
				var got record
				c := alarm.New(now, func(_ time.Time, batch []string) { got.add(begin, batch) })
				due := now().Add(time.Minute)
				step := func(by time.Duration) {
					mu.Lock()
					defer mu.Unlock()
					set += by
				}
				step(tt.before)
				c.Set(&alarm.Alarm[string]{For: "x"}, due)
				step(tt.step)
				time.Sleep(48 * time.Hour)
				synctest.Wait()
				if !slices.Equal(got.at, []time.Duration{tt.want}) {
					t.Errorf("due at %v, want %v", got.at, tt.want)
				}
			})
		})
	}
}
