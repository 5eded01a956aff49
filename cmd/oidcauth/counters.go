package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// help writes what precedes the values of a metric.
func help(out *strings.Builder, name, kind, text string) {
	fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, text, name, kind)
}

// bounds are the upper bounds of a histogram's buckets, in seconds: from a remembered
// token's to the longest wait for keys.
var bounds = [...]float64{0.000001, 0.00001, 0.0001, 0.001, 0.01, 0.1, 1, 10}

// durations is a histogram.
type durations struct {
	buckets [len(bounds) + 1]atomic.Uint64 // each for itself; the last has no bound
	sum     atomic.Int64                   // nanoseconds
}

func (d *durations) add(took time.Duration) {
	i := 0
	for i < len(bounds) && took.Seconds() > bounds[i] {
		i++
	}
	d.buckets[i].Add(1)
	d.sum.Add(int64(took))
}

// write writes the histogram. Its count is that of the buckets that were read, so that
// they agree while others add to it.
func (d *durations) write(out *strings.Builder, name, labels string) {
	var count uint64
	for i := range d.buckets {
		count += d.buckets[i].Load()
		bound := "+Inf"
		if i < len(bounds) {
			bound = strconv.FormatFloat(bounds[i], 'g', -1, 64)
		}
		fmt.Fprintf(out, "%s_bucket{%s,le=%q} %d\n", name, labels, bound, count)
	}
	fmt.Fprintf(out, "%s_sum{%s} %g\n%s_count{%s} %d\n", name, labels, time.Duration(d.sum.Load()).Seconds(), name, labels, count)
}

// labelled counts what has one of few labels, none of which a caller chose.
type labelled struct {
	mu     sync.Mutex // guards counts
	counts map[string]uint64
}

func (l *labelled) add(label string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = make(map[string]uint64)
	}
	l.counts[label]++
}

func (l *labelled) write(out *strings.Builder, name, text, key string) {
	help(out, name, "counter", text)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, value := range slices.Sorted(maps.Keys(l.counts)) {
		fmt.Fprintf(out, "%s{%s=%s} %d\n", name, key, label(value), l.counts[value])
	}
}
