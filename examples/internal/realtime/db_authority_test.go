package realtime_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/realtime"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestCall_OwnTokenRevokedMeanwhile: a call whose own token is revoked before it is done
// changes nothing, though its connection goes on by another token.
func TestCall_OwnTokenRevokedMeanwhile(t *testing.T) {
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "db", "sub": "alice"}})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"db"}}}, Client: issuer.Client(),
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

	meanwhile := func() {}
	db, err := realtime.Open(filepath.Join(t.TempDir(), "test.db"), realtime.Module{
		Tables: []realtime.TableInfo{rows},
		Reducers: map[string]realtime.Reducer{"slow": {Allow: anybody, Run: func(ctx *realtime.ReducerContext, args json.RawMessage) (any, error) {
			meanwhile()
			return add(ctx, args)
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Call(realtime.Caller{Context: session.CallContext()}, "slow", nil); err != nil {
		t.Fatalf("before: Call() error = %v", err)
	}
	meanwhile = func() {
		if _, err := session.Renew(t.Context(), issuer.Token(map[string]any{"jti": "second"})); err != nil {
			t.Error(err)
		}
		if err := auth.Revoke(t.Context(), oidcauth.Revocation{Issuer: issuer.URL(), TokenID: "first"}); err != nil {
			t.Error(err)
		}
	}
	if _, err := db.Call(realtime.Caller{Context: session.CallContext()}, "slow", nil); !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("Call() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
	meanwhile = func() {}
	if _, err := db.Call(realtime.Caller{Context: session.CallContext()}, "slow", nil); err != nil {
		t.Errorf("by the second token: Call() error = %v", err)
	}
}
