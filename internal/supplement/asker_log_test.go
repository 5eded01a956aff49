package supplement_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/strangers"
	"github.com/oidcauth/oidcauth/internal/supplement"
)

// An outage is logged, too, where one user's answer is a fault every half minute.
func TestAsker_Log_OutageBesideFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outages := 0
		a := supplement.New(supplement.Config{Age: time.Minute, MaxBytes: 100, Log: func(err error) {
			if !supplement.IsFault(err) {
				outages++
			}
		}})
		defer a.Close()
		for n := range 120 {
			_, _ = a.Ask(t.Context(), fmt.Sprint("fault", n), func(context.Context) (json.RawMessage, error) { return json.RawMessage("[]"), nil })
			for m := range 29 {
				time.Sleep(time.Second)
				_, _ = a.Ask(t.Context(), fmt.Sprint("down", n, "/", m), func(context.Context) (json.RawMessage, error) { return nil, errors.New("401 of a wrong client secret") })
			}
			time.Sleep(time.Second)
		}
		if outages == 0 {
			t.Error("no line about an outage of an hour")
		}
	})
}

// A stranger whose token is a letter, which stands in any error's text, does not keep the
// reason of an outage out of the log.
func TestAsker_Log_ReasonBesideAStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		a := supplement.New(supplement.Config{Age: time.Minute, MaxBytes: 100, Whole: true, Log: func(err error) { lines = append(lines, err.Error()) }})
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
		if !strings.Contains(strings.Join(lines, "\n"), "client secret") {
			t.Errorf("nobody reads why: %q", lines)
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
