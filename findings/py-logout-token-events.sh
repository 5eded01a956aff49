#!/usr/bin/env bash
# "events" of a logout token is an object that contains the logout event, whose value is an
# object that SHOULD be empty (OpenID Connect Back-Channel Logout 1.0, section 2.4), and
# one logical event may be described by several members (RFC 8417, section 2.2). The
# Python libraries oic and idpyoidc refuse a logout token whose event has a member, and
# one that has a second event beside the logout: then the session goes on. A provider
# that wants to be understood by all leaves the event empty and alone.
# Needs python3 with venv.
set -euo pipefail
python3 -c 'import ensurepip, venv' || { echo "python3 with venv is needed" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check oic==1.7.0 idpyoidc==5.0.0
cat >main.py <<'PY'
import time
from importlib.metadata import version

import idpyoidc.message.oidc.session
import oic.oic.message

LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
events = {
    "empty": {LOGOUT: {}},
    "with a member": {LOGOUT: {"reason": "signed out everywhere"}},
    "with a second event": {LOGOUT: {}, "https://op.example/events/signed-out-everywhere": {}},
}
libraries = {"oic": oic.oic.message, "idpyoidc": idpyoidc.message.oidc.session}

for library, module in libraries.items():
    print(library, version(library))
    for name, value in events.items():
        now = int(time.time())
        token = module.LogoutToken(
            iss="https://op.example", aud=["client"], sub="alice", sid="s", jti="j",
            iat=now, exp=now + 120, events=value,
        )
        try:
            print(name, token.verify(iss="https://op.example", aud="client", skew=10))
        except ValueError as error:
            print(name, f"False ({error})")
PY
got=$(env/bin/python -W ignore main.py)
echo "$got"
want='oic 1.7.0
empty True
with a member False (Wrong member value in "events")
with a second event False (Must only be one member in "events")
idpyoidc 5.0.0
empty True
with a member False (Wrong member value in "events")
with a second event False (Must only be one member in "events")'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
