#!/usr/bin/env bash
# EdDSA over the curve Ed25519 has two names since October 2025: "EdDSA", which is
# deprecated, and "Ed25519" (RFC 9864). Either may be the "alg" of a
# key and of a token, and libraries differ in which pairs they verify, by the same key and
# signature. Of eight, half take a token that is named Ed25519, by a key of that name; to
# PyJWT such a key is none that it could use, and a key set of such keys is an error. All
# eight take the deprecated name in both places, and all but jwx a key without a name.
# Needs Go, Node.js with npm, and python3 with venv.
set -euo pipefail
python3 -c 'import ensurepip, venv' || { echo "python3 with venv is needed" >&2; exit 2; }
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
npm install --ignore-scripts --no-audit --no-fund --silent jose@6.2.18 fast-jwt@6.3.6 >/dev/null
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check PyJWT==2.15.1 joserfc==1.8.0 jwcrypto==1.6.1 cryptography==50.0.2

# One line for each pair: the name in the key, the name in the token, the set, the token, the key as PEM.
cat >make.mjs <<'JS'
import { generateKeyPairSync, sign } from 'node:crypto';
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
const pem = publicKey.export({ type: 'spki', format: 'pem' });
for (const ofKey of ['none', 'EdDSA', 'Ed25519']) {
  for (const ofToken of ['EdDSA', 'Ed25519']) {
    const input = part({ alg: ofToken, kid: 'k' }) + '.' + part({ sub: 'alice', exp: Math.floor(Date.now() / 1000) + 600 });
    const token = input + '.' + sign(null, Buffer.from(input), privateKey).toString('base64url');
    const key = { ...publicKey.export({ format: 'jwk' }), kid: 'k', ...(ofKey !== 'none' && { alg: ofKey }) };
    console.log(JSON.stringify({ pair: `${ofKey}/${ofToken}`, set: { keys: [key] }, token, pem }));
  }
}
JS
node make.mjs >pairs
cat >verify.mjs <<'JS'
import { readFileSync } from 'node:fs';
import * as jose from 'jose';
import { createVerifier } from 'fast-jwt';
const verifiers = {
  'jose': ({ set, token }) => jose.jwtVerify(token, jose.createLocalJWKSet(set)),
  'fast-jwt': async ({ pem, token }) => createVerifier({ key: pem })(token),
};
const pairs = readFileSync('pairs', 'utf8').trim().split('\n').map(line => JSON.parse(line));
for (const [name, verify] of Object.entries(verifiers)) {
  const good = [];
  for (const pair of pairs) await verify(pair).then(() => good.push(pair.pair), () => {});
  console.log(`${name}:`, good.join(' '));
}
JS
cat >verify.py <<'PY'
import json

import joserfc.jwk
import joserfc.jwt
import jwcrypto.jwk
import jwcrypto.jwt
import jwt

NAMES = ["EdDSA", "Ed25519"]
verifiers = {
    "PyJWT": lambda p: jwt.decode(p["token"], jwt.PyJWKSet.from_dict(p["set"])["k"], algorithms=NAMES),
    "joserfc": lambda p: joserfc.jwt.decode(p["token"], joserfc.jwk.KeySet.import_key_set(p["set"]), algorithms=NAMES),
    "jwcrypto": lambda p: jwcrypto.jwt.JWT(jwt=p["token"], key=jwcrypto.jwk.JWKSet.from_json(json.dumps(p["set"])), algs=NAMES),
}
pairs = [json.loads(line) for line in open("pairs")]
for name, verify in verifiers.items():
    good = []
    for pair in pairs:
        try:
            verify(pair)
            good.append(pair["pair"])
        except Exception:
            pass
    print(f"{name}:", " ".join(good))
PY
cat >main.go <<'GO'
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
)

type pair struct {
	Pair, Token string
	Set         json.RawMessage
}

func goJose(p pair) error {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(p.Set, &set); err != nil {
		return err
	}
	token, err := jose.ParseSigned(p.Token, []jose.SignatureAlgorithm{jose.EdDSA, "Ed25519"})
	if err == nil {
		_, err = token.Verify(set)
	}
	return err
}

func golangJWT(p pair) error {
	keys, err := keyfunc.NewJWKSetJSON(p.Set)
	if err == nil {
		_, err = jwt.Parse(p.Token, keys.Keyfunc)
	}
	return err
}

func jwx(p pair) error {
	set, err := jwk.Parse(p.Set)
	if err == nil {
		_, err = jws.Verify([]byte(p.Token), jws.WithKeySet(set))
	}
	return err
}

func main() {
	for _, library := range []struct {
		name   string
		verify func(pair) error
	}{{"go-jose", goJose}, {"golang-jwt with keyfunc", golangJWT}, {"jwx", jwx}} {
		file, _ := os.Open("pairs")
		var good []string
		for lines := bufio.NewScanner(file); lines.Scan(); {
			var p pair
			if json.Unmarshal(lines.Bytes(), &p) == nil && library.verify(p) == nil {
				good = append(good, p.Pair)
			}
		}
		fmt.Printf("%s: %s\n", library.name, strings.Join(good, " "))
	}
}
GO
export GOMODCACHE="$work/mod" GOFLAGS=-modcacherw
go mod init finding >/dev/null 2>&1
go get github.com/go-jose/go-jose/v4@v4.1.9 github.com/golang-jwt/jwt/v5@v5.3.1 github.com/MicahParks/keyfunc/v3@v3.9.2 \
  github.com/MicahParks/jwkset@v0.11.4 github.com/lestrrat-go/jwx/v3@v3.4.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
got=$(node verify.mjs && env/bin/python -W ignore verify.py && go run .)
echo "$got"
want='jose: none/EdDSA none/Ed25519 EdDSA/EdDSA Ed25519/Ed25519
fast-jwt: none/EdDSA EdDSA/EdDSA Ed25519/EdDSA
PyJWT: none/EdDSA EdDSA/EdDSA
joserfc: none/EdDSA none/Ed25519 EdDSA/EdDSA Ed25519/Ed25519
jwcrypto: none/EdDSA none/Ed25519 EdDSA/EdDSA EdDSA/Ed25519 Ed25519/EdDSA Ed25519/Ed25519
go-jose: none/EdDSA EdDSA/EdDSA Ed25519/EdDSA
golang-jwt with keyfunc: none/EdDSA EdDSA/EdDSA
jwx: EdDSA/EdDSA EdDSA/Ed25519 Ed25519/EdDSA Ed25519/Ed25519'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
