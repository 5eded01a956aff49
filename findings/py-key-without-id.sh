#!/usr/bin/env bash
# A key ID is optional in a key (RFC 7517, section 4.5), and a provider with one key may
# leave it out of tokens, too (OpenID Connect Core 1.0, section 10.1). PyJWT reads such a
# set, but its client, which fetches one, says of the endpoint that it has no signing keys:
# it passes over keys without an ID. joserfc verifies the token by the same set. Whoever
# runs a provider gives each key an ID.
# Needs python3 with venv.
set -euo pipefail
python3 -c 'import ensurepip, venv' || { echo "python3 with venv is needed" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check 'PyJWT[crypto]==2.15.1' joserfc==1.8.0
cat >main.py <<'PY'
import http.server
import json
import threading
import time
from importlib.metadata import version

import joserfc.jwk
import joserfc.jwt
import jwt

key = joserfc.jwk.RSAKey.generate_key(2048)
keys = {"keys": [key.as_dict(private=False) | {"alg": "RS256", "use": "sig"}]}
for k in keys["keys"]:
    k.pop("kid", None)
now = int(time.time())
token = joserfc.jwt.encode({"alg": "RS256"}, {"sub": "alice", "aud": "db", "exp": now + 600}, key)


class Provider(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(keys).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=provider.serve_forever, daemon=True).start()


def told(check):
    try:
        check()
        return "accepted"
    except Exception as error:
        return str(error)


def by_client():
    client = jwt.PyJWKClient(f"http://127.0.0.1:{provider.server_port}/keys")
    return jwt.decode(token, client.get_signing_key_from_jwt(token), algorithms=["RS256"], audience="db")


def by_set():
    return jwt.decode(token, jwt.PyJWKSet.from_dict(keys).keys[0], algorithms=["RS256"], audience="db")


print("PyJWT", version("PyJWT"), "client:", told(by_client))
print("PyJWT", version("PyJWT"), "set:", told(by_set))
print("joserfc", version("joserfc"), "set:", told(lambda: joserfc.jwt.decode(token, joserfc.jwk.KeySet.import_key_set(keys))))
PY
got=$(env/bin/python -W ignore main.py)
echo "$got"
want='PyJWT 2.15.1 client: The JWKS endpoint did not contain any signing keys
PyJWT 2.15.1 set: accepted
joserfc 1.8.0 set: accepted'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
