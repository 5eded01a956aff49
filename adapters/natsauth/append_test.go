package natsauth_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// An exchange is what comes of one attempt to store a message: of the publication, and of
// the look at what is stored when that says that something is.
type exchange struct {
	domain  string // of the stream that took it; empty is that of ours
	publish func(ctx context.Context, m *nats.Msg) error
	last    func(m *nats.Msg) (*jetstream.RawStreamMsg, error)
}

// play has a script's attempts come to these, and all after them to the last.
func (s *script) play(exchanges ...exchange) {
	var now exchange
	var sent *nats.Msg
	var stored uint64
	s.publish = func(ctx context.Context, m *nats.Msg) (*jetstream.PubAck, error) {
		now, sent = exchanges[0], m
		exchanges = exchanges[min(1, len(exchanges)-1):]
		if err := now.publish(ctx, m); err != nil {
			return nil, err
		}
		stored++
		return &jetstream.PubAck{Sequence: stored, Domain: now.domain}, nil
	}
	s.last = func(_ context.Context, subject string) (*jetstream.RawStreamMsg, error) {
		if subject != sent.Subject {
			s.t.Errorf("looked at subject %s after publication to %s", subject, sent.Subject)
		}
		return now.last(sent)
	}
}

// fails is an exchange whose publication fails.
func fails(err error) exchange {
	return exchange{publish: func(context.Context, *nats.Msg) error { return err }}
}

// coded is an error of JetStream's.
func coded(name string) error {
	return &jetstream.APIError{Code: 400, ErrorCode: natsauth.ErrorCodes[name]}
}

// shows is an exchange that finds something stored.
func shows(change func(m *jetstream.RawStreamMsg)) exchange {
	e := fails(coded("wrong sequence"))
	e.last = func(m *nats.Msg) (*jetstream.RawStreamMsg, error) {
		raw := &jetstream.RawStreamMsg{Subject: m.Subject, Sequence: 4, Data: m.Data, Header: nats.Header{}, Time: time.Now()}
		for name, values := range m.Header {
			raw.Header[name] = values
		}
		change(raw)
		return raw, nil
	}
	return e
}

// cannotShow is an exchange that finds something stored and cannot see what.
func cannotShow(err error) exchange {
	e := fails(coded("in process"))
	e.last = func(*nats.Msg) (*jetstream.RawStreamMsg, error) { return nil, err }
	return e
}

var (
	errLost   = errors.New("the answer was lost")
	stores    = fails(nil)
	loses     = fails(errLost)
	isFull    = fails(coded("store failed"))
	finds     = shows(func(*jetstream.RawStreamMsg) {})
	findsTwin = shows(func(m *jetstream.RawStreamMsg) { m.Header.Set("Oidcauth-Write", "another's") })
	tooMuch   = fails(nats.ErrMaxPayload)
	waits     = exchange{publish: func(ctx context.Context, _ *nats.Msg) error { <-ctx.Done(); return ctx.Err() }}
)

// stays is an exchange that finds what another stored, which stays for so much longer than
// the revocation.
func stays(longer time.Duration) exchange {
	return shows(func(m *jetstream.RawStreamMsg) {
		m.Header.Set("Oidcauth-Write", "another's")
		m.Header.Set(jetstream.MsgTTLHeader, (time.Until(revocation("").Until) + longer).String())
	})
}

// elsewhere is an exchange that another stream took, beside this of ours.
func elsewhere(ours exchange) exchange {
	return exchange{domain: "leaf", publish: func(context.Context, *nats.Msg) error { return nil }, last: ours.last}
}

// named is elsewhere where the other stream has another name, and so refuses it.
func named(ours exchange) exchange {
	return exchange{publish: func(context.Context, *nats.Msg) error { return coded("another stream") }, last: ours.last}
}

// What becomes of each answer: what was not stored for certain is said not to be, and what
// may have been is tried again until the time is up, in which the streams are looked for anew.
func TestLog_Answers(t *testing.T) {
	t.Parallel()
	const timeout, again = 10 * time.Second, 20 * time.Millisecond
	type row struct {
		name      string
		exchanges []exchange
		added     bool
		not       string // why it is not known to be stored
		certain   bool   // that it is not
		took      time.Duration
		looked    int // for the stream, with another call at the end
	}
	rows := []row{
		{"stored", []exchange{stores}, true, "", false, 0, 1},
		{"lost, and stored", []exchange{loses, stores}, true, "", false, again, 2},
		{"nobody takes it, and then somebody does", []exchange{fails(jetstream.ErrNoStreamResponse), stores}, true, "", false, again, 2},
		{"the answer was lost, and it is there", []exchange{loses, finds}, true, "", false, again, 2},
		{"no answer in half of the time", []exchange{waits, finds}, true, "", false, timeout/2 + again, 2},
		{"another stored the same", []exchange{findsTwin}, false, "", false, 0, 1},
		{"another stores the same", []exchange{cannotShow(jetstream.ErrMsgNotFound), findsTwin}, false, "", false, again, 1},
		{"it cannot be looked at, and then it can", []exchange{cannotShow(errLost), findsTwin}, false, "", false, again, 2},
		{"something else is there", []exchange{shows(func(m *jetstream.RawStreamMsg) { m.Data = []byte("{}") })}, false, "something else is stored under", true, 0, 1},
		{"another stored the same, which stays", []exchange{stays(0)}, false, "", false, 0, 1},
		{"another stored the same, in whole seconds", []exchange{stays(-time.Second)}, false, "", false, 0, 1},
		{"another stored the same, a little shorter", []exchange{stays(-time.Second - 1)}, false, "leaves too early", false, timeout, 1},
		{"another stored the same, which ends early", []exchange{shows(func(m *jetstream.RawStreamMsg) { m.Header.Set(jetstream.MsgTTLHeader, "1h") })}, false, "leaves too early", false, timeout, 1},
		{"full", []exchange{isFull}, false, "API error", true, 0, 2},
		{"nobody takes it, and then it is full", []exchange{fails(jetstream.ErrNoStreamResponse), isFull}, false, "API error", true, again, 3},
		{"lost, and then it is full", []exchange{loses, isFull}, false, "not known whether it is stored: an attempt had no answer, and the last one failed: oidcauth: not stored in the revocation log: stream", false, timeout, 25},
		{"lost, nobody takes it, and then it is full", []exchange{loses, fails(jetstream.ErrNoStreamResponse), isFull}, false, "not known whether it is stored", false, timeout, 25},
		{"another error", []exchange{fails(coded("not the leader")), stores}, true, "", false, again, 2},
		{"larger than NATS takes", []exchange{tooMuch}, false, "maximum payload", true, 0, 2},
		{"lost, and then larger than NATS takes", []exchange{loses, tooMuch}, false, "not known whether it is stored", false, timeout, 25},
		{"another stream took it, and ours", []exchange{elsewhere(finds)}, true, "", false, 0, 2},
		{"another stream took it, and ours had it", []exchange{elsewhere(findsTwin)}, false, "", false, 0, 2},
		{"another stream took it, and ours does", []exchange{elsewhere(cannotShow(jetstream.ErrMsgNotFound)), finds}, true, "", false, again, 2},
		{"another stream took it, and ours never does", []exchange{elsewhere(cannotShow(jetstream.ErrMsgNotFound))}, false, "another stream, of domain \"leaf\"", false, timeout, 25},
		{"another stream took it, and ours cannot be had", []exchange{elsewhere(cannotShow(errLost))}, false, "another stream, of domain \"leaf\"", false, timeout, 49},
		{"another stream took it, and ours is full", []exchange{elsewhere(cannotShow(jetstream.ErrMsgNotFound)), isFull}, false, "not known whether it is stored", false, timeout, 25},
		{"another stream refused it, and ours took it", []exchange{named(finds)}, true, "", false, 0, 1},
		{"another stream refused it, and ours never takes it", []exchange{named(cannotShow(jetstream.ErrMsgNotFound))}, false, "another stream, of another name", false, timeout, 1},
		{"another stream refused it, and ours is full", []exchange{named(cannotShow(jetstream.ErrMsgNotFound)), isFull}, false, "not known whether it is stored", false, timeout, 24},
		{"the connection is closed", []exchange{fails(nats.ErrConnectionClosed)}, false, "connection closed", false, 0, 2},
	}
	for _, name := range []string{"account limit", "server limit", "storage limit", "message too large", "sealed", "message TTL", "message TTL denied"} {
		rows = append(rows, row{name, []exchange{fails(coded(name))}, false, "API error", true, 0, 2})
	}
	for _, tt := range rows {
		synctest.Test(t, func(t *testing.T) {
			s, l := newScript(t, natsauth.Config{Timeout: timeout})
			s.play(tt.exchanges...)
			added, err := l.Append(t.Context(), revocation("a"))
			if added != tt.added || (err != nil) != (tt.not != "") || err != nil && !strings.Contains(err.Error(), tt.not) {
				t.Errorf("%s: Append() = %v, %v, want %v, %q", tt.name, added, err, tt.added, tt.not)
			}
			if errors.Is(err, oidcauth.ErrNotStored) != tt.certain {
				t.Errorf("%s: error = %v, want certainty %v", tt.name, err, tt.certain)
			}
			if took := time.Since(s.begun); took != tt.took {
				t.Errorf("%s: Append() took %v, want %v", tt.name, took, tt.took)
			}
			synctest.Wait()
			first := s.ids[0]
			s.play(stores)
			if added, err := l.Append(t.Context(), revocation("b")); !added || err != nil || s.looked != tt.looked {
				t.Errorf("%s: Append() of another = %v, %v, looked for the stream %d times, want %d", tt.name, added, err, s.looked, tt.looked)
			}
			if ids := slices.Compact(s.ids); first == "" || len(ids) != 2 || ids[1] == first {
				t.Errorf("%s: the calls are known as %q, want each as one", tt.name, ids)
			}
		})
	}
}

// Between attempts it waits, twice as long each time, and half a second at most.
func TestLog_Retries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, l := newScript(t, natsauth.Config{Timeout: 3 * time.Second})
		s.play(loses)
		if _, err := l.Append(t.Context(), revocation("a")); err == nil {
			t.Error("Append() of what is lost gives no error")
		}
		var want []time.Duration
		for _, ms := range []time.Duration{0, 20, 60, 140, 300, 620, 1120, 1620, 2120, 2620} {
			want = append(want, ms*time.Millisecond)
		}
		if !slices.Equal(s.published, want) {
			t.Errorf("published at %v, want %v", s.published, want)
		}
	})
}

// A call that does not end with its context is left behind.
func TestLog_Stuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, l := newScript(t, natsauth.Config{Timeout: time.Second})
		free := make(chan struct{})
		s.play(exchange{publish: func(context.Context, *nats.Msg) error { <-free; return errLost }})
		added, err := l.Append(t.Context(), revocation("a"))
		if took := time.Since(s.begun); added || err == nil || errors.Is(err, oidcauth.ErrNotStored) || took != 1050*time.Millisecond {
			t.Errorf("Append() = %v, %v after %v, want an error after 1.05s", added, err, took)
		}
		close(free)
	})
}

// A call that is over leaves no context behind that waits for its time.
func TestLog_Contexts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, l := newScript(t, natsauth.Config{Timeout: time.Hour})
		s.play(stores)
		f := newFamily(t)
		if _, err := l.Append(f, revocation("a")); err != nil {
			t.Fatal(err)
		}
		if _, err := l.FirstUse(f, useID(1), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := f.living.Load(); n != 0 {
			t.Errorf("%d contexts are left", n)
		}
	})
}

// A use whose answer was lost is the first if what is stored is this call's own, unless its
// sequence was seen before: then the stream is another.
func TestLog_UseFound(t *testing.T) {
	t.Parallel()
	for before, known := range map[int]bool{3: true, 4: false} {
		synctest.Test(t, func(t *testing.T) {
			s, l := newScript(t, natsauth.Config{})
			s.play(stores)
			until := time.Now().Add(time.Minute)
			for i := range before {
				if first, err := l.FirstUse(t.Context(), useID(i), until); !first || err != nil {
					t.Fatalf("FirstUse() = %v, %v, want true", first, err)
				}
			}
			s.play(loses, finds)
			if first, err := l.FirstUse(t.Context(), useID(100), until); first != known || (err == nil) != known {
				t.Errorf("FirstUse() after %d = %v, %v, want %v", before, first, err, known)
			}
			s.play(findsTwin)
			if first, err := l.FirstUse(t.Context(), useID(101), until); first || err != nil {
				t.Errorf("FirstUse() of what another used = %v, %v, want false", first, err)
			}
			s.play(shows(func(m *jetstream.RawStreamMsg) {
				m.Header.Set("Oidcauth-Write", "another's")
				m.Header.Set(jetstream.MsgTTLHeader, "1s")
			}))
			if first, err := l.FirstUse(t.Context(), useID(102), until); first || err != nil {
				t.Errorf("FirstUse() of what another used, and leaves early, = %v, %v, want false", first, err)
			}
		})
	}
}

// What NATS holds to be now is known when the stream is.
func TestLog_OverThere(t *testing.T) {
	t.Parallel()
	for behind, want := range map[time.Duration]error{2 * time.Hour: nil, time.Hour: oidcauth.ErrNotStored, 0: oidcauth.ErrNotStored, -time.Hour: oidcauth.ErrNotStored} {
		synctest.Test(t, func(t *testing.T) {
			s, l := newScript(t, natsauth.Config{})
			s.play(stores)
			s.stream = func(_ context.Context, name string) (*jetstream.StreamInfo, error) {
				return &jetstream.StreamInfo{Config: s.configs[name], TimeStamp: time.Now().Add(-behind)}, nil
			}
			r := oidcauth.Revocation{TokenID: "a", Until: time.Now().Add(-time.Hour)}
			if added, err := l.Append(t.Context(), r); added != (want == nil) || !errors.Is(err, want) {
				t.Errorf("NATS is %v behind: Append() = %v, %v, want %v", behind, added, err, want)
			}
		})
	}
}

// What is over is not stored, by the clock that is the log's; a use is.
func TestLog_Over(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		until time.Duration // from now; zero means that none is said
		want  error
	}{
		{"it never ends", 0, nil},
		{"it ends in a moment", 1, nil},
		{"it ends", -1, oidcauth.ErrNotStored},
	} {
		synctest.Test(t, func(t *testing.T) {
			now := time.Now()
			s, l := newScript(t, natsauth.Config{Now: func() time.Time { return now }})
			s.play(stores)
			r := oidcauth.Revocation{TokenID: "a"}
			switch {
			case tt.until > 0:
				r.Until = now.Add(tt.until)
			case tt.until < 0:
				r.Until = now
			}
			if added, err := l.Append(t.Context(), r); added != (tt.want == nil) || !errors.Is(err, tt.want) {
				t.Errorf("%s: Append() = %v, %v, want %v", tt.name, added, err, tt.want)
			}
			if first, err := l.FirstUse(t.Context(), useID(1), r.Until); !first || err != nil {
				t.Errorf("%s: FirstUse() = %v, %v, want true", tt.name, first, err)
			}
			s.play(isFull)
			if first, err := l.FirstUse(t.Context(), useID(2), r.Until); first || !errors.Is(err, oidcauth.ErrNotStored) {
				t.Errorf("%s: FirstUse() in a full stream = %v, %v, want %v", tt.name, first, err, oidcauth.ErrNotStored)
			}
		})
	}
}
