#!/usr/bin/env bash
# A server tells clients where its metadata are by `resource_metadata` in a challenge
# (RFC 9728, section 5.1), which may be one of several in the answer, whose parameters
# have names in any case and may have blanks around "=" (RFC 9110, section 11). Of the
# three SDKs of the Model Context Protocol that were asked, that for TypeScript finds it
# in an answer whose first challenge is Bearer alone, and neither that nor the one for
# Python finds it where the name has a capital or blanks follow it. That for Go finds it in
# all of these, and nothing in any challenge of an answer in which one parameter is an empty
# string, as in realm="". All find the form that everybody writes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --ignore-scripts --no-audit --no-fund --silent @modelcontextprotocol/sdk@1.32.2 >/dev/null
python3 -m venv python
python/bin/pip --quiet --disable-pip-version-check install mcp==2.3.0 >/dev/null
mkdir go
cat >answers.json <<'JSON'
[["as everybody", ["Bearer resource_metadata=\"https://a.example/m\""]],
 ["after DPoP", ["DPoP algs=\"ES256\"", "Bearer resource_metadata=\"https://a.example/m\""]],
 ["before DPoP", ["Bearer resource_metadata=\"https://a.example/m\"", "DPoP algs=\"ES256\""]],
 ["capital", ["Bearer Resource_Metadata=\"https://a.example/m\""]],
 ["blanks", ["Bearer resource_metadata = \"https://a.example/m\""]],
 ["empty realm", ["Bearer realm=\"\", resource_metadata=\"https://a.example/m\""]]]
JSON
cat >main.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js';

for (const [name, challenges] of JSON.parse(readFileSync('answers.json'))) {
  const headers = new Headers(challenges.map(c => ['WWW-Authenticate', c]));
  const found = extractWWWAuthenticateParams(new Response(null, { status: 401, headers }));
  console.log(`TypeScript, ${name}: ${found.resourceMetadataUrl?.href === 'https://a.example/m'}`);
}
JS
cat >main.py <<'PY'
import json
from httpx2 import Response
from mcp.client.auth.utils import extract_resource_metadata_from_www_auth as find

for name, challenges in json.load(open("answers.json")):
    found = find(Response(401, headers=[("WWW-Authenticate", c) for c in challenges]))
    print(f"Python, {name}: {str(found == 'https://a.example/m').lower()}")
PY
cat >go/main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

func main() {
	text, err := os.ReadFile("../answers.json")
	if err != nil {
		panic(err)
	}
	var answers [][2]json.RawMessage
	if err := json.Unmarshal(text, &answers); err != nil {
		panic(err)
	}
	for _, a := range answers {
		var name string
		var headers []string
		json.Unmarshal(a[0], &name)
		json.Unmarshal(a[1], &headers)
		challenges, _ := oauthex.ParseWWWAuthenticate(headers)
		found := false
		for _, c := range challenges {
			found = found || c.Params["resource_metadata"] == "https://a.example/m"
		}
		fmt.Printf("Go, %s: %t\n", name, found)
	}
}
GO
export GOMODCACHE="$work/mod" GOFLAGS=-modcacherw
cd go
go mod init finding >/dev/null 2>&1
go get github.com/modelcontextprotocol/go-sdk/oauthex@v1.8.0 >/dev/null 2>&1
go build -o asked . 2>/dev/null
cd ..
got=$(node main.mjs; python/bin/python main.py; cd go && ./asked)
want='TypeScript, as everybody: true
TypeScript, after DPoP: false
TypeScript, before DPoP: true
TypeScript, capital: false
TypeScript, blanks: false
TypeScript, empty realm: true
Python, as everybody: true
Python, after DPoP: true
Python, before DPoP: true
Python, capital: false
Python, blanks: false
Python, empty realm: true
Go, as everybody: true
Go, after DPoP: true
Go, before DPoP: true
Go, capital: true
Go, blanks: true
Go, empty realm: false'
echo "$got"
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
