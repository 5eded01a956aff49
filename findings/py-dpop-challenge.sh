#!/usr/bin/env bash
# A server that refuses a token bound to a key answers 401 with a DPoP challenge, whose
# error says why: "invalid_token" for one that has expired, "use_dpop_nonce" where a proof
# needs a nonce (RFC 9449, sections 7.1 and 9). requests_oauth2client takes each DPoP
# challenge for the latter: a caller whose token has expired gets an exception about a
# nonce that is missing, or repeated, and never the answer. And it looks at how the header begins: where a
# Bearer challenge comes first, as a server may send that takes both (RFC 9110, section
# 11.6.1), the nonce that is asked for is not sent.
# Needs python3 with venv.
set -euo pipefail
python3 -c 'import ensurepip, venv' || { echo "python3 with venv is needed" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check requests_oauth2client==1.8.0
cat >main.py <<'PY'
import http.server
import threading
from importlib.metadata import version

import requests
from requests_oauth2client import DPoPKey, DPoPToken

requests_seen = 0


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global requests_seen
        requests_seen += 1
        self.send_response(401)
        self.send_header("WWW-Authenticate", challenges[self.path][0])
        if challenges[self.path][1]:
            self.send_header("DPoP-Nonce", "nonce")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


challenges = {
    "/expired": ('DPoP algs="ES256", error="invalid_token"', False),
    "/expired-later": ('DPoP algs="ES256", error="invalid_token"', True),
    "/nonce": ('DPoP algs="ES256", error="use_dpop_nonce"', True),
    "/both": ('Bearer, DPoP algs="ES256", error="use_dpop_nonce"', True),
}
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("requests_oauth2client", version("requests_oauth2client"))
for path in challenges:
    requests_seen = 0
    nonce = "nonce" if path == "/expired-later" else None  # that it was told before
    token = DPoPToken(access_token="abc.def", _dpop_key=DPoPKey.generate(rs_nonce=nonce))
    try:
        result = requests.get(f"http://127.0.0.1:{server.server_port}{path}", auth=token, timeout=10).status_code
    except Exception as error:
        result = type(error).__name__
    print(path, result, "after", requests_seen, "request" + "s" * (requests_seen > 1))
PY
got=$(env/bin/python -W ignore main.py)
echo "$got"
want='requests_oauth2client 1.8.0
/expired MissingDPoPNonce after 1 request
/expired-later RepeatedDPoPNonce after 1 request
/nonce 401 after 2 requests
/both 401 after 1 request'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
