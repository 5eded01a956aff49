package natsauth_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// How streams are made, and what stands where the configuration says nothing.
func TestLog_StreamConfig(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		cfg       natsauth.Config
		stream    string
		replicas  int
		most, use int64
	}{
		{"nothing is said", natsauth.Config{}, "oidcauth_revocations", 1, 0, 64 << 20},
		{"all is said", natsauth.Config{Stream: "AZaz09-_", Replicas: 3, MaxBytes: 7, MaxUseBytes: 9}, "AZaz09-_", 3, 7, 9},
	} {
		want := jetstream.StreamConfig{
			Name: tt.stream, Description: "revoked tokens", Subjects: []string{tt.stream + ".r.*"}, Replicas: tt.replicas, MaxBytes: tt.most,
			Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
			DenyDelete: true, DenyPurge: true, AllowMsgTTL: true,
		}
		wantUses := want
		wantUses.Name, wantUses.Description, wantUses.Subjects, wantUses.MaxBytes = tt.stream+"_uses", "one-time things that were used", []string{tt.stream + ".u.*"}, tt.use
		_, l := newScript(t, tt.cfg)
		revocations, uses := l.StreamConfig()
		if !reflect.DeepEqual(revocations, want) || !reflect.DeepEqual(uses, wantUses) {
			t.Errorf("%s: got %+v and %+v, want %+v and %+v", tt.name, revocations, uses, want, wantUses)
		}
	}
}

// A stream that cannot be had is tried again until the time is up, which is five seconds if
// nothing is said, unless NATS will never grant it.
func TestLog_Open(t *testing.T) {
	t.Parallel()
	const again, never = 20 * time.Millisecond, 5 * time.Second
	answer := func(code int, name string) error {
		return &jetstream.APIError{Code: code, ErrorCode: natsauth.ErrorCodes[name]}
	}
	for _, tt := range []struct {
		name    string
		look    []error // nil: it is there
		create  error   // where it is not
		stored  bool
		certain bool
		took    time.Duration
		looked  int
	}{
		{"it is there", []error{nil}, nil, true, false, 0, 1},
		{"it is not there", []error{jetstream.ErrStreamNotFound, nil}, nil, true, false, 0, 2},
		{"it is made, and not known everywhere yet", []error{jetstream.ErrStreamNotFound, jetstream.ErrStreamNotFound, nil}, nil, true, false, again, 3},
		{"it is made, and cannot be looked at yet", []error{jetstream.ErrStreamNotFound, errLost, nil}, nil, true, false, again, 3},
		{"another made it", []error{jetstream.ErrStreamNotFound, nil}, jetstream.ErrStreamNameAlreadyInUse, true, false, 0, 2},
		{"another makes it", []error{jetstream.ErrStreamNotFound, errLost, nil}, jetstream.ErrStreamNameAlreadyInUse, true, false, again, 3},
		{"it may not be made", []error{jetstream.ErrStreamNotFound}, answer(400, ""), false, true, 0, 1},
		{"it may not be looked for", []error{answer(403, "")}, nil, false, true, 0, 1},
		{"nobody is there who could tell", []error{answer(503, ""), nil}, nil, true, false, again, 2},
		{"who is asked does not lead", []error{answer(400, "not the leader"), nil}, nil, true, false, again, 2},
		{"too few are there", []error{jetstream.ErrStreamNotFound, nil}, answer(400, "no peers"), true, false, again, 2},
		{"an answer is lost", []error{errLost, nil}, nil, true, false, again, 2},
		{"no answer comes", []error{context.DeadlineExceeded, nil}, nil, true, false, never/3 + again, 2},
		{"nobody is ever there", []error{answer(503, "")}, nil, false, false, never, 14},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, l := newScript(t, natsauth.Config{})
			s.play(stores)
			look := tt.look
			s.stream = func(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
				err := look[0]
				look = look[min(1, len(look)-1):]
				if errors.Is(err, context.DeadlineExceeded) {
					<-ctx.Done()
				}
				return &jetstream.StreamInfo{Config: s.configs[name]}, err
			}
			s.create = func(cfg jetstream.StreamConfig) (*jetstream.StreamInfo, error) {
				return &jetstream.StreamInfo{Config: cfg}, tt.create
			}
			added, err := l.Append(t.Context(), revocation("a"))
			if added != tt.stored || (err == nil) != tt.stored || errors.Is(err, oidcauth.ErrNotStored) != tt.certain {
				t.Errorf("%s: Append() = %v, %v, want %v, certainty %v", tt.name, added, err, tt.stored, tt.certain)
			}
			if took := time.Since(s.begun); took != tt.took || s.looked != tt.looked {
				t.Errorf("%s: looked %d times in %v, want %d in %v", tt.name, s.looked, took, tt.looked, tt.took)
			}
		})
	}
}

// A use is not the first where one of the streams cannot be had, or will not do.
func TestLog_OpenUses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, l := newScript(t, natsauth.Config{})
		s.play(stores)
		revocations, uses := l.StreamConfig()
		for _, tt := range []struct {
			stream  string
			certain bool
			answer  func(cfg jetstream.StreamConfig) (*jetstream.StreamInfo, error)
		}{
			{revocations.Name, false, func(jetstream.StreamConfig) (*jetstream.StreamInfo, error) { return nil, errLost }},
			{uses.Name, false, func(jetstream.StreamConfig) (*jetstream.StreamInfo, error) { return nil, errLost }},
			{uses.Name, true, func(cfg jetstream.StreamConfig) (*jetstream.StreamInfo, error) {
				cfg.MaxAge = time.Hour
				return &jetstream.StreamInfo{Config: cfg}, nil
			}},
		} {
			s.stream = func(_ context.Context, name string) (*jetstream.StreamInfo, error) {
				if name == tt.stream {
					return tt.answer(s.configs[name])
				}
				return &jetstream.StreamInfo{Config: s.configs[name]}, nil
			}
			if first, err := l.FirstUse(t.Context(), useID(1), time.Now().Add(time.Hour)); first || err == nil || errors.Is(err, oidcauth.ErrNotStored) != tt.certain {
				t.Errorf("without %s: FirstUse() = %v, %v, want an error, certainty %v", tt.stream, first, err, tt.certain)
			}
		}
		if len(s.published) > 0 {
			t.Errorf("published %d times", len(s.published))
		}
		s.stream = nil
		if first, err := l.FirstUse(t.Context(), useID(1), time.Now().Add(time.Hour)); !first || err != nil {
			t.Errorf("FirstUse() = %v, %v, want true", first, err)
		}
	})
}

// One replica is warned of, and more are not.
func TestLog_Replicas(t *testing.T) {
	t.Parallel()
	for replicas, want := range map[int]int{1: 1, 2: 0, 3: 0} {
		var lines lockedBuffer
		s, l := newScript(t, natsauth.Config{Replicas: replicas, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
		for _, e := range []exchange{stores, isFull, stores} { // it is looked for again
			s.play(e)
			l.Append(t.Context(), revocation("a"))
		}
		if got := strings.Count(lines.String(), "has one replica"); got != want {
			t.Errorf("%d replicas: %d lines on it, want %d", replicas, got, want)
		}
	}
}

// Only what nobody answered in its time is said to be slow.
func TestSlow(t *testing.T) {
	t.Parallel()
	request, cancel := context.WithTimeoutCause(t.Context(), 0, natsauth.ErrSlow)
	defer cancel()
	other, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for _, tt := range []struct {
		name      string
		ctx       context.Context
		err, want error
	}{
		{"no answer", request, context.DeadlineExceeded, natsauth.ErrSlow},
		{"no answer before the end of all", other, context.DeadlineExceeded, context.DeadlineExceeded},
		{"an error", request, errLost, errLost},
		{"an answer", request, nil, nil},
	} {
		if err := natsauth.Slow(tt.ctx, tt.err); err != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// Where no stream takes a message, that is known after one publication.
func TestLog_PublishOnce(t *testing.T) {
	t.Parallel()
	js := startNATS(t).connect()
	flush(t, js.Conn())
	l, err := natsauth.New(natsauth.Config{JetStream: js, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	before := js.Conn().Stats().OutMsgs
	if err := l.Publish(t.Context(), "nobodys.r.a"); !errors.Is(err, jetstream.ErrNoStreamResponse) {
		t.Errorf("publish() error = %v, want %v", err, jetstream.ErrNoStreamResponse)
	}
	if got := js.Conn().Stats().OutMsgs - before; got != 1 {
		t.Errorf("published %d times, want 1", got)
	}
}
