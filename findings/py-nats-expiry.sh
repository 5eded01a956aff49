#!/usr/bin/env bash
# A NATS server ends a connection whose user has expired with "User Authentication Expired",
# as an auth callout does that lets a user in for as long as their token is good. The clients
# for Go and JavaScript then ask their token function again and are back with the next token.
# That for Python takes a function for the token, too, asks it once, and closes for good:
# neither allow_reconnect nor max_reconnect_attempts changes that, and the subscriptions are
# gone. Such a program has to connect anew in its closed_cb, or before the token's end.
# Known there as https://github.com/nats-io/nats.py/issues/1019.
set -euo pipefail
for needed in go node npm python3; do
    command -v "$needed" >/dev/null || { echo "$needed is needed" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --ignore-scripts --no-audit --no-fund --silent @nats-io/transport-node@3.4.0 >/dev/null
python3 -m venv python
python/bin/pip --quiet --disable-pip-version-check install nats-py==2.16.0 >/dev/null
cat >main.mjs <<'JS'
import { connect, tokenAuthenticator } from '@nats-io/transport-node';

let asked = 0;
const nc = await connect({
  servers: process.argv[2], maxReconnectAttempts: -1, reconnectTimeWait: 500,
  authenticator: tokenAuthenticator(() => `token ${++asked}`),
});
await new Promise(done => setTimeout(done, 8000));
console.log(`nats.js: asked for ${asked}, closed ${nc.isClosed()}`);
await nc.close();
JS
cat >main.py <<'PY'
import asyncio
import sys

import nats

asked = 0


def token():
    global asked
    asked += 1
    return f"token {asked}"


async def quiet(error):
    pass


async def main():
    nc = await nats.connect(sys.argv[1], token=token, allow_reconnect=True, max_reconnect_attempts=-1,
                            reconnect_time_wait=0.5, error_cb=quiet)
    await asyncio.sleep(8)
    print(f"nats.py: asked for {asked}, closed {str(nc.is_closed).lower()}")
    if not nc.is_closed:
        await nc.close()


asyncio.run(main())
PY
mkdir go
cat >go/main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

const config = `
listen: "127.0.0.1:-1"
accounts { AUTH { users: [{user: auth, password: auth}] }, APP {} }
authorization { auth_callout { issuer: %s, auth_users: [auth], account: AUTH } }
`

// start has a server whose callout lets in whoever brings a token: for two seconds with
// the first one, and for an hour with the next.
func start() string {
	issuer := must(nkeys.CreateAccount())
	os.WriteFile("server.conf", fmt.Appendf(nil, config, must(issuer.PublicKey())), 0o600)
	options := must(server.ProcessConfigFile("server.conf"))
	options.NoLog, options.NoSigs = true, true
	s := must(server.NewServer(options))
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		panic("not started")
	}
	callout := must(nats.Connect(s.ClientURL(), nats.UserInfo("auth", "auth")))
	must(callout.Subscribe("$SYS.REQ.USER.AUTH", func(m *nats.Msg) {
		asked := must(jwt.DecodeAuthorizationRequestClaims(string(m.Data)))
		user := jwt.NewUserClaims(asked.UserNkey)
		user.Audience = "APP"
		user.Expires = time.Now().Add(time.Hour).Unix()
		if asked.ConnectOptions.Token == "token 1" {
			user.Expires = time.Now().Add(2 * time.Second).Unix()
		}
		answer := jwt.NewAuthorizationResponseClaims(asked.UserNkey)
		answer.Audience = asked.Server.ID
		answer.Jwt = must(user.Encode(issuer))
		m.Respond([]byte(must(answer.Encode(issuer))))
	}))
	must(0, callout.Flush())
	return s.ClientURL()
}

func main() {
	url := start()
	asked := 0
	nc := must(nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(500*time.Millisecond),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
		nats.TokenHandler(func() string { asked++; return fmt.Sprint("token ", asked) })))
	time.Sleep(8 * time.Second)
	fmt.Printf("nats.go: asked for %d, closed %t\n", asked, nc.IsClosed())
	for _, line := range [][]string{{"node", "main.mjs", url}, {"python/bin/python", "main.py", url}} {
		client := exec.Command(line[0], line[1:]...)
		client.Stderr = os.Stderr
		os.Stdout.Write(must(client.Output()))
	}
}
GO
export GOMODCACHE="$work/mod" GOFLAGS=-modcacherw
cd go
go mod init finding >/dev/null 2>&1
go get github.com/nats-io/nats-server/v2@v2.15.3 github.com/nats-io/nats.go@v1.55.0 github.com/nats-io/jwt/v2@v2.8.3 >/dev/null 2>&1
go build -o ../asked . 2>/dev/null
cd ..
echo "nats.js 3.4.0, $(python/bin/pip --disable-pip-version-check list --format freeze | grep nats-py)"
go version -m asked | sed -nE 's#.*nats-io/(nats-server/v2|nats.go)[[:space:]]+(v[0-9.]+).*#\1 \2#p'
got=$(./asked)
echo "$got"
want='nats.go: asked for 2, closed false
nats.js: asked for 2, closed false
nats.py: asked for 1, closed true'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
