package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/oidcauth/oidcauth/identity"
)

var errWrong = errors.New("the story went wrong")

// story prints what happens and counts what should not have.
type story struct {
	out   io.Writer
	world *world
	steps int
	wrong int
}

// step is one attempt of one caller.
type step struct {
	by   caller
	what string
	do   func(context.Context) (outcome, error)
	// want is the status that is right: of HTTP, or with which a socket closes.
	// Zero is right where there is none.
	want int
	// because is why the authenticator refuses the caller's token; nil if the
	// token is good.
	because error
	// check looks at the result and words a note about it; nil means no note.
	check func(json.RawMessage) (note string, err error)
}

// preface says what will be seen, and what its words mean.
const preface = `What you will see: callers try things at a database server, one a line, and the server
says yes or no. A line has whether it came out as it should, who tries what, the status
that they get, and what is told them or seen.

  identity    "c200…", who a caller is to the database: made of issuer and subject alone,
              so the same at each sign-in, and never another's
  status      200 done, 401 who are you?, 403 you may not; of a WebSocket that the server
              ends it is the close code: 3000 means that the token is good no longer

`

// epilogue says where to go from here.
const epilogue = `
To try it yourself:      go run ./examples/quickstart -serve
To build such a server:  docs/guide.md
`

// tellStory runs the story against a world of its own.
func tellStory(ctx context.Context, opts options, out io.Writer) (err error) {
	w, err := startWorld(ctx, opts, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()

	s := &story{out: out, world: w}
	fmt.Fprint(out, preface)
	fmt.Fprintf(out, "provider  %s  issues the tokens\n", w.provider.Issuer())
	fmt.Fprintf(out, "partner   %s  another provider; the server trusts it, this database does not admit it\n", w.partner.Issuer())
	fmt.Fprintf(out, "database  %s  accepts tokens for %q\n", w.server.url, audience)
	for _, chapter := range []func(context.Context) error{
		s.people, s.services, s.anonymous, s.closedFunctions,
		s.forgedTokens, s.foreignTokens, s.socketLife, s.signOut, s.providerLife, s.ending,
	} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	if s.wrong > 0 {
		return fmt.Errorf("%w: %d of %d steps", errWrong, s.wrong, s.steps)
	}
	fmt.Fprintf(out, "\nAll %d steps came out as they should.\n", s.steps)
	fmt.Fprint(out, epilogue)
	return nil
}

func (s *story) title(text string) { fmt.Fprintf(s.out, "\n%s\n", text) }

func (s *story) caller(name, token string) caller {
	return caller{name: name, base: s.world.server.url, token: token}
}

// play runs the steps in their order and prints a line for each.
func (s *story) play(ctx context.Context, steps ...step) {
	for _, st := range steps {
		got, err := st.do(ctx)
		note, err := s.judge(ctx, st, got, err)
		s.line(err == nil, st.by.name, st.what, got.status, note)
		if err != nil {
			fmt.Fprintf(s.out, "         %v\n", err)
		}
	}
}

// judge compares what a step came to with what is right.
func (s *story) judge(ctx context.Context, st step, got outcome, err error) (note string, _ error) {
	if err != nil {
		return "", fmt.Errorf("got no answer, want status %d: %w", st.want, err)
	}
	if got.status != st.want {
		return got.description, fmt.Errorf("got status %d, want %d", got.status, st.want)
	}
	if st.because != nil {
		if _, reason := s.world.server.auth.Authenticate(ctx, st.by.token); !errors.Is(reason, st.because) {
			return got.description, fmt.Errorf("refused for another reason: got %v, want %v", reason, st.because)
		}
		return fmt.Sprintf("%s (to the operator: %v)", got.description, st.because), nil
	}
	if st.check != nil {
		return st.check(got.result)
	}
	return got.description, nil
}

func (s *story) line(ok bool, who, what string, status int, note string) {
	s.steps++
	mark := "ok"
	if !ok {
		mark = "WRONG"
		s.wrong++
	}
	code := ""
	if status != 0 {
		code = fmt.Sprint(status)
	}
	fmt.Fprintf(s.out, "  %-5s  %-10s  %-36s  %-4s  %s\n", mark, who, what, code, note)
}

// introduce says which identity the database sees behind a token. It is a
// function of issuer and subject alone, the same at every sign-in.
func (s *story) introduce(ctx context.Context, by caller, how, subject string) {
	claims, err := s.world.server.auth.Authenticate(ctx, by.token)
	if err != nil {
		s.line(false, by.name, how, 0, err.Error())
		return
	}
	want := identity.New(s.world.provider.Issuer(), subject)
	s.line(claims.Identity() == want, by.name, how, 0, "is "+short(claims.Identity()))
}
