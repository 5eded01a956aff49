package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestLocalIssuer_ReadersWriteNothing: what is said to a command that only looks says nothing
// of the tokens that a server issues, and must not stand in the directory: of keys whose
// tokens may live for ever none is ever let go of again.
func TestLocalIssuer_ReadersWriteNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	config := func(name, lifetime string) string {
		return writeFile(t, name, fmt.Sprintf(`{"addr": "127.0.0.1:0", "local_issuer": {"dir": %q, "audiences": ["my-db"]%s}}`, dir, lifetime))
	}
	hour := config("hour.json", `, "token_lifetime": "1h"`)
	s := serve(t, "--config", hour)
	token := decode[struct{ Token string }](t, s.do(t, "POST", "/v1/identity", "")).Token
	content := func() string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, "keyring.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before := content()
	for _, row := range []struct {
		stdin string
		args  []string
	}{
		{token, []string{"explain", "--local-issuer", dir}},
		{token, []string{"explain", "--config", hour}},
		{token, []string{"explain", "--config", config("day.json", `, "token_lifetime": "24h"`)}},
		{"", []string{"serve", "--check", "--config", config("ever.json", "")}},
		{"", []string{"serve", "--check", "--config", config("year.json", `, "token_lifetime": "8760h"`)}},
		{"", []string{"issuer", "list", dir}},
	} {
		if r := invoke(t, row.stdin, row.args...); r.code != exitOK {
			t.Errorf("%q: exit code %d, %s%s", row.args, r.code, r.out, r.err)
		}
		if after := content(); after != before {
			t.Fatalf("%q has written to the directory", row.args)
		}
	}
}
