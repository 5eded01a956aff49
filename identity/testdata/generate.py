"""Writes vectors.json: SpacetimeDB identities and raw BLAKE3 hashes.

The hashes come from the PyPI package blake3, which binds the official Rust
crate, so that the Go implementation is compared with another one.

    python3 -m venv venv && venv/bin/pip install blake3==1.0.11
    venv/bin/python generate.py > vectors.json
"""

import json
import sys
from importlib.metadata import version

from blake3 import blake3

PAIRS = [
    ("known to every SpacetimeDB client", "localhost", "6d4b5430-00cf-4a99-932c-ad2d07bab841"),
    ("plain subject", "https://issuer.example", "alice"),
    ("trailing slash counts", "https://issuer.example/", "alice"),
    ("case of the subject counts", "https://issuer.example", "Alice"),
    ("case of the issuer counts", "https://ISSUER.example", "alice"),
    ("port in the issuer", "https://issuer.example:8443", "alice"),
    ("path in the issuer", "https://issuer.example/realms/chat", "alice"),
    ("space after the subject", "https://issuer.example", "alice "),
    ("one byte each", "i", "s"),
    ("numeric subject, as Google writes it", "https://accounts.google.com", "110169484474386276334"),
    ("subject with a bar, as Auth0 writes it", "https://tenant.eu.auth0.com/", "auth0|507f1f77bcf86cd799439011"),
    ("subject with two bars", "https://tenant.eu.auth0.com/", "oauth2|discord|80351110224678912"),
    ("subject that begins with a bar", "https://issuer.example", "|alice"),
    ("subject that ends with a bar", "https://issuer.example", "alice|"),
    ("subject that is a bar", "https://issuer.example", "|"),
    ("UUID subject, as Keycloak writes it", "https://sso.example/realms/main", "f3b8a5c2-6c5a-4f0e-9a51-0c5a3f1f0b7d"),
    ("Entra ID version 2", "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ"),
    ("Kubernetes service account", "https://kubernetes.default.svc.cluster.local", "system:serviceaccount:games:worker"),
    ("e-mail address as the subject", "https://issuer.example", "alice@example.com"),
    ("Latin letters beyond ASCII", "https://issuer.example", "Zoë Müller"),
    ("the same letters, decomposed", "https://issuer.example", "Zoe\u0308 Mu\u0308ller"),
    ("Japanese subject", "https://issuer.example", "山田太郎"),
    ("right-to-left subject", "https://issuer.example", "مستخدم"),
    ("four-byte characters", "https://issuer.example", "𝔞𝔩𝔦𝔠𝔢"),
    ("zero byte in the subject", "https://issuer.example", "a\u0000b"),
    ("internationalised host, not in Punycode", "https://bücher.example", "alice"),
    ("input of 63 bytes", "https://issuer.example", "s" * 40),
    ("input of 64 bytes, one BLAKE3 block", "https://issuer.example", "s" * 41),
    ("input of 65 bytes", "https://issuer.example", "s" * 42),
    ("longest subject", "https://issuer.example", "s" * 128),
    ("longest issuer", "https://issuer.example/".ljust(128, "p"), "alice"),
    ("longest issuer and subject", "https://issuer.example/".ljust(128, "p"), "s" * 128),
    ("longest subject, in two-byte characters", "https://issuer.example", "é" * 64),
]

# Around BLAKE3's block (64 bytes), its chunk (1024) and the first tree levels.
LENGTHS = [
    0, 1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257,
    1023, 1024, 1025, 2047, 2048, 2049, 3072, 3073, 4096, 4097,
    5120, 5121, 7168, 8192, 8193, 16384, 16385, 31744, 102400,
]


def identity(issuer, subject):
    fingerprint = blake3(f"{issuer}|{subject}".encode()).digest()[:26]
    check = blake3(b"\xc2\x00" + fingerprint).digest()[:4]
    return (b"\xc2\x00" + check + fingerprint).hex()


def repeating(length):
    """The input of the official BLAKE3 vectors: 0, 1, ... 250, 0, 1, ..."""
    return bytes(i % 251 for i in range(length))


def main():
    json.dump(
        {
            "generator": "blake3 " + version("blake3"),
            "identities": [
                {"name": n, "issuer": i, "subject": s, "identity": identity(i, s)}
                for n, i, s in PAIRS
            ],
            "hashes": [
                {"length": n, "blake3": blake3(repeating(n)).hexdigest()} for n in LENGTHS
            ],
        },
        sys.stdout,
        indent=1,
        ensure_ascii=True,
    )
    print()


main()
