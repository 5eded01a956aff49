package realtime_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/realtime"
	"github.com/oidcauth/oidcauth/oidctest"
)

// issuer is whose payloads are rebuilt; nothing is verified here.
var issuer = oidcauth.Issuer{URL: "https://issuer.example", InsecureAnyAudience: true}

func rebuild(who realtime.Who) (*oidcauth.Claims, error) {
	return oidcauth.UnverifiedClaims(who.Payload, issuer)
}

// as returns a caller with the given roles.
func as(t *testing.T, subject string, roles ...string) realtime.Caller {
	t.Helper()
	payload, err := json.Marshal(map[string]any{
		"iss": issuer.URL, "sub": subject, "aud": "db", "exp": time.Now().Add(time.Hour).Unix(), "roles": roles,
	})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := rebuild(realtime.Who{Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	return realtime.Caller{Context: oidcauth.NewContext(t.Context(), claims), Connection: "by " + subject}
}

func internally(t *testing.T) realtime.Caller {
	return realtime.Caller{Context: oidcauth.NewInternalContext(t.Context())}
}

type row struct {
	ID    string            `json:"id"`
	Owner oidcauth.Identity `json:"owner"`
	At    time.Time         `json:"at"`
	Dice  int               `json:"dice"`
	Role  bool              `json:"role"`
	Via   string            `json:"via"`
}

var (
	errUndone = errors.New("undone")

	rows   = realtime.NewTable("rows", func(r row) string { return r.ID }, anybody)
	secret = realtime.NewTable("secret", func(r row) string { return r.ID }, nil)
)

func anybody(*oidcauth.Claims) error { return nil }

func add(ctx *realtime.ReducerContext, _ json.RawMessage) (any, error) {
	id, err := rows.NextID(ctx)
	if err != nil {
		return nil, err
	}
	r := row{ID: id, Owner: ctx.Sender(), At: ctx.Time(), Dice: ctx.Random().IntN(1 << 30), Via: ctx.Connection()}
	r.Role = ctx.Claims() != nil && ctx.Claims().HasRole("writer")
	return r, rows.Put(ctx, r)
}

func module() realtime.Module {
	return realtime.Module{
		Tables: []realtime.TableInfo{rows, secret},
		Reducers: map[string]realtime.Reducer{
			"add":   {Allow: anybody, Run: add},
			"clock": {Run: add}, // says nothing of who may call it
			"undo": {Allow: anybody, Run: func(ctx *realtime.ReducerContext, args json.RawMessage) (any, error) {
				if _, err := add(ctx, args); err != nil {
					return nil, err
				}
				return nil, errUndone
			}},
			"drop": {Allow: oidcauth.HasRole("admin"), Run: func(ctx *realtime.ReducerContext, args json.RawMessage) (any, error) {
				var id string
				if err := json.Unmarshal(args, &id); err != nil {
					return nil, err
				}
				return nil, rows.Delete(ctx, id)
			}},
		},
		Views: map[string]realtime.View{
			"count": {Allow: anybody, Read: func(ctx *realtime.ViewContext, _ json.RawMessage) (any, error) {
				n := 0
				err := rows.All(ctx, func(row) bool { n++; return true })
				return n, err
			}},
			"closed": {Read: func(*realtime.ViewContext, json.RawMessage) (any, error) { return 0, nil }},
		},
		Procedures: map[string]realtime.Procedure{
			"twice": {Allow: anybody, Run: func(ctx *realtime.ProcedureContext, _ json.RawMessage) (any, error) {
				for range 2 {
					if _, err := ctx.Call("add", nil); err != nil {
						return nil, err
					}
				}
				return ctx.View("count", nil)
			}},
			"drops": {Allow: anybody, Run: func(ctx *realtime.ProcedureContext, _ json.RawMessage) (any, error) {
				return ctx.Call("drop", "0000000000000001")
			}},
		},
		OnConnect: func(ctx *realtime.ReducerContext) error {
			if ctx.Claims() != nil && ctx.Claims().HasRole("banned") {
				return oidcauth.ErrForbidden
			}
			return secret.Put(ctx, row{ID: ctx.Connection()})
		},
		OnDisconnect: func(ctx *realtime.ReducerContext) error { return secret.Delete(ctx, ctx.Connection()) },
	}
}

func open(t *testing.T) *realtime.DB {
	t.Helper()
	db, err := realtime.Open(filepath.Join(t.TempDir(), "test.db"), module())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestFunctions(t *testing.T) {
	db := open(t)
	alice := as(t, "alice", "writer")
	call := func(from realtime.Caller, name string) error {
		_, err := db.Call(from, name, json.RawMessage(`"x"`))
		return err
	}
	view := func(from realtime.Caller, name string) error { _, err := db.View(from, name, nil); return err }
	run := func(from realtime.Caller, name string) error { _, err := db.Procedure(from, name, nil); return err }
	for _, r := range []struct {
		name string
		do   func(realtime.Caller, string) error
		from realtime.Caller
		what string
		want error
	}{
		{"reducer", call, alice, "add", nil},
		{"reducer, by nobody", call, realtime.Caller{Context: t.Context()}, "add", oidcauth.ErrNoToken},
		{"reducer without a rule, from outside", call, as(t, "root", "admin"), "clock", oidcauth.ErrForbidden},
		{"reducer without a rule, by the database", call, internally(t), "clock", nil},
		{"reducer for another role", call, alice, "drop", oidcauth.ErrForbidden},
		{"reducer that fails", call, alice, "undo", errUndone},
		{"reducer that is not there", call, alice, "nothing", realtime.ErrNoFunction},
		{"view", view, alice, "count", nil},
		{"view without a rule", view, alice, "closed", oidcauth.ErrForbidden},
		{"view that is not there", view, alice, "nothing", realtime.ErrNoFunction},
		{"procedure", run, alice, "twice", nil},
		{"procedure that calls what its caller may not", run, alice, "drops", oidcauth.ErrForbidden},
		{"procedure that is not there", run, alice, "nothing", realtime.ErrNoFunction},
	} {
		t.Run(r.name, func(t *testing.T) {
			if err := r.do(r.from, r.what); !errors.Is(err, r.want) {
				t.Errorf("error = %v, want %v", err, r.want)
			}
		})
	}
	if n, _ := db.View(alice, "count", nil); n != 4 { // add, clock, twice; not undo
		t.Errorf("rows: got %v, want 4", n)
	}
}

// TestViews_CannotWrite: what writes a table does not take a view's context.
func TestViews_CannotWrite(t *testing.T) {
	if _, writes := any(&realtime.ViewContext{}).(realtime.Writer); writes {
		t.Error("a ViewContext is a Writer")
	}
	if _, writes := any(&realtime.ReducerContext{}).(realtime.Writer); !writes {
		t.Error("a ReducerContext is no Writer")
	}
	if _, waits := any(&realtime.ReducerContext{}).(context.Context); waits {
		t.Error("a ReducerContext is a context, with which something outside could be asked")
	}
	if _, reads := any(&realtime.ProcedureContext{}).(realtime.Reader); reads {
		t.Error("a ProcedureContext is a Reader")
	}
}

// TestCall_RevokedMeanwhile: a caller whose authority ends before the call is done
// changes nothing.
func TestCall_RevokedMeanwhile(t *testing.T) {
	db := open(t)
	alice := as(t, "alice")
	ctx, cancel := context.WithCancelCause(alice.Context)
	cancel(oidcauth.ErrRevoked)
	if _, err := db.Call(realtime.Caller{Context: ctx}, "add", nil); !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("Call() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
	if n, _ := db.View(alice, "count", nil); n != 0 {
		t.Errorf("rows: got %v, want none", n)
	}
}

func TestConnect(t *testing.T) {
	db := open(t)
	if err := db.Connect(as(t, "alice")); err != nil {
		t.Fatal(err)
	}
	if err := db.Connect(as(t, "mallory", "banned")); !errors.Is(err, oidcauth.ErrForbidden) {
		t.Errorf("Connect() error = %v, want %v", err, oidcauth.ErrForbidden)
	}
	gone := as(t, "alice")
	ctx, cancel := context.WithCancel(gone.Context)
	cancel()
	gone.Context = ctx
	if err := db.Disconnect(gone); err != nil {
		t.Errorf("Disconnect() of a caller whose token has ended: %v", err)
	}
}

// TestReplay makes the calls again in an empty database and gets the same bytes, with
// nothing but the log.
func TestReplay(t *testing.T) {
	db := open(t)
	for n := range 20 {
		from := as(t, fmt.Sprintf("caller %d", n%3), []string{"writer", "reader"}[n%2])
		db.Connect(from)
		db.Call(from, "add", nil)
		db.Call(from, "undo", nil)
		db.Call(internally(t), "clock", nil)
		if n%5 == 0 {
			db.Call(as(t, "root", "admin"), "drop", json.RawMessage(`"0000000000000002"`))
			db.Disconnect(from)
		}
	}
	again := open(t)
	if err := again.Replay(db, rebuild); err != nil {
		t.Fatal(err)
	}
	want, got := dump(t, db), dump(t, again)
	if got != want {
		t.Errorf("the replayed store differs:\n%s\nwant\n%s", got, want)
	}
	if n := strings.Count(want, "\n"); n < 60 {
		t.Errorf("dump: got %d lines, want the log and the rows of twenty callers", n)
	}
	if err := open(t).Replay(db, func(realtime.Who) (*oidcauth.Claims, error) { return nil, oidcauth.ErrUnknownIssuer }); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
		t.Errorf("Replay() without the issuer's description: error = %v, want %v", err, oidcauth.ErrUnknownIssuer)
	}
}

// TestReplay_Supplement: what somebody else said of a caller, and by which description
// of the issuer it was read, count again, and nobody is asked for them.
func TestReplay_Supplement(t *testing.T) {
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "db"}})
	asked := 0
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{
			{URL: issuer.URL(), Name: "jobs", Audiences: []string{"jobs"}},
			{URL: issuer.URL(), Name: "people", Audiences: []string{"db"},
				Supplement: func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
					asked++
					return json.RawMessage(`{"roles":["writer"]}`), nil
				}},
		},
		Client: issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	claims, err := auth.Authenticate(t.Context(), issuer.Token(nil))
	if err != nil {
		t.Fatal(err)
	}
	db := open(t)
	from := realtime.Caller{Context: oidcauth.NewContext(t.Context(), claims)}
	if got, err := db.Call(from, "add", nil); err != nil || !got.(row).Role {
		t.Fatalf("Call() = %+v, %v, want a writer's row", got, err)
	}
	again := open(t)
	err = again.Replay(db, func(who realtime.Who) (*oidcauth.Claims, error) {
		return auth.UnverifiedClaims(who.Payload, who.Supplement, who.Description)
	})
	if err != nil || asked != 1 {
		t.Fatalf("Replay() error = %v, asked %d times, want once, before", err, asked)
	}
	if got, want := dump(t, again), dump(t, db); got != want {
		t.Errorf("the replayed store differs:\n%s\nwant\n%s", got, want)
	}
}

func dump(t *testing.T, db *realtime.DB) string {
	t.Helper()
	var text strings.Builder
	if err := db.Dump(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// TestSubscribe: whoever comes in the middle has each row once, and all changes after.
func TestSubscribe(t *testing.T) {
	db := open(t)
	alice := as(t, "alice")
	if _, err := db.Subscribe(alice, []string{"secret"}, func([]byte) {}); !errors.Is(err, oidcauth.ErrForbidden) {
		t.Errorf("a table without a rule: error = %v, want %v", err, oidcauth.ErrForbidden)
	}
	if _, err := db.Subscribe(alice, []string{"nothing"}, func([]byte) {}); !errors.Is(err, realtime.ErrNoFunction) {
		t.Errorf("a table that is not there: error = %v, want %v", err, realtime.ErrNoFunction)
	}
	var writing sync.WaitGroup
	for range 4 {
		writing.Go(func() {
			for range 25 {
				if _, err := db.Call(alice, "add", nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	seen, beyond := make(map[string]int), 0
	sub, err := db.Subscribe(alice, []string{"rows", "rows"}, func(message []byte) {
		var r realtime.Rows
		if err := json.Unmarshal(message, &r); err != nil {
			t.Error(err)
		}
		for _, c := range r.Changes {
			seen[c.Key]++
		}
		if !r.Whole {
			beyond++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	writing.Wait()
	if len(seen) != 100 {
		t.Errorf("rows: got %d, want 100", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("row %s: got it %d times, want once", id, n)
		}
	}
	if err := sub.Recheck(alice); err != nil {
		t.Errorf("Recheck() error = %v, want none", err)
	}
	if err := sub.Recheck(realtime.Caller{Context: t.Context()}); !errors.Is(err, oidcauth.ErrNoToken) {
		t.Errorf("Recheck() of nobody: error = %v, want %v", err, oidcauth.ErrNoToken)
	}
	sub.Close()
	if _, err := db.Call(alice, "add", nil); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 100 {
		t.Error("a closed subscription was told of a change")
	}
}
