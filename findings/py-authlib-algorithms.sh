#!/usr/bin/env bash
# Access tokens may be signed by any algorithm that issuer and server agree on (RFC 9068,
# section 2.1), and so may the assertions by which clients sign in (RFC 7523, section 3);
# the FAPI 2.0 Security Profile, section 5.4, wants PS256, ES256 or EdDSA. Authlib's
# resource server and client authentication take no PS256 and no EdDSA, and have no
# parameter for them: they leave the choice to joserfc, which takes what it recommends
# where nobody says. Given the algorithm, that library verifies the same tokens. An issuer
# that changes its algorithm, or a client that signs with PS256, is locked out.
# Needs python3 with venv.
set -euo pipefail
python3 -c 'import ensurepip, venv' || { echo "python3 with venv is needed" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check Authlib==1.9.10 joserfc==1.8.0 cryptography==50.0.2
cat >main.py <<'PY'
import time
from importlib.metadata import version
from types import SimpleNamespace

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey


class Server(JWTBearerTokenValidator):
    def get_jwks(self):
        return KeySet([key])


class Clients(JWTBearerClientAssertion):
    def get_audiences(self):
        return ["https://op.example"]

    def resolve_client_public_key(self, client):
        return KeySet([key])


def accepted(check):
    try:
        return check() is not None
    except OAuth2Error as error:
        return f"{error.__cause__ or error.description}".rpartition(": ")[2]


rsa = RSAKey.generate_key(2048)
keys = {"RS256": rsa, "ES256": ECKey.generate_key("P-256"), "PS256": rsa, "EdDSA": OKPKey.generate_key("Ed25519")}
client = SimpleNamespace(check_endpoint_auth_method=lambda method, endpoint: True)
print("Authlib", version("Authlib"), "joserfc", version("joserfc"))
for alg, key in keys.items():
    now = int(time.time())
    claims = {"iss": "https://op.example", "aud": "rs", "sub": "alice", "client_id": "c", "jti": "1"}
    claims |= {"iat": now, "exp": now + 60}
    token = jwt.encode({"alg": alg, "typ": "at+jwt"}, claims, key, algorithms=[alg])
    claims |= {"iss": "c", "aud": "https://op.example", "sub": "c"}
    assertion = jwt.encode({"alg": alg}, claims, key, algorithms=[alg])
    form = {"client_assertion_type": Clients.CLIENT_ASSERTION_TYPE, "client_assertion": assertion}
    print(alg, "by joserfc:", jwt.decode(token, key, algorithms=[alg]).claims["sub"] == "alice")
    print(alg, "as access token:", accepted(lambda: Server("https://op.example", "rs").authenticate_token(token)))
    print(alg, "as assertion:", accepted(lambda: Clients(validate_jti=False)(lambda name: client, SimpleNamespace(form=form))))
PY
got=$(env/bin/python -W ignore main.py)
echo "$got"
want="Authlib 1.9.10 joserfc 1.8.0
RS256 by joserfc: True
RS256 as access token: True
RS256 as assertion: True
ES256 by joserfc: True
ES256 as access token: True
ES256 as assertion: True
PS256 by joserfc: True
PS256 as access token: Algorithm of 'PS256' is not recommended
PS256 as assertion: Algorithm of 'PS256' is not recommended
EdDSA by joserfc: True
EdDSA as access token: Algorithm of 'EdDSA' is not recommended
EdDSA as assertion: Algorithm of 'EdDSA' is not recommended"
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
