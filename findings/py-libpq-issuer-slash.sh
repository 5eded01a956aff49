#!/usr/bin/env bash
# libpq signs in by OAuth at a server that names the discovery document of its issuer, and
# compares the issuer with its user's oauth_issuer. It takes for the issuer what stands in
# front of "/.well-known/" in the document's address. That of an issuer whose name ends in a
# slash, as Auth0's do, has one slash there (OpenID Connect Discovery 1.0, section 4.1): the
# name never fits, unless the server gives an address with two. Where it fits libpq goes on
# to fetch a token, for which the package of this script has no way.
# Needs python3 with venv.
set -euo pipefail
python3 -c 'import ensurepip, venv' || { echo "python3 with venv is needed" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check psycopg==3.3.9 psycopg-binary==3.3.9
cat >main.py <<'PY'
import json
import socket
import struct
import threading

import psycopg

AUTHENTICATION = b"R"
SASL, SASL_CONTINUE = 10, 11


def message(kind, code, body):
    return kind + struct.pack(">ii", 8 + len(body), code) + body


def exactly(conn, n):
    data = b""
    while len(data) < n:
        more = conn.recv(n - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def serve(listener, discovery):
    """Answers one client as a server does that wants a token, and has got none yet."""
    conn, _ = listener.accept()
    with conn:
        exactly(conn, struct.unpack(">i", exactly(conn, 4))[0] - 4)  # the startup message
        conn.sendall(message(AUTHENTICATION, SASL, b"OAUTHBEARER\0\0"))
        exactly(conn, struct.unpack(">xi", exactly(conn, 5))[0] - 4)  # no token
        challenge = {"status": "invalid_token", "scope": "openid", "openid-configuration": discovery}
        conn.sendall(message(AUTHENTICATION, SASL_CONTINUE, json.dumps(challenge).encode()))
        conn.recv(1)


print("libpq", psycopg.pq.version())
for slashes, issuer in (1, "https://op.example"), (1, "https://op.example/"), (2, "https://op.example/"):
    listener = socket.create_server(("127.0.0.1", 0))
    discovery = "https://op.example" + slashes * "/" + ".well-known/openid-configuration"
    threading.Thread(target=serve, args=(listener, discovery), daemon=True).start()
    try:
        psycopg.connect(host="127.0.0.1", port=listener.getsockname()[1], dbname="db", user="alice",
                        sslmode="disable", gssencmode="disable", oauth_issuer=issuer, oauth_client_id="client")
    except psycopg.OperationalError as error:
        print(issuer + ":", str(error).splitlines()[0].split("failed: ")[-1])
    listener.close()
PY
got=$(env/bin/python main.py)
echo "$got"
want='libpq 180006
https://op.example: no OAuth flows are available (try installing the libpq-oauth package)
https://op.example/: server'"'"'s discovery document at https://op.example/.well-known/openid-configuration (issuer "https://op.example") is incompatible with oauth_issuer (https://op.example/)
https://op.example/: no OAuth flows are available (try installing the libpq-oauth package)'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
