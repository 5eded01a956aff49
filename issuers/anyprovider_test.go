package issuers_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// The rules that docs/providers.md has for any provider keep clients out that took the
// name of a person, and let people in.
func TestAnyProvider_Rules(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "providers.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "**People and clients in one space.**")
	_, rest, _ = strings.Cut(rest, "```json\n")
	block, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("no rules on the page")
	}
	var written oidcauth.Issuer
	if err := json.Unmarshal([]byte("{"+block+"}"), &written); err != nil || len(written.ClaimRules) != 2 {
		t.Fatalf("%d rules on the page, %v", len(written.ClaimRules), err)
	}
	w := newWorld(t)
	p := providerOf(t, "RFC9068")
	i := p.issuer(t)
	i.ClaimRules = written.ClaimRules
	a := w.authenticator(t, p, i)
	for _, row := range []struct {
		name   string
		change claims
		want   error
	}{
		{"a person", nil, nil},
		{"a client that took the person's name", claims{"client_id": "alice"}, oidcauth.ErrRule},
		{"the client that is admitted, for itself", claims{"sub": "app"}, oidcauth.ErrRule},
		{"a person by a client that is not admitted", claims{"client_id": "other"}, oidcauth.ErrRule},
	} {
		token := w.sign(t, sampleOf(t, p.tokens, "access token").changed(nil, row.change))
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, row.want) {
			t.Errorf("%s: Authenticate() error = %v, want %v", row.name, err, row.want)
		}
	}
}
