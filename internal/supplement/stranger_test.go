package supplement_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/strangers"
	"github.com/oidcauth/oidcauth/internal/supplement"
)

// A crowd are callers who ask about tokens that nobody knows, in one line.
type crowd struct {
	*supplement.Asker
	table
	line *strangers.Line
	wg   sync.WaitGroup
}

func newCrowd(t *testing.T, takes time.Duration) *crowd {
	c := &crowd{Asker: newAsker(), table: table{takes: takes}, line: strangers.NewLine()}
	t.Cleanup(func() {
		c.Close()
		c.line.Close()
		c.wg.Wait()
	})
	return c
}

// asks has a caller ask about a token, and returns how that ends.
func (c *crowd) asks(who int, token string) <-chan error {
	ended := make(chan error, 1)
	c.wg.Go(func() {
		stranger := &supplement.Stranger{Caller: netip.AddrFrom4([4]byte{192, 0, byte(who >> 8), byte(who)}), Line: c.line}
		_, err := c.AskFor(context.Background(), stranger, token, c.ask)
		ended <- err
	})
	synctest.Wait()
	return ended
}

// Questions of strangers end in their own ways: none of them is an answer.
func TestAskFor(t *testing.T) {
	t.Parallel()
	bubble := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
	bubble("an answer", func(t *testing.T) {
		if err := <-newCrowd(t, 0).asks(1, "token"); err != nil {
			t.Errorf("AskFor() error = %v", err)
		}
	})
	bubble("no answer in time", func(t *testing.T) {
		if err := <-newCrowd(t, time.Hour).asks(1, "token"); !errors.Is(err, supplement.ErrTimeout) {
			t.Errorf("AskFor() error = %v, want %v", err, supplement.ErrTimeout)
		}
	})
	bubble("a line that is closed", func(t *testing.T) {
		c := newCrowd(t, 0)
		c.line.Close()
		err := <-c.asks(1, "token")
		if _, ok := errors.AsType[*supplement.UnavailableError](err); !ok || !errors.Is(err, strangers.ErrClosed) || c.calls.Load() != 0 {
			t.Errorf("AskFor() error = %v after %d calls, want %v and none", err, c.calls.Load(), strangers.ErrClosed)
		}
	})
	bubble("a place that another caller has the better claim to", func(t *testing.T) {
		c := newCrowd(t, time.Hour)
		first := c.asks(1, "token 0")
		for n := range 15 {
			c.asks(1, fmt.Sprint("token ", n+1))
		}
		c.asks(2, "another's")
		if _, postponed := errors.AsType[*keyset.PostponedError](<-first); !postponed || c.calls.Load() != 17 || c.running.Load() != 16 {
			t.Errorf("%d called, %d run, want the first to make way for the last", c.calls.Load(), c.running.Load())
		}
	})
	bubble("those who wait for one that was asked about by an attacker first have their own claim", func(t *testing.T) {
		c := newCrowd(t, time.Hour)
		for n := range 16 {
			c.asks(1, fmt.Sprint("takes a place ", n))
		}
		// Those that wait are an attacker's, ten of them others' too.
		var shared []<-chan error
		for n := range 64 {
			c.asks(1, fmt.Sprint("waits ", n))
		}
		for n := range 10 {
			shared = append(shared, c.asks(2+n, fmt.Sprint("waits ", n)))
		}
		for n := range 54 {
			c.asks(100+n, fmt.Sprint("comes ", n))
		}
		for n, ended := range shared {
			if len(ended) != 0 {
				t.Errorf("caller %d was turned away as the attacker is: %v", 2+n, <-ended)
			}
		}
	})
	bubble("those of one who stopped leave the line to others", func(t *testing.T) {
		c := newCrowd(t, time.Hour)
		for n := range 80 {
			c.asks(n, fmt.Sprint(n))
		}
		c.Stop()
		synctest.Wait()
		for range 64 {
			place, err := c.line.Stand(t.Context(), netip.Addr{})
			if err != nil {
				t.Fatalf("Stand() error = %v", err)
			}
			defer place.End()
		}
	})
}

// Eight questions that fail one after the other, and no fewer, are reason to put them
// off, one in a tenth of a second, and one that is answered among them makes that eight
// again.
func TestAsker_InARow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, p := newAsker(), &table{}
		ask := func(name string, n int, answer func() (json.RawMessage, error), want error) {
			t.Helper()
			p.answer = answer
			for i := range n {
				if _, err := a.Ask(t.Context(), fmt.Sprint(name, i), p.ask); !errors.Is(err, want) {
					t.Errorf("Ask(%s%d) error = %v, want %v", name, i, err, want)
				}
			}
		}
		fails := func() (json.RawMessage, error) { return nil, errDown }
		ask("seven ", 7, fails, errDown)
		ask("good ", 1, nil, nil)
		ask("eight ", 8, fails, errDown)
		ask("one more ", 1, nil, supplement.ErrPaused)
		time.Sleep(100*time.Millisecond - 1)
		ask("one too early ", 1, nil, supplement.ErrPaused)
		time.Sleep(time.Nanosecond)
		ask("one in time ", 1, fails, errDown)
		ask("the next ", 1, nil, supplement.ErrPaused)
	})
}

// What the function is given ends with it.
func TestAsker_ContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAsker()
		var given context.Context
		if _, err := a.Ask(t.Context(), "token", func(ctx context.Context) (json.RawMessage, error) {
			given = ctx
			return nil, ctx.Err()
		}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !errors.Is(given.Err(), context.Canceled) {
			t.Errorf("the context's error is %v, want %v", given.Err(), context.Canceled)
		}
	})
}

// An answer that is all that is known of a token is an object, and nothing else.
func TestAsker_Whole(t *testing.T) {
	t.Parallel()
	a := supplement.New(supplement.Config{Age: time.Minute, MaxBytes: 64, Whole: true})
	defer a.Close()
	for _, tt := range []struct {
		text string
		want error
	}{
		{`{"sub":"alice"}`, nil},
		{"", supplement.ErrAnswer},
		{"[]", supplement.ErrAnswer},
		{`{"sub":"alice","sub":"bob"}`, supplement.ErrAnswer},
		{`{"sub":"alice"`, supplement.ErrAnswer},
	} {
		answer, err := a.Ask(t.Context(), "token with "+tt.text, func(context.Context) (json.RawMessage, error) { return json.RawMessage(tt.text), nil })
		if !errors.Is(err, tt.want) || (err == nil) != (answer != nil && answer.Text == tt.text) {
			t.Errorf("Ask() = %v, error %v for %s, want %v", answer, err, tt.text, tt.want)
		}
	}
}
