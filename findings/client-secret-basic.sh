#!/usr/bin/env bash
# A client that shows its secret by HTTP Basic writes ID and secret as in a form first, in
# UTF-8 and with percent signs, and then joins them by a colon (RFC 6749, section 2.3.1). Go's
# and Node's libraries do that, three of Python's do not: they send what they were given, two of
# them in Latin-1. So a provider that reads what the RFC has, and one that takes HTTP Basic
# as it is, each refuse some clients whose secret is right, where it has a "%" or a "+" or
# the ID a colon. A secret of letters and digits is read alike by all, and so is one that is
# sent by client_secret_post.
# Needs Go, Node.js with npm, and python3 with venv.
set -euo pipefail
python3 -c 'import ensurepip, venv' || { echo "python3 with venv is needed" >&2; exit 2; }
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
npm install --ignore-scripts --no-audit --no-fund --silent oauth4webapi@3.8.8 >/dev/null
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check requests_oauth2client==1.8.0 Authlib==1.9.10 requests-oauthlib==2.0.0 oauthlib==4.0.1 requests==2.34.2

# A token endpoint that writes down what it was shown, byte by byte.
cat >provider.mjs <<'JS'
import { createServer } from 'node:http';
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
const server = createServer((request, response) => {
  const shown = Buffer.from(request.headers.authorization.slice('Basic '.length), 'base64').toString('latin1');
  appendFileSync('shown', shown.replace(/[^ -~]/g, c => '\\x' + c.charCodeAt(0).toString(16)) + '\n');
  response.setHeader('Content-Type', 'application/json');
  response.end('{"access_token":"a","token_type":"Bearer","expires_in":300}');
}).listen(0, '127.0.0.1', () => {
  writeFileSync('new', `http://127.0.0.1:${server.address().port}/token`);
  renameSync('new', 'address');
});
JS
node provider.mjs & server=$!
until [ -e address ]; do sleep 0.1; done
export TOKEN_URL SECRET='a+b%20c/d=é' OAUTHLIB_INSECURE_TRANSPORT=1
TOKEN_URL=$(cat address)
cat >ask.py <<'PY'
import os
import sys

url, secret = os.environ["TOKEN_URL"], os.environ["SECRET"]
match sys.argv[1]:
    case "requests_oauth2client":
        from requests_oauth2client import ClientSecretBasic, OAuth2Client

        OAuth2Client(url, auth=ClientSecretBasic("app:1", secret), testing=True).client_credentials()
    case "Authlib":
        from authlib.integrations.requests_client import OAuth2Session

        OAuth2Session("app:1", secret, token_endpoint_auth_method="client_secret_basic").fetch_token(url, grant_type="client_credentials")
    case "requests-oauthlib":
        from oauthlib.oauth2 import BackendApplicationClient
        from requests_oauthlib import OAuth2Session

        OAuth2Session(client=BackendApplicationClient("app:1")).fetch_token(url, client_id="app:1", client_secret=secret)
PY
cat >ask.mjs <<'JS'
import * as oauth from 'oauth4webapi';
const token_endpoint = process.env.TOKEN_URL;
await oauth.clientCredentialsGrantRequest({ issuer: new URL(token_endpoint).origin, token_endpoint }, { client_id: 'app:1' },
  oauth.ClientSecretBasic(process.env.SECRET), {}, { [oauth.allowInsecureRequests]: true });
JS
cat >main.go <<'GO'
package main

import (
	"context"
	"os"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	c := clientcredentials.Config{
		ClientID: "app:1", ClientSecret: os.Getenv("SECRET"), TokenURL: os.Getenv("TOKEN_URL"), AuthStyle: oauth2.AuthStyleInHeader,
	}
	if _, err := c.Token(context.Background()); err != nil {
		panic(err)
	}
}
GO
export GOMODCACHE="$work/mod" GOFLAGS=-modcacherw
go mod init finding >/dev/null 2>&1
go get golang.org/x/oauth2@v0.33.0 >/dev/null 2>&1
for library in requests_oauth2client Authlib requests-oauthlib; do env/bin/python -W ignore ask.py "$library"; done
node ask.mjs
go run .
got=$(paste -d ' ' <(printf '%s\n' requests_oauth2client: Authlib: requests-oauthlib: oauth4webapi: x/oauth2:) shown)
echo "$got"
want='requests_oauth2client: app:1:a+b%20c/d=\xc3\xa9
Authlib: app:1:a+b%20c/d=\xe9
requests-oauthlib: app:1:a+b%20c/d=\xe9
oauth4webapi: app%3A1:a%2Bb%2520c%2Fd%3D%C3%A9
x/oauth2: app%3A1:a%2Bb%2520c%2Fd%3D%C3%A9'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
