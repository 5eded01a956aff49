package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestSoak_Short: everything starts, everybody does what they do for a few seconds, and
// all of it is counted and drawn. How long anything takes is no matter here.
func TestSoak_Short(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says what a process holds, in /proc")
	}
	var out strings.Builder
	plot := filepath.Join(t.TempDir(), "soak.svg")
	s := settings{
		length: 6 * time.Second, rotate: 2 * time.Second, every: time.Second, grace: 5 * time.Second, busy: time.Minute,
		rate: 40, sockets: 5, seed: 1, plot: plot, dir: t.TempDir(), out: &out,
	}
	if err := s.run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"NATS server", "issuer", "| serve 1 |", "| serve 2 |", "| chat |", "\n0 faults\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it says nothing of %q", want)
		}
	}
	for _, kind := range []string{kindFirst, kindKnown, kindExpired, kindForged, kindForeign, kindUnknown, kindNone, kindSocket} {
		if !strings.Contains(out.String(), "| "+kind+" |") {
			t.Errorf("nobody brought %q", kind)
		}
	}
	if svg, err := os.ReadFile(plot); err != nil || !strings.Contains(string(svg), "<svg") {
		t.Errorf("the plot is none: %.80q, %v", svg, err)
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// TestDeck: of every hundred there is as much of each as mix says.
func TestDeck(t *testing.T) {
	t.Parallel()
	var d deck
	for hundred := range 3 {
		got := map[string]int{}
		for range 100 {
			got[d.draw()]++
		}
		for _, m := range mix {
			if got[m.kind] != m.share {
				t.Errorf("hundred %d: got %d of %q, want %d", hundred, got[m.kind], m.kind, m.share)
			}
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	good := settings{length: time.Minute, rotate: time.Second, every: time.Second, rate: 1, sockets: 1}
	if err := good.check(); err != nil {
		t.Errorf("good ones: %v", err)
	}
	for name, change := range map[string]func(*settings){
		"too short":      func(s *settings) { s.length = time.Second },
		"no rotation":    func(s *settings) { s.rotate = 0 },
		"never looks":    func(s *settings) { s.every = 0 },
		"nobody asks":    func(s *settings) { s.rate = 0 },
		"nobody talks":   func(s *settings) { s.sockets = 0 },
		"negative grace": func(s *settings) { s.grace = -1 },
		"negative busy":  func(s *settings) { s.busy = -1 },
	} {
		s := good
		change(&s)
		if s.check() == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// TestPlan: a seed says what happens, all of it ends in time, and never are two NATS
// servers down.
func TestPlan(t *testing.T) {
	t.Parallel()
	const length = 30 * time.Minute
	events, again := plan(7, length), plan(7, length)
	other := plan(8, length)
	if len(events) != len(again) || events[0] != again[0] || events[len(events)-1] != again[len(again)-1] {
		t.Error("one seed gives two plans")
	}
	if events[0] == other[0] {
		t.Error("two seeds give one plan")
	}
	ended, ways, killedOnes := make(map[kind]time.Duration), make(map[string]bool), make(map[int]bool)
	for _, e := range events {
		if e.from >= e.to || e.to > length-time.Minute {
			t.Errorf("%v: does not end, or not a minute before the end", e)
		}
		if e.from < ended[e.kind] {
			t.Errorf("%v: begins before the last one of its kind has ended", e)
		}
		ended[e.kind], ways[e.how], killedOnes[e.member] = e.to, true, true
	}
	for _, how := range outages {
		if !ways[how] {
			t.Errorf("no outage is %q", how)
		}
	}
	if len(ended) != 3 || len(killedOnes) != members {
		t.Errorf("kinds: got %v, NATS servers: %v, want 3 of each", ended, killedOnes)
	}
}

// TestTrend: what grows is told from what varies.
func TestTrend(t *testing.T) {
	t.Parallel()
	m := measure{unit: 1, of: func(s sample) float64 { return s.goroutines }, share: .10, least: 8}
	for _, r := range []struct {
		name string
		at   func(n int) float64
		span time.Duration
		want string
	}{
		{"always the same", func(int) float64 { return 40 }, time.Hour, "flat"},
		{"up and down", func(n int) float64 { return 40 + float64(20*(n%2)) }, time.Hour, "flat"},
		{"a wave at the end", func(n int) float64 { return 40 + float64(200*(n/630)) }, time.Hour, "flat"},
		{"falls", func(n int) float64 { return 400 - float64(n) }, time.Hour, "flat"},
		{"one more a minute", func(n int) float64 { return 40 + float64(n)/12 }, time.Hour, "grows"},
		{"a little on much", func(n int) float64 { return 10_000 + float64(n)/12 }, time.Hour, "flat"},
		{"one more a minute, for a moment", func(n int) float64 { return 40 + float64(n)/12 }, time.Minute, "too short to tell"},
		{"much more, for a moment", func(n int) float64 { return 40 * float64(n) }, time.Minute, "too short to tell"},
		{"nothing known", func(int) float64 { return 0 }, 0, "too short to tell"},
	} {
		var samples []sample
		for at := time.Duration(0); at < r.span; at += 5 * time.Second {
			samples = append(samples, sample{at: at, goroutines: r.at(len(samples))})
		}
		if got := trendOf(samples, m.of).verdict(m); got != r.want {
			t.Errorf("%s: got %s, want %s", r.name, got, r.want)
		}
	}
	got := trendOf([]sample{{at: 0, goroutines: 10}, {at: time.Hour, goroutines: 30}}, m.of)
	if got.hourly != 20 || got.start != 10 || got.end != 30 || got.most != 30 {
		t.Errorf("a line through two points: got %+v, want 10 to 30 in an hour", got)
	}
}

// TestReport_Grows: what grows is a fault of its own.
func TestReport_Grows(t *testing.T) {
	t.Parallel()
	for want, each := range map[bool]float64{true: 1, false: 0} {
		w := &world{settings: settings{length: time.Hour}, servers: []*server{{name: "serve 1"}}, samples: make([][]sample, 1)}
		for n := range 720 {
			w.samples[0] = append(w.samples[0], sample{at: time.Duration(n) * 5 * time.Second, openings: 50 + each*float64(n)})
		}
		if got := w.grows(); got != want {
			t.Errorf("%v descriptors more at each look: grows() = %v, want %v", each, got, want)
		}
	}
}

// TestSearchLogs: a token in a log is a fault, and what is no token is none.
func TestSearchLogs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"level=INFO msg=\"request refused\" status=401\n":       false,
		"level=INFO msg=\"got Bearer eyJhbGciOiJFUzI1NiJ9…\"\n": true,
	} {
		log := filepath.Join(t.TempDir(), "serve.log")
		if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w := &world{servers: []*server{{name: "serve 1", log: log}}, judge: newJudge(1, 0, 0)}
		if err := w.searchLogs(); err != nil || w.judge.faulty() != want {
			t.Errorf("%q: faulty: %v, %v, want %v", text, w.judge.faulty(), err, want)
		}
	}
	w := &world{servers: []*server{{log: filepath.Join(t.TempDir(), "none")}}, judge: newJudge(1, 0, 0)}
	if err := w.searchLogs(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no log: got %v, want %v", err, os.ErrNotExist)
	}
}
