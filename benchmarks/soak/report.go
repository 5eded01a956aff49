package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// report writes what became of it all, as tables.
func (w *world) report(out io.Writer) error {
	var text strings.Builder
	w.writeTrends(&text)
	w.judge.writeCounts(&text)
	w.judge.writeWaits(&text)
	w.judge.writeFaults(&text, w.began)
	_, err := io.WriteString(out, text.String())
	return err
}

func (w *world) writeTrends(out *strings.Builder) {
	fmt.Fprint(out, "\n| process | | after warming up | at the end | at most | slope an hour | |\n|---|---|---|---|---|---|---|\n")
	for n, s := range w.servers {
		for _, m := range measures {
			t := trendOf(w.warm(n), m.of)
			show := func(v float64) string { return fmt.Sprintf(m.format, v/m.unit) }
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %+.1f | %s |\n", s.name, m.name,
				show(t.start), show(t.end), show(t.most), t.hourly/m.unit, t.verdict(m))
		}
	}
}

// writeCounts writes what was brought, and what it was told.
func (j *judge) writeCounts(out *strings.Builder) {
	j.mu.Lock()
	defer j.mu.Unlock()
	columns := append(slices.Clone(outcomes), waits)
	fmt.Fprint(out, "\n| brought |")
	for _, o := range columns {
		fmt.Fprintf(out, " %s |", o)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("---|", len(columns)))
	for _, kind := range slices.Sorted(maps.Keys(j.counts)) {
		fmt.Fprintf(out, "| %s |", kind)
		for _, o := range columns {
			fmt.Fprintf(out, " %d |", j.counts[kind][o])
		}
		fmt.Fprintln(out)
	}
}

// writeWaits writes how long what took that the documentation allows to take long.
func (j *judge) writeWaits(out *strings.Builder) {
	j.mu.Lock()
	defer j.mu.Unlock()
	waited := slices.Collect(maps.Values(j.waited))
	blind := slices.Clone(j.longest)
	for n, b := range j.blind {
		blind[n] = max(blind[n], b.to.Sub(b.from)).Round(time.Millisecond)
	}
	fmt.Fprintf(out, "\nA known token was accepted in %s.\n", shares(j.took))
	fmt.Fprintf(out, "The first token of a key, at each server, was accepted in %s.\n", shares(waited))
	fmt.Fprintf(out, "A revoked token was refused at the other server after %s.\n", shares(j.delays))
	fmt.Fprintf(out, "Near the end or return of a NATS server that was after %s, and it was accepted or not known about until then, accepted for %v at most.\n", shares(j.late), j.lateness.Round(time.Millisecond))
	fmt.Fprintf(out, "The servers did not know all revocations for %v at most at a time.\n", blind[:chatServer])
}

func shares(times []time.Duration) string {
	if len(times) == 0 {
		return "no time: there was none"
	}
	slices.Sort(times)
	at := func(share float64) time.Duration {
		return times[int(share*float64(len(times)-1))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%v half of %d times, %v 99 %%, %v all", at(.5), len(times), at(.99), at(1))
}

func (j *judge) writeFaults(out *strings.Builder, began time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	fmt.Fprintf(out, "\n%d faults\n", j.all)
	for _, f := range j.faults {
		fmt.Fprintf(out, "%8.1f s  %s\n", f.at.Sub(began).Seconds(), f.text)
	}
	if more := j.all - len(j.faults); more > 0 {
		fmt.Fprintf(out, "and %d more\n", more)
	}
}
