package natsauth_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// long is a grace that no test outlasts.
const long = time.Hour

// wantCurrent fails the test unless the reader was told exactly this.
func (r *reader) wantCurrent(want ...bool) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.current, want) {
		r.t.Errorf("told caughtUp%v, want %v", r.current, want)
	}
}

// awaitLines waits for so many lines with the text.
func awaitLines(t *testing.T, lines *lockedBuffer, text string, count int) {
	t.Helper()
	for limit := time.Now().Add(patience); strings.Count(lines.String(), text) < count; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("timed out waiting for %d lines %q:\n%s", count, text, lines.String())
		}
	}
}

// An interruption within the grace is told to nobody, and what was missed comes.
func TestGrace_Interruption(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	var network gate
	var lines lockedBuffer
	l := newLog(t, n, natsauth.Config{
		Grace: long, Timeout: 3 * time.Second, Heartbeat: 50 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&lines, nil)),
	}, nats.SetCustomDialer(&network))
	r := follow(t, l)
	r.awaitCurrent(true)
	awaitLines(t, &lines, "caught up", 1)
	for i, lose := range []func(){network.cut, network.mute, network.cut} {
		lose()
		awaitLines(t, &lines, "lost contact", i+1)
		id := fmt.Sprint("missed-", i)
		appendTokens(t, newLog(t, n, natsauth.Config{}), id)
		network.restore()
		r.awaitTokens(id)
		awaitLines(t, &lines, "caught up", i+2)
	}
	r.wantCurrent(true)
}

// At the end of the grace the loss is told, whatever the reading is doing, and
// that contact is back too.
func TestGrace_Over(t *testing.T) {
	t.Parallel()
	const grace = 200 * time.Millisecond
	n := startNATS(t)
	var network gate
	r := follow(t, newLog(t, n, natsauth.Config{Grace: grace, Timeout: long}, nats.SetCustomDialer(&network)))
	r.awaitCurrent(true)
	for range 2 {
		began := time.Now()
		network.cut()
		r.awaitCurrent(false)
		if took := time.Since(began); took < grace {
			t.Errorf("told after %v, before the grace of %v is over", took, grace)
		}
		network.restore()
		r.awaitCurrent(true)
	}
	r.wantCurrent(true, false, true, false, true)
}

// There is no grace for a beginning without contact, and for a connection that
// was closed.
func TestGrace_None(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	n.stop()
	l := newLog(t, n, natsauth.Config{Grace: long, Timeout: 100 * time.Millisecond})
	r := follow(t, l)
	r.awaitCurrent(false)
	n.start()
	r.awaitCurrent(true)

	closing := n.connect()
	l, err := natsauth.New(natsauth.Config{JetStream: closing, Grace: long})
	if err != nil {
		t.Fatal(err)
	}
	r = follow(t, l)
	r.awaitCurrent(true)
	closing.Conn().Close()
	r.awaitCurrent(false)
	r.wantCurrent(true, false)
}

// A timer that was late says nothing of what came after it was set.
func TestContact_Late(t *testing.T) {
	t.Parallel()
	var told []bool
	c := natsauth.NewContact(long, func(current bool) { told = append(told, current) })
	c.Back()
	c.Lost(natsauth.ErrSlow)
	late := c.Late()
	c.Back()
	late()
	if want := []bool{true, true}; !slices.Equal(told, want) {
		t.Errorf("told caughtUp%v, want %v", told, want)
	}
	c.Late()()
	if want := []bool{true, true, false}; !slices.Equal(told, want) {
		t.Errorf("told caughtUp%v, want %v", told, want)
	}
}

// Without a grace a loss is told before the reading goes on.
func TestContact_AtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []bool
		c := natsauth.NewContact(0, func(current bool) { told = append(told, current) })
		c.Back()
		c.Lost(natsauth.ErrSlow)
		if want := []bool{true, false}; !slices.Equal(told, want) {
			t.Errorf("told caughtUp%v, want %v", told, want)
		}
	})
}

// When each loss is told, and that nothing is after the end.
func TestContact(t *testing.T) {
	t.Parallel()
	const grace = 5 * time.Second
	lost := func(cause error) func(*natsauth.Contact) { return func(c *natsauth.Contact) { c.Lost(cause) } }
	after := func(d time.Duration) func(*natsauth.Contact) { return func(*natsauth.Contact) { time.Sleep(d) } }
	back, end := (*natsauth.Contact).Back, (*natsauth.Contact).End
	tests := []struct {
		name  string
		grace time.Duration
		steps []func(*natsauth.Contact)
		want  []bool
	}{
		{"lost before anything was read", grace, []func(*natsauth.Contact){lost(natsauth.ErrSlow)}, []bool{false}},
		{"just within the grace", grace, []func(*natsauth.Contact){back, lost(natsauth.ErrSlow), after(grace - 1)}, []bool{true}},
		{"the grace is over", grace, []func(*natsauth.Contact){back, lost(natsauth.ErrSlow), after(grace)}, []bool{true, false}},
		{"counted from the first loss", grace, []func(*natsauth.Contact){back, lost(natsauth.ErrSlow), after(grace - 1), lost(natsauth.ErrNoQuorum), after(1)}, []bool{true, false}},
		{"back in time", grace, []func(*natsauth.Contact){back, lost(natsauth.ErrSlow), after(grace - 1), back, after(2 * grace)}, []bool{true, true}},
		{"lost again after it was back", grace, []func(*natsauth.Contact){back, lost(natsauth.ErrSlow), after(grace - 1), back, lost(natsauth.ErrSlow), after(grace - 1)}, []bool{true, true}},
		{"lost for good after it was back", grace, []func(*natsauth.Contact){back, lost(natsauth.ErrSlow), back, lost(natsauth.ErrSlow), after(grace)}, []bool{true, true, false}},
		{"still lost after the grace", grace, []func(*natsauth.Contact){back, lost(natsauth.ErrSlow), after(grace), lost(natsauth.ErrSlow)}, []bool{true, false, false}},
		{"entries known to be missing", grace, []func(*natsauth.Contact){back, lost(natsauth.ErrStalled)}, []bool{true, false}},
		{"known to be missing within the grace", grace, []func(*natsauth.Contact){back, lost(natsauth.ErrSlow), lost(natsauth.ErrStalled), after(2 * grace)}, []bool{true, false}},
		{"a stream that loses entries", grace, []func(*natsauth.Contact){back, lost(natsauth.ErrLossy)}, []bool{true, false}},
		{"another stream", grace, []func(*natsauth.Contact){back, lost(natsauth.ErrReplaced)}, []bool{true, false}},
		{"closed for good", grace, []func(*natsauth.Contact){back, lost(nats.ErrConnectionClosed)}, []bool{true, false}},
		{"no grace", -1, []func(*natsauth.Contact){back, lost(natsauth.ErrSlow)}, []bool{true, false}},
		{"ended within the grace", grace, []func(*natsauth.Contact){back, lost(natsauth.ErrSlow), end, after(2 * grace)}, []bool{true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told []bool
				c := natsauth.NewContact(tt.grace, func(current bool) { told = append(told, current) })
				for _, step := range tt.steps {
					step(c)
					synctest.Wait()
				}
				if !slices.Equal(told, tt.want) {
					t.Errorf("told caughtUp%v, want %v", told, tt.want)
				}
				c.End()
			})
		})
	}
}
