package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/database"
)

// closedUnauthorized is the status with which a WebSocket closes whose token is
// not good any more.
const closedUnauthorized = 3000

var viewOwn = database.Frame{View: "my_messages"}

// socketLife: a socket lives as long as its token, and another token of the same
// person prolongs it.
func (s *story) socketLife(ctx context.Context) error {
	s.title(fmt.Sprintf("A WebSocket whose token lives for %v", s.world.life))
	who, alice, err := s.signIn(ctx, briefApp)
	if err != nil {
		return err
	}
	line, err := alice.dial(ctx)
	if err != nil {
		return err
	}
	defer line.leave()
	first, err := s.expiry(ctx, alice.token)
	if err != nil {
		return err
	}
	s.play(ctx,
		step{by: alice, what: "my_messages", want: http.StatusOK, do: line.send(viewOwn), check: rows(2)},
		step{by: alice, what: "is warned", do: line.warned(first)},
		step{by: alice, what: "renews, with a token of bob's", want: http.StatusForbidden,
			do: line.send(database.Frame{Renew: s.world.bob.accessToken()})},
		step{by: alice, what: "my_messages, it goes on as alice's", want: http.StatusOK, do: line.send(viewOwn), check: rows(2)},
	)
	fresh, err := who.refreshed(ctx)
	if err != nil {
		return err
	}
	second, err := s.expiry(ctx, fresh)
	if err != nil {
		return err
	}
	s.play(ctx, step{by: alice, what: "renews, with a token of her own", want: http.StatusOK,
		do: line.send(database.Frame{Renew: fresh}), check: renewed(second)})
	if err := wait(ctx, first.Add(10*time.Millisecond)); err != nil {
		return err
	}
	s.play(ctx,
		step{by: alice, what: "my_messages, past the first expiry", want: http.StatusOK, do: line.send(viewOwn), check: rows(2)},
		s.read(alice, "the first token, by HTTP", http.StatusUnauthorized, oidcauth.ErrExpired),
		step{by: alice, what: "does not renew: the socket closes", want: closedUnauthorized,
			do: line.closed("the token has expired", second)},
	)
	return nil
}

// signOut: a logout at the provider reaches the sockets of that login at once,
// by OpenID Connect Back-Channel Logout, and no others.
func (s *story) signOut(ctx context.Context) error {
	s.title("Alice signs out at the provider, which tells the database")
	who, here, err := s.signIn(ctx, app)
	if err != nil {
		return err
	}
	elsewhere := s.caller("alice", s.world.alice.accessToken())
	line, err := here.dial(ctx)
	if err != nil {
		return err
	}
	defer line.leave()
	other, err := elsewhere.dial(ctx)
	if err != nil {
		return err
	}
	defer other.leave()
	s.play(ctx,
		step{by: here, what: "my_messages", want: http.StatusOK, do: line.send(viewOwn), check: rows(2)},
		step{by: here, what: "signs out in her browser", do: func(ctx context.Context) (outcome, error) {
			return outcome{}, who.signOut(ctx, s.world.provider)
		}},
		step{by: here, what: "the socket closes", want: closedUnauthorized,
			do: line.closed("the token was revoked", time.Time{})},
		s.read(here, "its token, by HTTP", http.StatusUnauthorized, oidcauth.ErrRevoked),
		step{by: elsewhere, what: "socket of her login elsewhere", want: http.StatusOK, do: other.send(viewOwn), check: rows(2)},
	)
	return nil
}

// signIn has Alice sign in once more, with another browser.
func (s *story) signIn(ctx context.Context, clientID string) (*person, caller, error) {
	who, err := signInPerson(ctx, s.world.provider, clientID, "alice", "correct horse")
	if err != nil {
		return nil, caller{}, err
	}
	return who, s.caller("alice", who.accessToken()), nil
}

func (s *story) expiry(ctx context.Context, token string) (time.Time, error) {
	claims, err := s.world.server.auth.Authenticate(ctx, token)
	if err != nil {
		return time.Time{}, err
	}
	return claims.Expiry(), nil
}

func wait(ctx context.Context, until time.Time) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Until(until)):
		return nil
	}
}
