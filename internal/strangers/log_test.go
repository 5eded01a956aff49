package strangers_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/strangers"
)

// A slowLog is a handler that takes until it is let go on.
type slowLog struct {
	slog.Handler
	begun, goOn chan struct{}
}

func newSlowLog() slowLog {
	return slowLog{slog.DiscardHandler, make(chan struct{}), make(chan struct{})}
}

func (l slowLog) Enabled(context.Context, slog.Level) bool { return true }

func (l slowLog) Handle(context.Context, slog.Record) error {
	close(l.begun)
	<-l.goOn
	return nil
}

// A handler that is slow, or asks something itself, holds up nobody whose issuer is another.
func TestLog_Slow(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*slog.Logger) (bring, meanwhile func()){
		"a contact fails": func(logger *slog.Logger) (bring, meanwhile func()) {
			w := newWorld(t, 0, func(c *strangers.Config) { c.Logger = logger })
			return func() { _, _ = w.contact(t.Context(), 1, "no address") }, func() { w.Find("https://other.test") }
		},
		"a lookup fails": func(logger *slog.Logger) (bring, meanwhile func()) {
			l := strangers.NewLookups(strangers.LookupConfig{
				Max: 1, Logger: logger, Changed: func(any, any) {},
				Ask: func(context.Context, string, any) (any, error) { return nil, errTable },
			})
			t.Cleanup(l.Close)
			return func() { _, _ = l.Find(t.Context(), caller(1), "a") }, func() { l.Knows("b") }
		},
		"there are too many": func(logger *slog.Logger) (bring, meanwhile func()) {
			l := strangers.NewLookups(strangers.LookupConfig{
				Max: 1, Logger: logger, Changed: func(any, any) {},
				Ask:  func(_ context.Context, name string, _ any) (any, error) { return name, nil },
				Used: func(any) (time.Time, bool) { return time.Time{}, true },
			})
			t.Cleanup(l.Close)
			if _, err := l.Find(t.Context(), caller(1), "a"); err != nil {
				t.Errorf("Find() error = %v", err)
			}
			return func() { _, _ = l.Find(t.Context(), caller(1), "b") }, func() { l.Knows("a") }
		},
	} {
		log := newSlowLog()
		bring, meanwhile := open(slog.New(log))
		brought, done := make(chan struct{}), make(chan struct{})
		go func() { bring(); close(brought) }()
		<-log.begun
		go func() { meanwhile(); close(done) }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Errorf("%s: others wait for the log's handler", name)
		}
		close(log.goOn)
		<-brought
		<-done
	}
}
