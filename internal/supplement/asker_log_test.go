package supplement_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/strangers"
	"github.com/oidcauth/oidcauth/internal/supplement"
)

// lines are what an Asker has logged, which it does behind the answer.
type lines struct {
	mu  sync.Mutex // guards all
	all []error
}

func (l *lines) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, err)
}

// settled returns them once nothing goes on.
func (l *lines) settled() []error {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// An outage is logged, too, where one user's answer is a fault every half minute.
func TestAsker_Log_OutageBesideFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		a := supplement.New(supplement.Config{Age: time.Minute, MaxBytes: 100, Log: log.add})
		defer a.Close()
		for n := range 120 {
			_, _ = a.Ask(t.Context(), fmt.Sprint("fault", n), func(context.Context) (json.RawMessage, error) { return json.RawMessage("[]"), nil })
			for m := range 29 {
				time.Sleep(time.Second)
				_, _ = a.Ask(t.Context(), fmt.Sprint("down", n, "/", m), func(context.Context) (json.RawMessage, error) { return nil, errors.New("401 of a wrong client secret") })
			}
			time.Sleep(time.Second)
		}
		if !slices.ContainsFunc(log.settled(), func(err error) bool { return !supplement.IsFault(err) }) {
			t.Error("no line about an outage of an hour")
		}
	})
}

// A stranger whose token is a letter, which stands in any error's text, does not keep the
// reason of an outage out of the log.
func TestAsker_Log_ReasonBesideAStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		a := supplement.New(supplement.Config{Age: time.Minute, MaxBytes: 100, Whole: true, Log: log.add})
		defer a.Close()
		line := strangers.NewLine()
		down := func(context.Context) (json.RawMessage, error) { return nil, errors.New("401 of a wrong client secret") }
		for n := range 10 {
			// In the second in which the next line is due.
			_, _ = a.AskFor(t.Context(), &supplement.Stranger{Line: line}, "e", down)
			for m := range 59 {
				time.Sleep(time.Second)
				_, _ = a.AskFor(t.Context(), &supplement.Stranger{Line: line}, fmt.Sprint("opaque token", n, "/", m), down)
			}
			time.Sleep(time.Second)
		}
		if all := fmt.Sprint(log.settled()); !strings.Contains(all, "client secret") {
			t.Errorf("nobody reads why: %s", all)
		}
	})
}

// Whoever asks is not held up by a line that is being written.
func TestAsker_Log_HoldsUpNobody(t *testing.T) {
	block := make(chan struct{})
	logging := make(chan struct{}, 1)
	a := supplement.New(supplement.Config{Age: time.Minute, MaxBytes: 100, Log: func(error) { logging <- struct{}{}; <-block }})
	go func() {
		_, _ = a.Ask(context.Background(), "one", func(context.Context) (json.RawMessage, error) { return nil, errors.New("down") })
	}()
	<-logging
	got := make(chan struct{})
	go func() {
		_, _ = a.Ask(context.Background(), "another", func(context.Context) (json.RawMessage, error) { return json.RawMessage("{}"), nil })
		close(got)
	}()
	select {
	case <-got:
	case <-time.After(30 * time.Second):
		t.Error("Ask about another token waits for a line")
	}
	close(block)
	a.Close()
}
