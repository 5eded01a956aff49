package database

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/oidcauth/oidcauth"
)

const maxText = 500

// anyCaller is satisfied by every caller with a token.
func anyCaller(*oidcauth.Claims) error { return nil }

// reducers are the functions that change the database.
func reducers() map[string]Reducer {
	return map[string]Reducer{
		"send_message":   {Allow: oidcauth.HasRole("writer"), Run: sendMessage},
		"delete_all":     {Allow: oidcauth.HasRole("admin"), Run: deleteAll},
		"count_messages": {Run: countMessages}, // for the scheduler

		// Written in a hurry: it says nothing of who may call it.
		"forgotten": {Run: deleteAll},
	}
}

// views are the functions that read it.
func views() map[string]View {
	return map[string]View{
		"my_messages": {Allow: anyCaller, Read: myMessages},
		"board":       {Public: true, Read: board},
	}
}

// procedures are the functions that run outside a transaction.
func procedures() map[string]Procedure {
	return map[string]Procedure{
		"export_messages": {Allow: anyCaller, Run: exportMessages},
	}
}

func sendMessage(_ context.Context, tx *Tx, args json.RawMessage) (any, error) {
	var message struct {
		Text string `json:"text"`
	}
	if err := decodeArgs(args, &message); err != nil {
		return nil, err
	}
	if message.Text == "" || len(message.Text) > maxText {
		return nil, fmt.Errorf("%w: text: got %d bytes, want 1 to %d", ErrArguments, len(message.Text), maxText)
	}
	return tx.Insert(message.Text)
}

func deleteAll(_ context.Context, tx *Tx, _ json.RawMessage) (any, error) {
	number, err := tx.DeleteAll()
	return map[string]int{"deleted": number}, err
}

func countMessages(_ context.Context, tx *Tx, _ json.RawMessage) (any, error) {
	count := Count{Messages: tx.Len(), At: time.Now().UTC()}
	return count, tx.SetCount(count)
}

func myMessages(_ context.Context, tx *Tx) (any, error) { return tx.Own() }

func board(_ context.Context, tx *Tx) (any, error) { return tx.Count() }

// exportMessages renders the caller's messages as a table. The rows are read
// through the view, as the same caller; the rendering holds no transaction.
func exportMessages(ctx context.Context, db *Database, _ json.RawMessage) (any, error) {
	rows, err := db.View(ctx, "my_messages")
	if err != nil {
		return nil, err
	}
	messages, ok := rows.([]Message)
	if !ok {
		return nil, fmt.Errorf("database: my_messages returned a %T", rows)
	}
	var table bytes.Buffer
	lines := csv.NewWriter(&table)
	lines.Write([]string{"id", "at", "text"})
	for _, m := range messages {
		lines.Write([]string{strconv.FormatUint(m.ID, 10), m.At.Format(time.RFC3339), m.Text})
	}
	lines.Flush()
	return map[string]string{"csv": table.String()}, lines.Error()
}

// decodeArgs reads a function's arguments, which must be its own and no others.
func decodeArgs(args json.RawMessage, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(args))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", ErrArguments, err)
	}
	return nil
}
