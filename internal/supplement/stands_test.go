package supplement_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/supplement"
)

// A busyError is of somebody who says when to come again.
type busyError struct{ wait time.Duration }

func (busyError) Error() string { return "too many requests" }

// RetryAfter panics for a wait that nobody would name.
func (e busyError) RetryAfter() time.Duration {
	if e.wait < 0 {
		panic("secret")
	}
	return e.wait
}

// Whoever says when to come again is left alone about that token until then, for no longer
// than half of what an answer would serve, and the callers are told.
func TestAsker_StandsFor(t *testing.T) {
	for _, tt := range []struct{ says, age, want time.Duration }{
		{0, time.Hour, time.Second}, {time.Millisecond, time.Hour, time.Second}, {30 * time.Second, time.Hour, 30 * time.Second},
		{time.Hour, 2 * time.Hour, time.Minute}, {time.Hour, 20 * time.Second, 10 * time.Second}, {-1, time.Hour, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, p := supplement.New(supplement.Config{Age: tt.age, MaxBytes: 64}), &table{}
			p.answer = func() (json.RawMessage, error) { return nil, fmt.Errorf("asking: %w", busyError{tt.says}) }
			for range 2 {
				_, err := a.Ask(t.Context(), "token", p.ask)
				if unavailable, ok := errors.AsType[*supplement.UnavailableError](err); !ok || unavailable.RetryAfter != tt.want {
					t.Errorf("Ask() error = %v, %+v, want one for %v", err, unavailable, tt.want)
				}
			}
			p.answer = nil
			time.Sleep(tt.want - time.Millisecond)
			if _, err := a.Ask(t.Context(), "token", p.ask); err == nil || p.calls.Load() != 1 {
				t.Errorf("%v: Ask() error = %v, and %d questions before it is over", tt.says, err, p.calls.Load())
			}
			if _, err := a.Ask(t.Context(), "another", p.ask); err != nil || p.calls.Load() != 2 {
				t.Errorf("%v: Ask() error = %v about another token", tt.says, err)
			}
			time.Sleep(2 * time.Millisecond)
			if _, err := a.Ask(t.Context(), "token", p.ask); err != nil {
				t.Errorf("%v: Ask() error = %v once it is over", tt.says, err)
			}
			time.Sleep(2 * time.Second) // until all have been dropped
		})
	}
}
