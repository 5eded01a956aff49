package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/process"
)

// A world is all that runs.
type world struct {
	settings
	issuer, steady *provider
	cluster        []*member
	servers        []*server // "oidcauth serve" twice, and the chat
	judge          *judge
	load           *load
	visitors       *visitors
	events         []event
	began          time.Time

	mu       sync.Mutex // guards all below
	flooding bool
	happened []event // as they did
	samples  [][]sample
}

// build compiles and starts everything.
func (s settings) build(ctx context.Context) (w *world, err error) {
	w = &world{settings: s, judge: newJudge(chatServer+1, s.grace, s.busy), events: plan(s.seed, s.length)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.stop())
		}
	}()
	programs := make(map[string]string)
	for _, path := range []string{"github.com/oidcauth/oidcauth/cmd/oidcauth", "github.com/oidcauth/oidcauth/examples/chat", natsPackage} {
		if programs[path], err = process.Build(s.dir, path); err != nil {
			return w, err
		}
	}
	if w.issuer, err = newProvider(); err != nil {
		return w, err
	}
	if w.steady, err = newProvider(); err != nil {
		return w, err
	}
	if w.cluster, err = newCluster(programs[natsPackage], s.dir); err != nil {
		return w, err
	}
	for _, m := range w.cluster {
		if err := m.start(); err != nil {
			return w, err
		}
	}
	for _, m := range w.cluster {
		if err := m.await(ctx); err != nil {
			return w, err
		}
	}
	return w, w.start(ctx, programs["github.com/oidcauth/oidcauth/cmd/oidcauth"], programs["github.com/oidcauth/oidcauth/examples/chat"])
}

// start starts what is watched.
func (w *world) start(ctx context.Context, serve, chat string) error {
	if err := os.WriteFile(filepath.Join(w.dir, "secret"), []byte(secret), 0o600); err != nil {
		return err
	}
	for n := range 2 {
		s, err := startServe(ctx, serve, w.dir, n, []string{w.issuer.URL(), w.steady.URL()}, w.cluster, w.grace)
		if s != nil && s.Process != nil {
			w.servers = append(w.servers, s)
		}
		if err != nil {
			return err
		}
	}
	w.visitors = &visitors{issuer: w.issuer, judge: w.judge}
	s, err := startChat(chat, w.dir, w.issuer.URL(), w.visitors.operator)
	if err != nil {
		return err
	}
	w.visitors.chat = s
	w.servers = append(w.servers, s)
	w.samples = make([][]sample, len(w.servers))
	w.load = &load{
		servers: w.servers[:2], issuer: w.issuer, steady: w.steady, judge: w.judge, flooded: w.isFlooding,
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: atOnce, IdleConnTimeout: 30 * time.Second}},
	}
	return nil
}

// stop ends all processes. What ended by itself is an error.
func (w *world) stop() error {
	var ended []error
	for _, s := range w.servers {
		if s.Resident() == 0 {
			ended = append(ended, fmt.Errorf("%s has ended: see %s", s.name, s.log))
		}
		s.Stop()
	}
	for _, m := range w.cluster {
		if m.running != nil {
			m.kill()
		}
		m.log.Close()
	}
	for _, p := range []*provider{w.issuer, w.steady} {
		if p != nil {
			p.close()
		}
	}
	return errors.Join(ended...)
}

// live has everybody do what they do, for as long as the run takes.
func (w *world) live(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.length)
	defer cancel()
	for _, e := range w.events {
		fmt.Fprintln(w.out, e)
	}
	w.began = time.Now()
	unit := min(time.Minute, w.length/6)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { w.load.run(ctx, w.rate) })
	wg.Go(func() { w.load.revoke(ctx, min(2*time.Second, unit/4)) })
	wg.Go(func() { w.visitors.run(ctx, w.sockets) })
	wg.Go(func() { w.visitors.sendAway(ctx, unit/4) })
	wg.Go(func() { w.watch(ctx) })
	for _, p := range []struct {
		*provider
		every time.Duration
	}{{w.issuer, w.rotate}, {w.steady, 3 * w.rotate}} {
		wg.Go(func() {
			for pause(ctx, p.every) {
				p.rotate()
			}
		})
	}
	kills := make(chan struct{}, 1) // one at a time
	for _, e := range w.events {
		wg.Go(func() { w.suffer(ctx, e, kills) })
	}
}

// suffer has an event happen.
func (w *world) suffer(ctx context.Context, e event, kills chan struct{}) {
	if !pause(ctx, time.Until(w.began.Add(e.from))) {
		return
	}
	length := e.to - e.from
	switch e.kind {
	case outage:
		e.from = time.Since(w.began)
		w.judge.outage(true)
		w.issuer.fail(e.how)
		pause(ctx, length)
		if err := w.issuer.recover(e.how); err != nil {
			w.judge.fault("%v", err)
		}
		w.judge.outage(false)
	case flood:
		e.from = time.Since(w.began)
		w.setFlooding(true)
		pause(ctx, length)
		w.setFlooding(false)
	case killed:
		kills <- struct{}{}
		defer func() { <-kills }()
		if !w.whole(ctx) {
			return
		}
		e.from = time.Since(w.began)
		w.killNATS(ctx, e.member, length)
	}
	e.to = time.Since(w.began)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.happened = append(w.happened, e)
}

// whole waits until all NATS servers have everything, so that never two are missing.
func (w *world) whole(ctx context.Context) bool {
	for _, m := range w.cluster {
		if err := m.await(ctx); err != nil {
			if ctx.Err() == nil {
				w.judge.fault("%v", err)
			}
			return false
		}
	}
	return true
}

func (w *world) killNATS(ctx context.Context, n int, length time.Duration) {
	w.judge.natsChanged()
	w.cluster[n].kill()
	pause(ctx, length)
	w.judge.natsChanged()
	if err := w.cluster[n].start(); err != nil {
		w.judge.fault("NATS server %d does not come back: %v", n+1, err)
	}
}

func (w *world) setFlooding(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flooding = on
}

func (w *world) isFlooding() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flooding
}

// searchLogs looks for tokens in what the servers have logged: all begin with the same
// letters, which are "{" and a quotation mark.
func (w *world) searchLogs() error {
	for _, s := range w.servers {
		file, err := os.Open(s.log)
		if err != nil {
			return err
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "eyJ") {
				w.judge.fault("%s has logged a token: %.60s…", s.name, lines.Text())
			}
		}
		if err := lines.Err(); err != nil {
			return err
		}
	}
	return nil
}
