"""An OpenID Connect issuer as applications build it with Authlib.

It hands Authlib a single key, as Authlib's own examples do, and Authlib then
signs without a key ID. The issuer prints its URL, and ends with its input.

    GET  /token?kind=KIND        a token by Authlib: "access" of a service, "person",
                                 "namesake" of a service with the person's name,
                                 "other" for another server, "opaque", or "id"
    POST /rotate                 replaces the key; the answer is its number
    GET  /rotate                 the number of the key in use
"""

import http.server
import json
import secrets
import sys
import threading
import urllib.parse

from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from authlib.oidc.core.grants.util import generate_id_token
from joserfc.jwk import RSAKey

AUDIENCE = "my-db"


class Client:
    """The service that tokens are for, as Authlib asks for it."""

    def __init__(self, name="importer"):
        self.name = name

    def get_client_id(self):
        return self.name

    def get_allowed_scope(self, scope):
        return scope


class Person:
    """A user of the application, as Authlib asks for their number."""

    def get_user_id(self):
        return "alice"


class Keys:
    """The key in use, and its number. Before a key signs, it is published."""

    def __init__(self):
        self.lock = threading.Lock()
        self.number = 0
        self.key = RSAKey.generate_key(2048)

    def rotate(self):
        key = RSAKey.generate_key(2048)
        with self.lock:
            self.number += 1
            self.key = key
            return self.number

    def current(self):
        with self.lock:
            return self.key, self.number


KEYS = Keys()


class AccessTokens(JWTBearerTokenGenerator):
    """Authlib's access tokens (RFC 9068), signed with one key."""

    def __init__(self, issuer, key, number, audience=AUDIENCE):
        super().__init__(issuer)
        self.key, self.number, self.audience = key, number, audience

    def get_jwks(self):
        return self.key

    def get_audiences(self, client, user, scope):
        return self.audience

    def get_extra_claims(self, client, grant_type, user, scope):
        return {"key_number": self.number}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        issuer = "http://%s:%d" % self.server.server_address
        if url.path == "/.well-known/openid-configuration":
            return self.answer({"issuer": issuer, "jwks_uri": issuer + "/jwks"})
        if url.path == "/jwks":
            key, _ = KEYS.current()
            return self.answer({"keys": [key.as_dict(private=False)]})
        if url.path == "/rotate":
            return self.answer({"key_number": KEYS.current()[1]})
        if url.path != "/token":
            return self.send_error(404)
        key, number = KEYS.current()
        kind = urllib.parse.parse_qs(url.query)["kind"][0]
        token = self.make(kind, issuer, key, number)
        if isinstance(token, bytes):
            token = token.decode()
        return self.answer({"token": token, "key_number": number})

    def make(self, kind, issuer, key, number):
        if kind == "id":
            return generate_id_token(
                {}, {"sub": "alice", "key_number": number}, key, issuer, "app"
            )
        grant = {"client": Client(), "grant_type": "client_credentials", "scope": "write"}
        if kind == "person":
            grant.update(client=Client("app"), grant_type="authorization_code", user=Person())
        if kind == "namesake":
            grant.update(client=Client("alice"))
        if kind == "opaque":
            generator = BearerTokenGenerator(lambda *_, **__: secrets.token_urlsafe(32))
        elif kind == "other":
            generator = AccessTokens(issuer, key, number, "other-db")
        else:
            generator = AccessTokens(issuer, key, number)
        return generator(**grant)["access_token"]

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/rotate":
            return self.send_error(404)
        return self.answer({"key_number": KEYS.rotate()})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("http://%s:%d" % server.server_address, flush=True)
    sys.stdin.read()


main()
