package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/realtime"
)

const (
	maxName     = 40
	maxText     = 500
	maxReason   = 120
	keptRows    = 1000 // messages, before the oldest are removed
	removedFor  = time.Minute
	pruneEvery  = time.Minute
	roleMod     = "moderator"
	roleOperate = "operator"
)

// A Person is somebody who has been here, by identity.
type Person struct {
	Identity  oidcauth.Identity `json:"identity"`
	Name      string            `json:"name"`
	Online    int               `json:"online"` // connections
	Moderator bool              `json:"moderator,omitempty"`
	Removed   *Removal          `json:"removed,omitempty"` // the last one
}

// A Removal says why somebody was sent away, and until when.
type Removal struct {
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}

// A Message belongs to its author.
type Message struct {
	ID     string            `json:"id"`
	Author oidcauth.Identity `json:"author"`
	Text   string            `json:"text"`
	At     time.Time         `json:"at"`
	Edited bool              `json:"edited,omitempty"`
}

// A Connection is a socket that is open. An Account is where an identity comes from.
// Nobody may watch either.
type (
	Connection struct {
		ID    string            `json:"id"`
		Owner oidcauth.Identity `json:"owner"`
	}
	Account struct {
		Identity oidcauth.Identity `json:"identity"`
		Issuer   string            `json:"issuer"`
		Subject  string            `json:"subject"`
	}
)

var (
	people      = realtime.NewTable("people", func(p Person) string { return p.Identity.String() }, anyCaller)
	messages    = realtime.NewTable("messages", func(m Message) string { return m.ID }, anyCaller)
	connections = realtime.NewTable("connections", func(c Connection) string { return c.ID }, nil)
	accounts    = realtime.NewTable("accounts", func(a Account) string { return a.Identity.String() }, nil)
)

// anyCaller is satisfied by every caller with a token.
func anyCaller(*oidcauth.Claims) error { return nil }

// newModule returns the chat. A moderator's procedure withdraws tokens with revoke.
func newModule(revoke func(*realtime.ProcedureContext, Account) error) realtime.Module {
	reducer := func(run func(*realtime.ReducerContext, arguments) (any, error)) realtime.Reducer {
		return realtime.Reducer{Allow: anyCaller, Run: func(ctx *realtime.ReducerContext, args json.RawMessage) (any, error) {
			a, err := decodeArguments(args)
			if err != nil {
				return nil, err
			}
			return run(ctx, a)
		}}
	}
	return realtime.Module{
		Tables: []realtime.TableInfo{people, messages, connections, accounts},
		Reducers: map[string]realtime.Reducer{
			"set_name": reducer(setName),
			"send":     reducer(send),
			"edit":     reducer(edit),
			"delete":   reducer(remove),
			"promote":  reducer(promote),
			"ban":      reducer(ban),

			// For the database alone: they say nothing of who may call them.
			"start": {Run: start},
			"prune": {Run: prune},
		},
		Views: map[string]realtime.View{
			"me": {Allow: anyCaller, Read: func(ctx *realtime.ViewContext, _ json.RawMessage) (any, error) {
				person, _, err := people.Get(ctx, ctx.Sender().String())
				return person, err
			}},
		},
		Procedures: map[string]realtime.Procedure{
			"kick": {Allow: anyCaller, Run: func(ctx *realtime.ProcedureContext, args json.RawMessage) (any, error) {
				return kick(ctx, args, revoke)
			}},
		},
		OnConnect:    connect,
		OnDisconnect: disconnect,
		Schedule:     map[string]time.Duration{"prune": pruneEvery},
	}
}

// arguments are those of all functions; each takes what it needs.
type arguments struct {
	ID       string `json:"id"`
	Identity string `json:"identity"`
	Name     string `json:"name"`
	Text     string `json:"text"`
	Reason   string `json:"reason"`
}

func decodeArguments(args json.RawMessage) (a arguments, err error) {
	decoder := json.NewDecoder(bytes.NewReader(args))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&a); err != nil {
		return a, fmt.Errorf("%w: %w", realtime.ErrArguments, err)
	}
	return a, nil
}

// text checks what somebody wrote.
func text(what, s string, most int) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" || utf8.RuneCountInString(s) > most {
		return "", fmt.Errorf("%w: %s: got %d characters, want 1 to %d", realtime.ErrArguments, what, utf8.RuneCountInString(s), most)
	}
	return s, nil
}

// sender returns the caller's row.
func sender(ctx *realtime.ReducerContext) (Person, error) {
	return person(ctx, ctx.Sender().String())
}

func person(r realtime.Reader, identity string) (Person, error) {
	p, found, err := people.Get(r, identity)
	if err == nil && !found {
		err = fmt.Errorf("%w: nobody with this identity has been here", realtime.ErrArguments)
	}
	return p, err
}

// moderates reports an error unless the caller is a moderator: by the issuer's word,
// or because a moderator has made them one.
func moderates(ctx *realtime.ReducerContext) error {
	p, err := sender(ctx)
	if err != nil || p.Moderator || ctx.Claims().HasRole(roleMod) {
		return err
	}
	return fmt.Errorf("%w: for moderators", oidcauth.ErrForbidden)
}

// connect refuses who was sent away, and lets the others in.
func connect(ctx *realtime.ReducerContext) error {
	claims := ctx.Claims()
	if claims == nil {
		return oidcauth.ErrNoToken
	}
	p, known, err := people.Get(ctx, ctx.Sender().String())
	if err != nil {
		return err
	}
	if p.Removed != nil && ctx.Time().Before(p.Removed.Until) {
		return fmt.Errorf("%w: removed until %s: %s", oidcauth.ErrForbidden, p.Removed.Until.Format(time.TimeOnly), p.Removed.Reason)
	}
	if !known {
		p = Person{Identity: claims.Identity(), Name: firstName(claims)}
		account := Account{claims.Identity(), claims.Issuer(), claims.Subject()}
		if err := accounts.Put(ctx, account); err != nil {
			return err
		}
	}
	p.Online++
	if err := connections.Put(ctx, Connection{ctx.Connection(), p.Identity}); err != nil {
		return err
	}
	return people.Put(ctx, p)
}

// firstName is what somebody is called until they choose. It is no identity: anybody
// may be called anything.
func firstName(c *oidcauth.Claims) string {
	for _, claim := range []string{"preferred_username", "name", "nickname"} {
		if name, ok := c.LookupString(claim); ok {
			if name, err := text(claim, name, maxName); err == nil {
				return name
			}
		}
	}
	return "guest " + c.Identity().String()[:6]
}

func disconnect(ctx *realtime.ReducerContext) error {
	connection, found, err := connections.Get(ctx, ctx.Connection())
	if err != nil || !found {
		return err
	}
	p, err := person(ctx, connection.Owner.String())
	if err != nil {
		return err
	}
	p.Online = max(p.Online-1, 0)
	if err := connections.Delete(ctx, connection.ID); err != nil {
		return err
	}
	return people.Put(ctx, p)
}

// start takes back the connections of a server that ended without saying so.
func start(ctx *realtime.ReducerContext, _ json.RawMessage) (any, error) {
	var open []Connection
	err := connections.All(ctx, func(c Connection) bool { open = append(open, c); return true })
	for _, c := range open {
		if err == nil {
			err = connections.Delete(ctx, c.ID)
		}
	}
	var here []Person
	if err == nil {
		err = people.All(ctx, func(p Person) bool {
			if p.Online > 0 {
				here = append(here, p)
			}
			return true
		})
	}
	for _, p := range here {
		p.Online = 0
		if err == nil {
			err = people.Put(ctx, p)
		}
	}
	return nil, err
}

// prune removes all but the newest messages.
func prune(ctx *realtime.ReducerContext, _ json.RawMessage) (any, error) {
	var old []string
	n := 0
	err := messages.Backward(ctx, func(m Message) bool {
		if n++; n > keptRows {
			old = append(old, m.ID)
		}
		return true
	})
	for _, id := range old {
		if err == nil {
			err = messages.Delete(ctx, id)
		}
	}
	return len(old), err
}

func setName(ctx *realtime.ReducerContext, a arguments) (any, error) {
	name, err := text("name", a.Name, maxName)
	if err != nil {
		return nil, err
	}
	p, err := sender(ctx)
	if err != nil {
		return nil, err
	}
	p.Name = name
	return p, people.Put(ctx, p)
}

func send(ctx *realtime.ReducerContext, a arguments) (any, error) {
	written, err := text("text", a.Text, maxText)
	if err != nil {
		return nil, err
	}
	id, err := messages.NextID(ctx)
	if err != nil {
		return nil, err
	}
	m := Message{ID: id, Author: ctx.Sender(), Text: written, At: ctx.Time()}
	return m.ID, messages.Put(ctx, m)
}

// edit is for the author alone: a moderator may remove another's words, and not
// change them.
func edit(ctx *realtime.ReducerContext, a arguments) (any, error) {
	m, err := message(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	if m.Author != ctx.Sender() {
		return nil, fmt.Errorf("%w: for the author", oidcauth.ErrForbidden)
	}
	if m.Text, err = text("text", a.Text, maxText); err != nil {
		return nil, err
	}
	m.Edited = true
	return nil, messages.Put(ctx, m)
}

func remove(ctx *realtime.ReducerContext, a arguments) (any, error) {
	m, err := message(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	if m.Author != ctx.Sender() {
		if err := moderates(ctx); err != nil {
			return nil, err
		}
	}
	return nil, messages.Delete(ctx, m.ID)
}

func message(r realtime.Reader, id string) (Message, error) {
	m, found, err := messages.Get(r, id)
	if err == nil && !found {
		err = fmt.Errorf("%w: there is no such message", realtime.ErrArguments)
	}
	return m, err
}

// promote makes somebody a moderator.
func promote(ctx *realtime.ReducerContext, a arguments) (any, error) {
	if err := moderates(ctx); err != nil {
		return nil, err
	}
	p, err := person(ctx, a.Identity)
	if err != nil {
		return nil, err
	}
	p.Moderator = true
	return nil, people.Put(ctx, p)
}

// ban writes down that somebody was sent away, and returns their account.
func ban(ctx *realtime.ReducerContext, a arguments) (any, error) {
	if err := moderates(ctx); err != nil {
		return nil, err
	}
	reason, err := text("reason", a.Reason, maxReason)
	if err != nil {
		return nil, err
	}
	by, err := sender(ctx)
	if err != nil {
		return nil, err
	}
	p, err := person(ctx, a.Identity)
	if err != nil {
		return nil, err
	}
	p.Moderator = false
	p.Removed = &Removal{By: by.Name, Reason: reason, Until: ctx.Time().Add(removedFor).Truncate(time.Second)}
	if err := people.Put(ctx, p); err != nil {
		return nil, err
	}
	account, found, err := accounts.Get(ctx, a.Identity)
	if err == nil && !found {
		err = fmt.Errorf("%w: nobody with this identity has been here", realtime.ErrArguments)
	}
	return account, err
}

// kick sends somebody away: what the tables say of it is the reducer's, which decides
// whether the caller may; that their tokens end is outside the database.
func kick(ctx *realtime.ProcedureContext, args json.RawMessage, revoke func(*realtime.ProcedureContext, Account) error) (any, error) {
	a, err := decodeArguments(args)
	if err != nil {
		return nil, err
	}
	result, err := ctx.Call("ban", a)
	if err != nil {
		return nil, err
	}
	return nil, revoke(ctx, result.(Account))
}
