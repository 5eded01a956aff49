package natsauth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// A clock that is not that of NATS neither keeps a revocation out of the stream
// nor shortens its stay there.
func TestLog_Clock(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	until := time.Now().Add(time.Hour)
	ahead := newLog(t, n, natsauth.Config{Stream: "ahead", Now: func() time.Time { return until }})
	ahead.SetLateness(0)
	if first, err := ahead.FirstUse(t.Context(), useID(1), until); !first || err != nil {
		t.Fatalf("FirstUse() = %v, %v, want true", first, err)
	}
	wantStay(t, n, "ahead_uses", time.Hour-time.Minute)
	for i, tt := range []struct {
		name  string
		ahead time.Duration // of the server's clock
		until time.Duration // from the real now
		least time.Duration // how long the entry stays
		want  error
	}{
		{"right", 0, time.Hour, time.Hour, nil},
		{"two hours ahead", 2 * time.Hour, 3 * time.Hour, 3 * time.Hour, nil},
		{"two hours ahead of an end in one", 2 * time.Hour, time.Hour, time.Hour, nil},
		{"two hours behind", -2 * time.Hour, time.Hour, time.Hour, nil},
		{"two hours behind, of an end that is past elsewhere", -2 * time.Hour, -time.Hour, time.Minute, nil},
		{"right, and over", 0, -time.Second, 0, oidcauth.ErrNotStored},
		{"two hours behind, and over there too", -2 * time.Hour, -3 * time.Hour, 0, oidcauth.ErrNotStored},
	} {
		cfg := natsauth.Config{Stream: fmt.Sprintf("revoked-%d", i), Now: func() time.Time { return time.Now().Add(tt.ahead) }}
		l := newLog(t, n, cfg)
		r := oidcauth.Revocation{TokenID: "token-1", Until: time.Now().Add(tt.until)}
		added, err := l.Append(t.Context(), r)
		if added != (tt.want == nil) || !errors.Is(err, tt.want) {
			t.Errorf("%s: Append() = %v, %v, want error %v", tt.name, added, err, tt.want)
		}
		if tt.want != nil {
			continue
		}
		wantStay(t, n, cfg.Stream, tt.least)
	}
}

// wantStay expects that the first message of a stream stays so long at least.
func wantStay(t *testing.T, n *natsServer, stream string, least time.Duration) {
	t.Helper()
	m, err := openStream(t, n, stream).GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if stays, err := time.ParseDuration(m.Header.Get(jetstream.MsgTTLHeader)); err != nil || stays < least {
		t.Errorf("stream %q: the entry stays %v, %v, want at least %v", stream, stays, err, least)
	}
}

// A program whose clock is behind that of the machine says so to the log; where it
// does not, it is told that nothing is stored.
func TestLog_ClockOfTheProgram(t *testing.T) {
	t.Parallel()
	n, issuer := startNATS(t), newIssuer(t)
	behind := func() time.Time { return time.Now().Add(-24 * time.Hour) }
	for _, tt := range []struct {
		name string
		now  func() time.Time
		want error
	}{
		{"the log has the program's clock", behind, nil},
		{"the log has another", nil, oidcauth.ErrRevocationsUnavailable},
	} {
		auth, err := oidcauth.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{audience}}}, Client: issuer.Client(), Now: behind,
			Revocations: newLog(t, n, natsauth.Config{Now: tt.now}),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		if err := auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "mallory", Until: behind().Add(time.Hour)}); !errors.Is(err, tt.want) {
			t.Errorf("%s: Revoke() error = %v, want %v", tt.name, err, tt.want)
		}
	}
	if got := messages(t, openStream(t, n, "oidcauth_revocations")); got != 1 {
		t.Errorf("the stream has %d revocations, want 1", got)
	}
}

// An equal entry that leaves before the revocation ends, stored by who had a wrong
// clock, is no reason to say that it is shared. When it has left, it can be.
func TestLog_EndsEarly(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{Timeout: 3 * time.Second})
	appendTokens(t, l, "before")
	key, value, err := natsauth.Encode(revocation("token-1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.connect().Publish(t.Context(), "oidcauth_revocations.r."+key, value, jetstream.WithMsgTTL(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if added, err := l.Append(ctx, revocation("token-1")); added || err == nil || errors.Is(err, oidcauth.ErrNotStored) {
		t.Errorf("Append() of what leaves too early = %v, %v, want an error", added, err)
	}
	for limit := time.Now().Add(patience); ; {
		added, err := l.Append(t.Context(), revocation("token-1"))
		if added {
			break
		}
		if err == nil || time.Now().After(limit) {
			t.Fatalf("Append() = %v, %v, want true in the end", added, err)
		}
	}
	follow(t, newLog(t, n, natsauth.Config{})).awaitTokens("before", "token-1")
}

// A thing that a server whose clock is behind takes for one that can be used still may have
// been used, and its use have left the stream, by the clock of NATS.
func TestLog_UseForgotten(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		ahead time.Duration // the clock of NATS, of the end of a use in a minute
		known bool          // what that says of the time
		first bool
	}{
		{"NATS says nothing of the time", time.Hour, false, true},
		{"it has not ended", -1, true, true},
		{"it has just ended", 0, true, true},
		{"its use may still be there", time.Minute - 1, true, true},
		{"its use may have left", time.Minute, true, false},
		{"its use has left", time.Hour, true, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, l := newScript(t, natsauth.Config{})
			s.play(stores)
			until := time.Now().Add(time.Minute)
			s.stream = func(_ context.Context, name string) (*jetstream.StreamInfo, error) {
				info := &jetstream.StreamInfo{Config: s.configs[name]}
				if tt.known {
					info.TimeStamp = until.Add(tt.ahead)
				}
				return info, nil
			}
			first, err := l.FirstUse(t.Context(), useID(1), until)
			if first != tt.first || (err == nil) != tt.first {
				t.Errorf("%s: FirstUse() = %v, %v, want %v", tt.name, first, err, tt.first)
			}
			if err != nil && (errors.Is(err, oidcauth.ErrNotStored) || !strings.Contains(err.Error(), "set the clocks")) {
				t.Errorf("%s: FirstUse() error = %v, want what to do", tt.name, err)
			}
			if first, err := l.FirstUse(t.Context(), useID(2), time.Time{}); !first || err != nil {
				t.Errorf("%s: FirstUse() of what never ends = %v, %v, want true", tt.name, first, err)
			}
		})
	}
}
