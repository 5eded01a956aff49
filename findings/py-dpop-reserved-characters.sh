#!/usr/bin/env bash
# A DPoP proof names the address of its request in "htu" (RFC 9449, section 4.2). The
# client requests_oauth2client writes another one than it requests where the path has an
# encoded reserved character: it sends /a%3Ab and proves /a:b. The two are not
# equivalent (RFC 3986, section 2.2), and are no more alike after the normalization that
# RFC 9449, section 4.3 asks for. A server that compares answers 401; the library's own
# check of proofs refuses too. Paths with a URN or an e-mail address in them are such.
# Encoded slashes, spaces and letters stay as they are. Needs python3 with venv.
set -euo pipefail
python3 -c 'import ensurepip, venv' || { echo "python3 with venv is needed" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check requests-oauth2client==1.8.0 furl==2.1.4
cat >main.py <<'PY'
from importlib.metadata import version

import requests
from jwskate import SignedJwt
from requests_oauth2client import DPoPKey, DPoPToken, InvalidDPoPProof, validate_dpop_proof

key = DPoPKey.generate()
token = DPoPToken(access_token="token", _dpop_key=key)
print("requests_oauth2client", version("requests_oauth2client"), "furl", version("furl"))
for path in ("a", "a:b", "a%2Fb", "a%20b", "%C3%A4", "a%3Ab", "a%40b", "a%2Bb", "a%3Bb", "a%2Cb"):
    request = requests.Request("GET", f"https://rs.example/{path}", auth=token).prepare()
    proof = request.headers["DPoP"]
    try:
        validate_dpop_proof(proof, htm="GET", htu=request.url, alg="ES256")
        verdict = "accepted"
    except InvalidDPoPProof:
        verdict = "refused"
    print("sent", request.url, "proved", SignedJwt(proof).claims["htu"], verdict)
PY
got=$(env/bin/python main.py)
echo "$got"
want='requests_oauth2client 1.8.0 furl 2.1.4
sent https://rs.example/a proved https://rs.example/a accepted
sent https://rs.example/a:b proved https://rs.example/a:b accepted
sent https://rs.example/a%2Fb proved https://rs.example/a%2Fb accepted
sent https://rs.example/a%20b proved https://rs.example/a%20b accepted
sent https://rs.example/%C3%A4 proved https://rs.example/%C3%A4 accepted
sent https://rs.example/a%3Ab proved https://rs.example/a:b refused
sent https://rs.example/a%40b proved https://rs.example/a@b refused
sent https://rs.example/a%2Bb proved https://rs.example/a+b refused
sent https://rs.example/a%3Bb proved https://rs.example/a;b refused
sent https://rs.example/a%2Cb proved https://rs.example/a,b refused'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
