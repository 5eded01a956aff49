package main

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestAnswer_NobodyKnows: a query that comes while nobody can tell who the client still is
// fails, and the connection goes on.
func TestAnswer_NobodyKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down error
		issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": "my-db"}})
		auth, err := oidcauth.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{{
				URL: issuer.URL(), Audiences: []string{"my-db"},
				Supplement: func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
					return json.RawMessage(`{}`), down
				},
			}},
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
		c := &client{session: auth.NewSession(t.Context(), claims)}
		defer c.session.Close()
		for _, row := range []struct {
			when string
			down error
			want string
		}{
			{"at first", nil, ""},
			{"while nobody answers", errors.New("down"), cannotConnectNow},
			{"afterwards", nil, ""},
		} {
			time.Sleep(2 * time.Minute) // for which no answer counts
			down = row.down
			answer := c.answer("select current_user")
			if len(answer) == 0 {
				t.Fatalf("%s: got no answer, as if the session had ended", row.when)
			}
			failed, _ := answer[0].(*pgproto3.ErrorResponse)
			if failed == nil && row.want != "" || failed != nil && failed.Code != row.want {
				t.Errorf("%s: got %+v, want code %q", row.when, answer[0], row.want)
			}
		}
		c.session.Close()
		if answer := c.answer("select current_user"); answer != nil {
			t.Errorf("after the end: got %d messages, want none", len(answer))
		}
	})
}

// TestFailureOf: a query that fails has the code of the guide's table.
func TestFailureOf(t *testing.T) {
	for err, want := range map[error]string{
		oidcauth.ErrRevoked: invalidAuth, oidcauth.ErrExpired: invalidAuth, oidcauth.ErrForbidden: insufficient,
		oidcauth.ErrRevocationsUnavailable: cannotConnectNow, errors.New("disk full"): internalError,
	} {
		if got := failureOf(err); got.Code != want || got.Severity != "ERROR" {
			t.Errorf("failureOf(%v) = %s %s, want ERROR %s", err, got.Severity, got.Code, want)
		}
	}
}
