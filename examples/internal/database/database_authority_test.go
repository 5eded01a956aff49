package database_test

import (
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/database"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestCall_OwnTokenRevokedMeanwhile: a call whose own token is revoked before it is done
// changes nothing, though its socket goes on by another token.
func TestCall_OwnTokenRevokedMeanwhile(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": audience, "sub": "alice", "roles": []string{"writer"}}})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{audience}}}, Client: issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	claims, err := auth.Authenticate(t.Context(), issuer.Token(map[string]any{"jti": "first"}))
	if err != nil {
		t.Fatal(err)
	}
	session := auth.NewSession(t.Context(), claims)
	defer session.Close()
	db := open(t, nil)
	db.Meanwhile("send_message", func() {
		if _, err := session.Renew(t.Context(), issuer.Token(map[string]any{"jti": "second"})); err != nil {
			t.Error(err)
		}
		if err := auth.Revoke(t.Context(), oidcauth.Revocation{Issuer: issuer.URL(), TokenID: "first"}); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.Call(session.CallContext(), "send_message", hello); !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("Call() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
	got, err := db.View(session.CallContext(), "my_messages")
	if rows, _ := got.([]database.Message); err != nil || len(rows) != 0 {
		t.Errorf("my_messages = %+v (%v), want none", got, err)
	}
}
