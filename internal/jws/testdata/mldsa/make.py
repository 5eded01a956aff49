"""Makes tokens.json: tokens that another implementation has signed with ML-DSA.

    python3 -m venv v && v/bin/pip install jwcrypto==1.6.1 cryptography==50.0.2
    v/bin/python make.py > tokens.json

The keys are new with each run, and nobody has kept the private ones.
"""

import json

from cryptography import __version__ as cryptography
from jwcrypto import jwk, jwt

CLAIMS = {"iss": "https://issuer.test", "sub": "alice", "aud": "my-db", "iat": 1700000000, "exp": 4102444800}

made = []
for alg in ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"]:
    key = jwk.JWK.generate(kty="AKP", alg=alg)
    private = json.loads(key.export())
    public = {k: v for k, v in private.items() if k != "priv"}
    public["kid"] = key.thumbprint()
    token = jwt.JWT(header={"alg": alg, "typ": "JWT", "kid": key.thumbprint()}, claims=CLAIMS)
    token.make_signed_token(key)
    made.append({"key": public, "token": token.serialize()})

print(json.dumps({"by": f"jwcrypto 1.6.1, cryptography {cryptography}", "tokens": made}, indent=1))
