package guests_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/guests"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A table has the owner of each row, and the accounts that guests have become.
type table struct {
	rows   map[string]oidcauth.Identity
	joined map[oidcauth.Identity]oidcauth.Identity
	fails  error
}

// write is what a call does at its end, under the context that it began with.
func (d *table) write(ctx context.Context, row string) error {
	if err := oidcauth.Require(ctx); err != nil {
		return err
	}
	caller, _ := oidcauth.FromContext(ctx)
	owner := caller.Identity()
	if account, found := d.joined[owner]; found {
		owner = account
	}
	d.rows[row] = owner
	return nil
}

func (d *table) give(_ context.Context, guest, account oidcauth.Identity) error {
	if is, found := d.joined[guest]; found && is != account {
		return oidcauth.ErrForbidden
	}
	if d.fails != nil {
		return d.fails
	}
	d.joined[guest] = account
	for row, owner := range maps.All(d.rows) {
		if owner == guest {
			d.rows[row] = account
		}
	}
	return nil
}

// A guest who signs in keeps the rows, those that a call writes meanwhile included; the
// guest's token and socket end, and nobody else's become anybody's.
func TestJoin(t *testing.T) {
	t.Parallel()
	idp, local, auth := start(t)
	d := &table{rows: map[string]oidcauth.Identity{}, joined: map[oidcauth.Identity]oidcauth.Identity{}}
	handler := guests.Join(auth, local, d.give)
	join := func(bearer, body string, status int) {
		t.Helper()
		r, w := httptest.NewRequest("POST", "/guest/join", strings.NewReader(body)), httptest.NewRecorder()
		if bearer != "" {
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
		if handler.ServeHTTP(w, r); w.Code != status {
			t.Errorf("got %d %s, want %d", w.Code, w.Body, status)
		}
	}
	issue := func() (string, *oidcauth.Claims) {
		token, _, err := local.Issue(t.Context(), localissuer.Request{})
		if err != nil {
			t.Fatal(err)
		}
		claims, err := auth.Authenticate(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		return token, claims
	}
	guest, claims := issue()
	other, _ := issue()
	alice, bob := idp.Token(map[string]any{"sub": "alice"}), idp.Token(map[string]any{"sub": "bob"})
	account, err := auth.Authenticate(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	session := auth.NewSession(t.Context(), claims)
	defer session.Close()
	if err := d.write(session.CallContext(), "first"); err != nil {
		t.Fatal(err)
	}
	underWay := oidcauth.NewContext(t.Context(), claims) // it has asked Require already

	join(other, guest, http.StatusForbidden) // two guests
	join(alice, bob, http.StatusForbidden)   // two accounts
	join(alice, "", http.StatusConflict)
	join("", guest, http.StatusUnauthorized)
	d.fails = errors.New("disk full")
	join(alice, guest, http.StatusInternalServerError)
	d.fails = nil
	if session.Context().Err() != nil || d.rows["first"] != claims.Identity() {
		t.Error("a join that failed has changed something")
	}
	join(alice, guest, http.StatusOK)
	if err := d.write(underWay, "last"); err != nil {
		t.Error(err)
	}
	for _, row := range []string{"first", "last"} {
		if d.rows[row] != account.Identity() {
			t.Errorf("%s is %v's, want %v's", row, d.rows[row], account.Identity())
		}
	}
	if _, err := auth.Authenticate(t.Context(), guest); !errors.Is(err, oidcauth.ErrRevoked) || session.Context().Err() == nil {
		t.Errorf("the guest goes on: %v", err)
	}
	join(alice, guest, http.StatusConflict)
	join(bob, guest, http.StatusConflict)
}
