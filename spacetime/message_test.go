package spacetime_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/spacetime"
)

// What a server says first is what SpacetimeDB's own code writes, to the byte.
func TestFirstMessage(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/first-messages.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) < 4 {
		t.Fatalf("%d rows in testdata, want 4 at least", len(rows))
	}
	for _, row := range rows {
		who := identity.New(row["issuer"], row["subject"])
		id, err := spacetime.ParseConnectionID(row["connection_id"])
		if err != nil || who.String() != row["identity"] {
			t.Fatalf("identity %s, want %s; %v", who, row["identity"], err)
		}
		for _, protocol := range []string{"v3.bsatn.spacetimedb", "v2.bsatn.spacetimedb", "v1.bsatn.spacetimedb", "v1.json.spacetimedb"} {
			got := spacetime.FirstMessage(protocol, who, id, row["token"])
			if row[protocol] == "" || hex.EncodeToString(got) != row[protocol] {
				t.Errorf("FirstMessage(%s) = %x, want %s", protocol, got, row[protocol])
			}
		}
	}
}
