#!/usr/bin/env bash
# PyJWT takes an RSA key of a key set that does not say its algorithm for a key of RS256
# alone: a token that is signed with the same key by PS256 or RS512 is refused, although
# the caller lists that algorithm. The member "alg" of a key is optional (RFC 7517,
# section 4.4), and Spring Authorization Server, for one, leaves it out. An issuer that
# goes from RS256 to PS256 without a new key locks such verifiers out. The key inside,
# PyJWK.key, verifies all three; so does the key with "alg". Needs python3 with venv.
set -euo pipefail
python3 -c 'import ensurepip, venv' || { echo "python3 with venv is needed" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check PyJWT==2.15.1 cryptography==50.0.2
cat >main.py <<'PY'
import json

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
public = json.loads(RSAAlgorithm.to_jwk(private.public_key()))
plain = {member: public[member] for member in ("kty", "n", "e")} | {"kid": "k", "use": "sig"}


def accepted(token, key, alg):
    try:
        return jwt.decode(token, key, algorithms=[alg])["sub"] == "alice"
    except jwt.InvalidTokenError as error:
        return f"False ({error})"


print("PyJWT", jwt.__version__)
for alg in ("RS256", "RS512", "PS256"):
    token = jwt.encode({"sub": "alice"}, private, algorithm=alg, headers={"kid": "k"})
    key = jwt.PyJWKSet.from_dict({"keys": [plain]})["k"]
    print(alg, "as PyJWK:", accepted(token, key, alg))
    print(alg, "as PyJWK.key:", accepted(token, key.key, alg))
    key = jwt.PyJWKSet.from_dict({"keys": [plain | {"alg": alg}]})["k"]
    print(alg, "as PyJWK with alg:", accepted(token, key, alg))
PY
got=$(env/bin/python main.py)
echo "$got"
want="PyJWT 2.15.1
RS256 as PyJWK: True
RS256 as PyJWK.key: True
RS256 as PyJWK with alg: True
RS512 as PyJWK: False (Token algorithm 'RS512' does not match the key's algorithm 'RS256')
RS512 as PyJWK.key: True
RS512 as PyJWK with alg: True
PS256 as PyJWK: False (Token algorithm 'PS256' does not match the key's algorithm 'RS256')
PS256 as PyJWK.key: True
PS256 as PyJWK with alg: True"
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
