#!/usr/bin/env bash
# forward_auth of Caddy hands headers of the answer on to the service (copy_headers). Of one
# that the answer does not have, the Caddy of Debian 12 hands on the name of its own
# placeholder: a service that takes X-Role for a role, or X-User for somebody, sees
# "{http.reverse_proxy.header.X-Role}" there. An authority that is asked by it sends each
# header that is copied, an empty one where it has nothing to say.
# Needs the package lists of Debian 12, dpkg, curl and Node.js.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap '[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}"; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq caddy=2.6.2-5 2>/dev/null
dpkg -x caddy_2.6.2-5_*.deb root
# The authority, which names a user and no role, and the service, which tells what it got.
cat >servers.mjs <<'JS'
import { createServer } from 'node:http';
import { renameSync, writeFileSync } from 'node:fs';
const listen = handler => new Promise(done => {
  const server = createServer(handler).listen(0, '127.0.0.1', () => done(server.address().port));
});
const authority = await listen((request, response) => response.setHeader('X-User', 'alice').end());
const service = await listen((request, response) =>
  response.end(`X-User: ${request.headers['x-user']}\nX-Role: ${request.headers['x-role']}\n`));
const free = await new Promise(done => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});
writeFileSync('Caddyfile', `{
	admin off
	auto_https off
}
http://127.0.0.1:${free} {
	forward_auth 127.0.0.1:${authority} {
		uri /
		copy_headers X-User X-Role
	}
	reverse_proxy 127.0.0.1:${service}
}
`);
writeFileSync('new', `http://127.0.0.1:${free}/`);
renameSync('new', 'address');
JS
node servers.mjs & pids+=($!)
until [ -e address ]; do sleep 0.1; done
HOME=$work root/usr/bin/caddy run --config Caddyfile --adapter caddyfile >caddy.log 2>&1 & pids+=($!)
got=$(printf 'Caddy %s\n' "$(root/usr/bin/caddy version)"; curl -sS --retry 20 --retry-delay 1 --retry-connrefused "$(cat address)" 2>/dev/null)
echo "$got"
want='Caddy 2.6.2
X-User: alice
X-Role: {http.reverse_proxy.header.X-Role}'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
