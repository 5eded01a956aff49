package main

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/database"
	"github.com/oidcauth/oidcauth/examples/internal/provider"
)

const hello = `{"text":"hello"}`

// people: Alice writes and reads her own rows, by HTTP and by WebSocket.
func (s *story) people(ctx context.Context) error {
	s.title("A person signs in with a browser: authorization code with PKCE")
	who, err := signInPerson(ctx, s.world.provider, app, "alice", "correct horse")
	if err != nil {
		return err
	}
	s.world.alice = who
	alice := s.caller("alice", who.accessToken())
	s.introduce(ctx, alice, "signs in", who.tokens.Subject)

	withIDToken := s.caller("alice", who.tokens.IDToken)
	s.play(ctx,
		step{by: alice, what: "send_message", want: http.StatusOK,
			do:    func(ctx context.Context) (outcome, error) { return alice.call(ctx, "send_message", hello) },
			check: owned(s.world.provider.Issuer(), "alice")},
		step{by: withIDToken, what: "my_messages, with her ID token", want: http.StatusOK,
			do:    func(ctx context.Context) (outcome, error) { return withIDToken.view(ctx, "my_messages") },
			check: rows(1)},
		step{by: alice, what: "export_messages, a procedure", want: http.StatusOK,
			do:    func(ctx context.Context) (outcome, error) { return alice.run(ctx, "export_messages") },
			check: exported(1)},
		step{by: alice, what: "delete_all, for admins", want: http.StatusForbidden,
			do: func(ctx context.Context) (outcome, error) { return alice.call(ctx, "delete_all", "") }},
	)
	return s.socket(ctx, alice)
}

// socket: the same caller and the same functions over a WebSocket.
func (s *story) socket(ctx context.Context, by caller) error {
	s.title("The same person over a WebSocket, the token in the subprotocol as a browser must")
	line, err := by.dial(ctx)
	if err != nil {
		return err
	}
	defer line.leave()
	s.play(ctx,
		step{by: by, what: "send_message", want: http.StatusOK,
			do:    line.send(database.Frame{Call: "send_message", Args: json.RawMessage(hello)}),
			check: owned(s.world.provider.Issuer(), "alice")},
		step{by: by, what: "my_messages", want: http.StatusOK,
			do: line.send(database.Frame{View: "my_messages"}), check: rows(2)},
		step{by: by, what: "delete_all", want: http.StatusForbidden,
			do: line.send(database.Frame{Call: "delete_all"})},
	)
	return nil
}

// services: programs have identities and roles of their own.
func (s *story) services(ctx context.Context) error {
	s.title("Services: client credentials")
	tokens := make(map[string]string)
	for _, name := range []string{"reporter", "importer"} {
		token, err := serviceToken(ctx, s.world.provider, name)
		if err != nil {
			return err
		}
		tokens[name] = token
		s.introduce(ctx, s.caller(name, token), "gets a token", name)
	}
	reporter, importer := s.caller("reporter", tokens["reporter"]), s.caller("importer", tokens["importer"])
	s.play(ctx,
		step{by: reporter, what: "my_messages", want: http.StatusOK, check: rows(0),
			do: func(ctx context.Context) (outcome, error) { return reporter.view(ctx, "my_messages") }},
		step{by: reporter, what: "send_message, for writers", want: http.StatusForbidden,
			do: func(ctx context.Context) (outcome, error) { return reporter.call(ctx, "send_message", hello) }},
		step{by: importer, what: "send_message", want: http.StatusOK,
			do:    func(ctx context.Context) (outcome, error) { return importer.call(ctx, "send_message", hello) },
			check: owned(s.world.provider.Issuer(), "importer")},
	)
	return nil
}

// anonymous: what is public, and nothing else.
func (s *story) anonymous(ctx context.Context) error {
	s.title("Callers without a token")
	nobody := s.caller("nobody", "")
	s.play(ctx,
		step{by: nobody, what: "board, a public view", want: http.StatusOK,
			do:    func(ctx context.Context) (outcome, error) { return nobody.board(ctx, 3) },
			check: counted(3)},
		step{by: nobody, what: "my_messages", want: http.StatusUnauthorized,
			do: func(ctx context.Context) (outcome, error) { return nobody.view(ctx, "my_messages") }},
		step{by: nobody, what: "send_message", want: http.StatusUnauthorized,
			do: func(ctx context.Context) (outcome, error) { return nobody.call(ctx, "send_message", hello) }},
	)
	return nil
}

// board reads the public view until the scheduled reducer has counted as many
// messages as wanted, for as long as the story waits for a frame.
func (c caller) board(ctx context.Context, want int) (got outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, socketLimit)
	defer cancel()
	for {
		got, err = c.view(ctx, "board")
		if err != nil || got.status != http.StatusOK {
			return got, err
		}
		if _, wrong := counted(want)(got.result); wrong == nil {
			return got, nil
		}
		select {
		case <-ctx.Done():
			return got, nil
		case <-time.After(countInterval / 2):
		}
	}
}

// closedFunctions: no role opens what has no rule.
func (s *story) closedFunctions(ctx context.Context) error {
	s.title("An admin at functions that say nothing of who may call them")
	who, err := signInPerson(ctx, s.world.provider, app, "bob", "battery staple")
	if err != nil {
		return err
	}
	s.world.bob = who
	bob := s.caller("bob", who.accessToken())
	s.introduce(ctx, bob, "signs in", who.tokens.Subject)
	s.play(ctx,
		step{by: bob, what: "count_messages, for the scheduler", want: http.StatusForbidden,
			do: func(ctx context.Context) (outcome, error) { return bob.call(ctx, "count_messages", "") }},
		step{by: bob, what: "forgotten, its author forgot", want: http.StatusForbidden,
			do: func(ctx context.Context) (outcome, error) { return bob.call(ctx, "forgotten", "") }},
	)
	return nil
}

// read is a step that shows whether a token is accepted at all.
func (s *story) read(by caller, what string, want int, because error) step {
	return step{by: by, what: what, want: want, because: because,
		do: func(ctx context.Context) (outcome, error) { return by.view(ctx, "my_messages") }}
}

// forgedTokens: nothing that was tampered with passes.
func (s *story) forgedTokens(ctx context.Context) error {
	s.title("Forged tokens")
	good := s.world.alice.accessToken()
	flipped, err := flipped(good)
	if err != nil {
		return err
	}
	resigned, err := resigned(good)
	if err != nil {
		return err
	}
	s.play(ctx,
		s.read(s.caller("forger", flipped), "one bit of the signature flipped", http.StatusUnauthorized, oidcauth.ErrSignature),
		s.read(s.caller("forger", resigned), "signed with a key of their own", http.StatusUnauthorized, oidcauth.ErrSignature),
	)
	return nil
}

// foreignTokens: good tokens, for somebody else or of somebody else.
func (s *story) foreignTokens(ctx context.Context) error {
	s.title("Good tokens that are not for this database")
	w := s.world
	for _, from := range []struct {
		name     string
		source   *provider.Provider
		clientID string
		what     string
		want     int
		because  error
	}{
		{"accountant", w.provider, "accountant", `audience "billing"`, http.StatusUnauthorized, oidcauth.ErrAudience},
		{"archivist", w.provider, "archivist", `audience "reports": another database`, http.StatusForbidden, nil},
		{"stranger", w.stranger, "importer", "issuer that nobody trusts", http.StatusUnauthorized, oidcauth.ErrUnknownIssuer},
		{"partner", w.partner, "importer", "issuer this database does not admit", http.StatusForbidden, nil},
	} {
		token, err := serviceToken(ctx, from.source, from.clientID)
		if err != nil {
			return err
		}
		s.play(ctx, s.read(s.caller(from.name, token), from.what, from.want, from.because))
	}
	return nil
}

// providerLife: rotation, refresh and an outage trouble nobody.
func (s *story) providerLife(ctx context.Context) error {
	s.title("The provider changes its signing key, and then fails")
	before := s.caller("alice", s.world.alice.accessToken())
	if _, err := s.world.provider.Rotate(); err != nil {
		return err
	}
	token, err := s.world.alice.refreshed(ctx)
	if err != nil {
		return err
	}
	after := s.caller("alice", token)
	s.play(ctx,
		s.read(after, "refreshed token, new key", http.StatusOK, nil),
		s.read(before, "earlier token, earlier key", http.StatusOK, nil),
	)
	s.world.provider.Stop()
	s.play(ctx, s.read(after, "provider down", http.StatusOK, nil))
	return s.world.provider.Resume()
}

// ending: an admin may do what the others were refused.
func (s *story) ending(ctx context.Context) error {
	s.title("The admin clears the table")
	bob := s.caller("bob", s.world.bob.accessToken())
	alice := s.caller("alice", s.world.alice.accessToken())
	s.play(ctx,
		step{by: bob, what: "delete_all", want: http.StatusOK, check: deleted(3),
			do: func(ctx context.Context) (outcome, error) { return bob.call(ctx, "delete_all", "") }},
		step{by: alice, what: "my_messages", want: http.StatusOK, check: rows(0),
			do: func(ctx context.Context) (outcome, error) { return alice.view(ctx, "my_messages") }},
	)
	return nil
}
