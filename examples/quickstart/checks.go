package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/database"
	"github.com/oidcauth/oidcauth/identity"
)

// rows checks how many messages a view returned.
func rows(want int) func(json.RawMessage) (string, error) {
	return func(result json.RawMessage) (string, error) {
		var messages []json.RawMessage
		if err := json.Unmarshal(result, &messages); err != nil {
			return "", err
		}
		note := fmt.Sprintf("rows: %d", len(messages))
		if len(messages) != want {
			return note, fmt.Errorf("got %d rows, want %d", len(messages), want)
		}
		return note, nil
	}
}

// deleted checks how many messages a reducer removed.
func deleted(want int) func(json.RawMessage) (string, error) {
	return func(result json.RawMessage) (string, error) {
		var got struct {
			Deleted int `json:"deleted"`
		}
		if err := json.Unmarshal(result, &got); err != nil {
			return "", err
		}
		if got.Deleted != want {
			return "", fmt.Errorf("got %d rows deleted, want %d", got.Deleted, want)
		}
		return fmt.Sprintf("rows deleted: %d", got.Deleted), nil
	}
}

// exported checks how many messages a table has below its heading.
func exported(want int) func(json.RawMessage) (string, error) {
	return func(result json.RawMessage) (string, error) {
		var got struct {
			CSV string `json:"csv"`
		}
		if err := json.Unmarshal(result, &got); err != nil {
			return "", err
		}
		if lines := strings.Count(got.CSV, "\n"); lines != want+1 {
			return "", fmt.Errorf("got a table of %d lines, want %d", lines, want+1)
		}
		return fmt.Sprintf("table of %d bytes", len(got.CSV)), nil
	}
}

// owned checks that a new row belongs to the bearer of the token.
func owned(issuer, subject string) func(json.RawMessage) (string, error) {
	return func(result json.RawMessage) (string, error) {
		var message struct {
			ID    uint64            `json:"id"`
			Owner oidcauth.Identity `json:"owner"`
		}
		if err := json.Unmarshal(result, &message); err != nil {
			return "", err
		}
		note := fmt.Sprintf("row %d of %s", message.ID, short(message.Owner))
		if want := identity.New(issuer, subject); message.Owner != want {
			return note, fmt.Errorf("got owner %s, want %s", short(message.Owner), short(want))
		}
		return note, nil
	}
}

// counted checks what the scheduled reducer, an internal caller, has written.
func counted(want int) func(json.RawMessage) (string, error) {
	return func(result json.RawMessage) (string, error) {
		var count database.Count
		if err := json.Unmarshal(result, &count); err != nil {
			return "", err
		}
		if count.Messages != want {
			return "", fmt.Errorf("scheduled count: got %d, want %d", count.Messages, want)
		}
		return fmt.Sprintf("messages: %d, counted by the scheduler", count.Messages), nil
	}
}

// renewed checks until when a socket goes on.
func renewed(want time.Time) func(json.RawMessage) (string, error) {
	return func(result json.RawMessage) (string, error) {
		var got database.Renewed
		if err := json.Unmarshal(result, &got); err != nil {
			return "", err
		}
		if !got.Expires.Equal(want) {
			return "", fmt.Errorf("renewed until %v, want %v", got.Expires, want)
		}
		return fmt.Sprintf("good for %.1f s more", time.Until(want).Seconds()), nil
	}
}
