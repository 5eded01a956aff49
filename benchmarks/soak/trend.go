package main

import (
	"context"
	"math"
	"slices"
	"time"
)

// A sample is what a process held at some time.
type sample struct {
	at                                 time.Duration
	memory, heap, goroutines, openings float64
}

// A measure is one thing that is watched.
type measure struct {
	name   string
	unit   float64
	format string
	of     func(sample) float64
	// A rise of less than this share, or of less than so much, is no growth.
	share, least float64
}

const mebibyte = 1 << 20

var measures = []measure{
	{"memory MiB", mebibyte, "%.1f", func(s sample) float64 { return s.memory }, .10, 3 * mebibyte},
	{"live heap MiB", mebibyte, "%.1f", func(s sample) float64 { return s.heap }, .10, mebibyte},
	{"goroutines", 1, "%.0f", func(s sample) float64 { return s.goroutines }, .10, 8},
	{"descriptors", 1, "%.0f", func(s sample) float64 { return s.openings }, .10, 8},
}

// watch looks at the processes until ctx ends.
func (w *world) watch(ctx context.Context) {
	ticks := time.NewTicker(w.every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		for n, s := range w.servers {
			w.look(ctx, n, s)
		}
	}
}

func (w *world) look(ctx context.Context, n int, s *server) {
	goroutines, heap, err := s.holds(ctx, s)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		w.judge.fault("%v", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.samples[n] = append(w.samples[n], sample{time.Since(w.began), float64(s.Own()), heap, goroutines, float64(s.Descriptors())})
}

// A trend is how something went.
type trend struct {
	start, end, most float64 // start and end are of the line that fits best
	hourly           float64 // its slope
	rise             float64 // from the median of the first third to that of the last
	span             time.Duration
}

// trendOf fits a line by least squares.
func trendOf(samples []sample, of func(sample) float64) trend {
	if len(samples) < 2 {
		return trend{}
	}
	var t trend
	var sumX, sumY, sumXX, sumXY float64
	for _, s := range samples {
		x, y := s.at.Hours(), of(s)
		sumX, sumY, sumXX, sumXY = sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
		t.most = max(t.most, y)
	}
	n := float64(len(samples))
	if d := n*sumXX - sumX*sumX; d > 0 {
		t.hourly = (n*sumXY - sumX*sumY) / d
	}
	first, last := samples[0].at, samples[len(samples)-1].at
	base := (sumY - t.hourly*sumX) / n
	t.start, t.end, t.span = base+t.hourly*first.Hours(), base+t.hourly*last.Hours(), last-first
	third := (len(samples) + 2) / 3
	t.rise = median(samples[len(samples)-third:], of) - median(samples[:third], of)
	return t
}

func median(samples []sample, of func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for n, s := range samples {
		values[n] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// grows reports whether the rise is more than chance: on the line, and not by a wave that
// is there when the run ends, as when the issuer hangs.
func (t trend) grows(m measure) bool {
	return min(t.end-t.start, t.rise*3/2) > max(m.least, math.Abs(t.start)*m.share)
}

// shortest is the shortest time that says anything of growth.
const shortest = 10 * time.Minute

// verdict says in a word how something went.
func (t trend) verdict(m measure) string {
	switch {
	case t.span < shortest:
		return "too short to tell"
	case t.grows(m):
		return "grows"
	}
	return "flat"
}

// warm returns the samples after the time in which caches fill: a fifth of the run, and
// until tokens of the beginning have ended, and with them what is kept of them.
func (w *world) warm(n int) []sample {
	w.mu.Lock()
	defer w.mu.Unlock()
	from := w.length / 5
	if w.length > 2*shortest {
		from = max(from, tokenLife+2*time.Minute)
	}
	for i, s := range w.samples[n] {
		if s.at >= from {
			return w.samples[n][i:]
		}
	}
	return nil
}

// grows reports whether anything does.
func (w *world) grows() bool {
	for n := range w.servers {
		for _, m := range measures {
			if t := trendOf(w.warm(n), m.of); t.verdict(m) == "grows" {
				return true
			}
		}
	}
	return false
}
