#!/usr/bin/env bash
# A client of SASL OAUTHBEARER (RFC 7628, section 3.1) may say as whom it wants to act, in
# front of its token: "n,a=alice,", with "=" and "," in a name written "=3D" and "=2C" (RFC
# 5801, section 4). kafkajs puts a quotation mark in front of the "a"; go-sasl writes the
# name as it is, so that one with a comma makes a message that go-sasl's own server does
# not read. That server refuses, too, what the RFC lets clients write and libpq or others
# do: "y" where a client could bind the channel and believes that the server cannot, a key
# that is not known, and the empty "auth" of a client that asks where to get a token.
# Needs Go and Node.js with npm.
set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
npm install --ignore-scripts --no-audit --no-fund --silent kafkajs@2.2.4 >/dev/null
cat >main.js <<'JS'
const request = require('kafkajs/src/protocol/sasl/oauthBearer/request');
(async () => {
  for (const authorizationIdentity of [undefined, 'alice']) {
    const message = await request({ authorizationIdentity }, { value: 'token' });
    const bytes = await message.encode(); // behind four bytes with the length
    console.log('kafkajs', JSON.stringify(bytes.subarray(4).toString().replaceAll('\u0001', '|')));
  }
})();
JS
cat >main.go <<'GO'
package main

import (
	"fmt"
	"strings"

	"github.com/emersion/go-sasl"
)

func main() {
	for _, name := range []string{"", "alice", "smith,alice"} {
		client := sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: name, Token: "token"})
		_, message, err := client.Start()
		fmt.Printf("go-sasl %q %v, read %v\n", strings.ReplaceAll(string(message), "\x01", "|"), err, isRead(message))
	}
	for _, text := range []string{
		"n,,|auth=Bearer token||", "y,,|auth=Bearer token||", "n,,|auth=Bearer token|trace=1||", "n,,|auth=||",
	} {
		fmt.Printf("go-sasl's server: %q read %v\n", text, isRead([]byte(strings.ReplaceAll(text, "|", "\x01"))))
	}
}

// isRead reports whether the server could read a message, whatever it thinks of the token.
func isRead(message []byte) bool {
	read := false
	server := sasl.NewOAuthBearerServer(func(sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
		read = true
		return nil
	})
	server.Next(message)
	return read
}
GO
export GOMODCACHE="$work/mod" GOFLAGS=-modcacherw
go mod init finding >/dev/null 2>&1
go get github.com/emersion/go-sasl@v0.0.0-20241020182733-b788ff22d5a6 >/dev/null 2>&1
got=$(node main.js && go run main.go)
echo "$got"
want='kafkajs "n,,|auth=Bearer token||"
kafkajs "n,\"a=alice,|auth=Bearer token||"
go-sasl "n,,|auth=Bearer token||" <nil>, read true
go-sasl "n,a=alice,|auth=Bearer token||" <nil>, read true
go-sasl "n,a=smith,alice,|auth=Bearer token||" <nil>, read false
go-sasl'"'"'s server: "n,,|auth=Bearer token||" read true
go-sasl'"'"'s server: "y,,|auth=Bearer token||" read false
go-sasl'"'"'s server: "n,,|auth=Bearer token|trace=1||" read false
go-sasl'"'"'s server: "n,,|auth=||" read false'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
