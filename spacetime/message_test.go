package spacetime_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/spacetime"
)

// The bytes that the published TypeScript client has read. The last two rows are
// of subprotocols that it no longer offers.
func TestFirstMessage(t *testing.T) {
	t.Parallel()
	stranger := identity.New("localhost", "6d4b5430-00cf-4a99-932c-ad2d07bab841")
	alice := identity.New("https://issuer.example", "alice")
	const (
		strangerBytes = "75a9cc35243f675a7d8eebbbf2a1c2b0dc36ccca06de02d4c742d652314800c2"
		aliceBytes    = "241b711f132ea4464e07a0dc7528526433ea8b895ceecbeb2e3e5b169c1f00c2"
	)
	tests := []struct {
		protocol string
		identity oidcauth.Identity
		id       string
		token    string
		want     string // hexadecimal digits and spaces
	}{
		{"v3.bsatn.spacetimedb", stranger, "100f0e0d0c0b0a090807060504030201", "the-long-token",
			"00 00" + strangerBytes + "0102030405060708090a0b0c0d0e0f10 0e000000 7468652d6c6f6e672d746f6b656e"},
		{"v2.bsatn.spacetimedb", stranger, "100f0e0d0c0b0a090807060504030201", "the-long-token",
			"00 00" + strangerBytes + "0102030405060708090a0b0c0d0e0f10 0e000000 7468652d6c6f6e672d746f6b656e"},
		{"v3.bsatn.spacetimedb", alice, "0102030405060708090a0b0c0d0e0f10", "abc.def.ghi",
			"00 00" + aliceBytes + "100f0e0d0c0b0a090807060504030201 0b000000 6162632e6465662e676869"},
		{"v3.bsatn.spacetimedb", alice, "0102030405060708090a0b0c0d0e0f10", "",
			"00 00" + aliceBytes + "100f0e0d0c0b0a090807060504030201 00000000"},
		{"v1.bsatn.spacetimedb", alice, "0102030405060708090a0b0c0d0e0f10", "abc.def.ghi",
			"00 03" + aliceBytes + "0b000000 6162632e6465662e676869 100f0e0d0c0b0a090807060504030201"},
		{"v1.json.spacetimedb", alice, "0102030405060708090a0b0c0d0e0f10", "abc.def.ghi",
			hex.EncodeToString([]byte(`{"IdentityToken":{"identity":{"__identity__":"0x` + alice.String() +
				`"},"token":"abc.def.ghi","connection_id":{"__connection_id__":1339673755198158349044581307228491536}}}`))},
	}
	for _, tt := range tests {
		id, err := spacetime.ParseConnectionID(tt.id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := spacetime.FirstMessage(tt.protocol, tt.identity, id, tt.token)
		if err != nil || hex.EncodeToString(got) != strings.ReplaceAll(tt.want, " ", "") {
			t.Errorf("FirstMessage(%s) = %x, %v, want %s", tt.protocol, got, err, tt.want)
		}
	}
}
