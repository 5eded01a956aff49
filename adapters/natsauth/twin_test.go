package natsauth_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
	"github.com/oidcauth/oidcauth/internal/ports"
	"github.com/oidcauth/oidcauth/internal/said"
)

// startLeaf returns a NATS server and a leaf node of it, each with a JetStream of its own
// domain. The leaf node has these users, if there are any.
func startLeaf(t *testing.T, users ...*server.User) (hub, leaf *natsServer) {
	t.Helper()
	port := ports.ReserveFor(t)
	hub, leaf = newNATS(t), newNATS(t)
	hub.options.JetStreamDomain, leaf.options.JetStreamDomain = "hub", "leaf"
	hub.options.LeafNode.Host, hub.options.LeafNode.Port = "127.0.0.1", port.Number
	leaf.options.LeafNode.ReconnectInterval = 20 * time.Millisecond
	leaf.options.LeafNode.Remotes = []*server.RemoteLeafOpts{
		{URLs: []*url.URL{{Scheme: "nats-leaf", Host: port.Address()}}},
	}
	leaf.options.Users = users
	hub.start()
	leaf.start()
	for limit := time.Now().Add(patience); leaf.running.NumLeafNodes() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the leaf node does not reach the other server")
		}
	}
	return hub, leaf
}

// newLogBehind makes a log at a leaf node whose streams are in the domain "hub".
func newLogBehind(t *testing.T, leaf *natsServer, cfg natsauth.Config, options ...nats.Option) *natsauth.Log {
	t.Helper()
	js, err := jetstream.NewWithDomain(leaf.connect(options...).Conn(), "hub")
	if err != nil {
		t.Fatal(err)
	}
	cfg.JetStream, cfg.Timeout = js, patience/4
	l, err := natsauth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A leaf node's own stream that takes the same subjects answers first. That it took or
// refused a message is no word of the stream that is followed.
func TestLog_Twin(t *testing.T) {
	t.Parallel()
	for name, twin := range map[string]func(t *testing.T, leaf *natsServer){
		"none": func(*testing.T, *natsServer) {},
		"of the same name, with what is used already": func(t *testing.T, leaf *natsServer) {
			l := newLog(t, leaf, natsauth.Config{})
			appendTokens(t, l, "token-1")
			firstUse(t, l, useID(1), true)
		},
		"of another name": func(t *testing.T, leaf *natsServer) {
			cfg := jetstream.StreamConfig{Name: "audit", Subjects: []string{"oidcauth_revocations.>"}}
			if _, err := leaf.connect().CreateStream(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub, leaf := startLeaf(t)
			twin(t, leaf)
			var lines lockedBuffer
			l := newLogBehind(t, leaf, natsauth.Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
			appendTokens(t, l, "token-1", "token-2")
			revocations := openStream(t, hub, "oidcauth_revocations")
			if n := messages(t, revocations); n != 2 {
				t.Errorf("%d of 2 acknowledged revocations are stored", n)
			}
			firstUse(t, l, useID(1), true)
			firstUse(t, l, useID(1), false)
			if told := strings.Contains(lines.String(), "another stream takes the same subjects"); told && name == "none" {
				t.Errorf("told of another stream:\n%s", lines.String())
			}
			checkOutOfReach(t, l, hub)
		})
	}
}

// At a leaf node the permissions that the package comment names have the domain in them.
func TestLog_PermissionsOfDomain(t *testing.T) {
	t.Parallel()
	password := said.NewSecret("password")
	publish := &server.SubjectPermission{}
	for _, subject := range allowed.Publish.Allow {
		publish.Allow = append(publish.Allow, strings.Replace(subject, "$JS.API.", "$JS.hub.API.", 1))
	}
	_, leaf := startLeaf(t, &server.User{
		Username: "server", Password: password, Permissions: &server.Permissions{Publish: publish, Subscribe: allowed.Subscribe},
	})
	refused := make(chan error, 64)
	l := newLogBehind(t, leaf, natsauth.Config{}, nats.UserInfo("server", password),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	r := follow(t, l)
	appendTokens(t, l, "token-1")
	r.awaitTokens("token-1")
	r.awaitCurrent(true)
	firstUse(t, l, useID(1), true)
	firstUse(t, l, useID(1), false)
	select {
	case err := <-refused:
		t.Errorf("NATS refused: %v", err)
	default:
	}
}

// checkOutOfReach expects that nothing is acknowledged while the server is down.
func checkOutOfReach(t *testing.T, l *natsauth.Log, hub *natsServer) {
	t.Helper()
	hub.stop()
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if added, err := l.Append(short, revocation("token-3")); added || err == nil || errors.Is(err, oidcauth.ErrNotStored) {
		t.Errorf("Append() to a stream that is down = %v, %v, want that it is not known", added, err)
	}
	short, cancel = context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if first, err := l.FirstUse(short, useID(2), time.Now().Add(time.Minute)); first || err == nil {
		t.Errorf("FirstUse() with a stream that is down = %v, %v, want an error", first, err)
	}
	hub.start()
	for limit := time.Now().Add(patience); ; {
		_, err := l.Append(t.Context(), revocation("token-3"))
		if err == nil {
			break
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
	if n := messages(t, openStream(t, hub, "oidcauth_revocations")); n != 3 {
		t.Errorf("%d of 3 acknowledged revocations are stored", n)
	}
}

// Who runs the servers is told of such a stream once, for each of ours.
func TestLog_TwinTold(t *testing.T) {
	t.Parallel()
	var lines lockedBuffer
	s, l := newScript(t, natsauth.Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	s.play(elsewhere(finds), named(finds))
	for range 2 {
		if added, err := l.Append(t.Context(), revocation("a")); !added || err != nil {
			t.Errorf("Append() = %v, %v, want true", added, err)
		}
	}
	wantTold := func(want int) {
		t.Helper()
		if got := strings.Count(lines.String(), "another stream takes the same subjects"); got != want {
			t.Errorf("%d lines, want %d:\n%s", got, want, lines.String())
		}
	}
	wantTold(1)
	if first, err := l.FirstUse(t.Context(), useID(1), time.Now().Add(time.Hour)); !first || err != nil {
		t.Errorf("FirstUse() = %v, %v, want true", first, err)
	}
	wantTold(2)
}

// A domain that has got a name since it was looked for is ours all the same.
func TestLog_DomainNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		domain  string // that ours is found to have when it is looked for again
		failure error  // that it is not found by
		added   bool
	}{
		{"leaf", nil, true}, {"hub", nil, false}, {"", nil, false}, {"leaf", errLost, false},
	} {
		var lines lockedBuffer
		synctest.Test(t, func(t *testing.T) {
			s, l := newScript(t, natsauth.Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
			s.play(elsewhere(cannotShow(jetstream.ErrMsgNotFound)))
			s.stream = func(_ context.Context, name string) (*jetstream.StreamInfo, error) {
				info := &jetstream.StreamInfo{Config: s.configs[name]}
				if s.looked == 1 {
					return info, nil
				}
				info.Domain = tt.domain
				return info, tt.failure
			}
			added, err := l.Append(t.Context(), revocation("a"))
			if added != tt.added || (err == nil) != tt.added || errors.Is(err, oidcauth.ErrNotStored) {
				t.Errorf("domain %q, %v: Append() = %v, %v, want %v", tt.domain, tt.failure, added, err, tt.added)
			}
			if told := strings.Contains(lines.String(), "another stream"); told != (tt.domain != "leaf") {
				t.Errorf("domain %q: told of another stream: %v", tt.domain, told)
			}
		})
	}
}

// The sequence of what a domain took that has got a name is the one that a use is judged by.
func TestLog_DomainNamed_FirstUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, l := newScript(t, natsauth.Config{})
		s.play(elsewhere(stores))
		s.stream = func(_ context.Context, name string) (*jetstream.StreamInfo, error) {
			info := &jetstream.StreamInfo{Config: s.configs[name]}
			if s.looked > 2 { // for both streams
				info.Domain = "leaf"
			}
			return info, nil
		}
		if first, err := l.FirstUse(t.Context(), useID(1), time.Now().Add(time.Minute)); !first || err != nil {
			t.Errorf("FirstUse() = %v, %v, want true", first, err)
		}
	})
}

// What a twin took ours may have, while that cannot be looked for: an error that comes after
// that does not say that it is not stored.
func TestLog_Twin_ThenFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, l := newScript(t, natsauth.Config{})
		s.play(elsewhere(stores), isFull)
		s.stream = func(_ context.Context, name string) (*jetstream.StreamInfo, error) {
			if s.looked == 2 {
				return nil, errLost
			}
			return &jetstream.StreamInfo{Config: s.configs[name]}, nil
		}
		if added, err := l.Append(t.Context(), revocation("a")); added || err == nil || errors.Is(err, oidcauth.ErrNotStored) {
			t.Errorf("Append() = %v, %v, want that it is not known", added, err)
		}
	})
}
