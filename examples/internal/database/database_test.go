package database_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/database"
)

// as returns a context that acts for a caller with the given roles.
func as(t *testing.T, subject string, roles ...string) context.Context {
	t.Helper()
	issuer := oidcauth.Issuer{URL: "https://issuer.example", InsecureAnyAudience: true}
	payload, err := json.Marshal(map[string]any{
		"iss": issuer.URL, "sub": subject, "aud": audience, "exp": time.Now().Add(time.Hour).Unix(), "roles": roles,
	})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := oidcauth.UnverifiedClaims(payload, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return oidcauth.NewContext(t.Context(), claims)
}

func open(t *testing.T, admit oidcauth.Rule) *database.Database {
	t.Helper()
	db, err := database.Open(database.Config{Path: filepath.Join(t.TempDir(), "messages.db"), Admit: admit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestConnect(t *testing.T) {
	t.Parallel()
	admitting := open(t, oidcauth.HasAudience(audience))
	for _, row := range []struct {
		name string
		db   *database.Database
		ctx  context.Context
		want error
	}{
		{"caller for this database", admitting, as(t, "alice"), nil},
		{"nobody", admitting, t.Context(), nil},
		{"the database itself", open(t, nil), oidcauth.NewInternalContext(t.Context()), nil},
		{"caller for another database", open(t, oidcauth.HasAudience("reports")), as(t, "alice"), oidcauth.ErrForbidden},
		{"caller of another issuer", open(t, oidcauth.HasIssuer("https://other.example")), as(t, "alice"), oidcauth.ErrForbidden},
		{"database that admits nobody", open(t, nil), as(t, "alice", "admin"), oidcauth.ErrForbidden},
	} {
		t.Run(row.name, func(t *testing.T) {
			if err := row.db.Connect(row.ctx); !errors.Is(err, row.want) {
				t.Errorf("Connect() error = %v, want %v", err, row.want)
			}
		})
	}
}

func TestCall(t *testing.T) {
	t.Parallel()
	db := open(t, nil)
	hello := json.RawMessage(`{"text":"hello"}`)
	for _, row := range []struct {
		name, reducer string
		ctx           context.Context
		want          error
	}{
		{"writer sends", "send_message", as(t, "alice", "writer"), nil},
		{"reader may not send", "send_message", as(t, "alice"), oidcauth.ErrForbidden},
		{"context that nobody prepared", "send_message", t.Context(), oidcauth.ErrNoToken},
		{"the database itself has no rows", "send_message", oidcauth.NewInternalContext(t.Context()), oidcauth.ErrNoToken},
		{"the database itself counts", "count_messages", oidcauth.NewInternalContext(t.Context()), nil},
		{"admin may not count", "count_messages", as(t, "bob", "admin"), oidcauth.ErrForbidden},
		{"unknown name", "nothing", as(t, "alice", "writer"), database.ErrNoFunction},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := db.Call(row.ctx, row.reducer, hello); !errors.Is(err, row.want) {
				t.Errorf("Call() error = %v, want %v", err, row.want)
			}
		})
	}
}

func TestEvery(t *testing.T) {
	t.Parallel()
	db := open(t, nil)
	if _, err := db.Call(as(t, "alice", "writer"), "send_message", json.RawMessage(`{"text":"hello"}`)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := db.Every(ctx, time.Millisecond, "count_messages", func(err error) { t.Errorf("scheduled reducer: %v", err) })

	deadline := time.After(patience)
	for counted := false; !counted; {
		select {
		case <-deadline:
			t.Fatal("the scheduled reducer never counted")
		case <-time.After(time.Millisecond):
		}
		got, err := db.View(t.Context(), "board")
		if err != nil {
			t.Fatal(err)
		}
		count, ok := got.(database.Count)
		counted = ok && count.Messages == 1
	}
	cancel()
	select {
	case <-done:
	case <-deadline:
		t.Error("the scheduler did not end with its context")
	}
}
