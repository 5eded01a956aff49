#!/usr/bin/env bash
# Keys of different types in one key set may share a key ID where they stand for one
# another (RFC 7517, section 4.5). jwks-rsa, the usual source of keys for jsonwebtoken, and
# Amazon's aws-jwt-verify look for the key ID alone: of an RSA and an EC key of one ID they
# see the one that comes first, and refuse every token of the other. Which one that is
# depends on an order that by section 5 says nothing. jose also looks at the type that
# the token's algorithm needs, and accepts all. An issuer that offers two algorithms does
# well to give each key an ID of its own. Needs node and npm.
set -euo pipefail
command -v npm >/dev/null || { echo "node and npm are needed" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --ignore-scripts --no-audit --no-fund --silent \
    jose@6.2.18 jwks-rsa@4.1.0 jsonwebtoken@9.0.3 aws-jwt-verify@5.2.1 >/dev/null
cat >main.mjs <<'JS'
import { generateKeyPairSync } from 'node:crypto';
import { JwtVerifier } from 'aws-jwt-verify';
import * as jose from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import jwksClient from 'jwks-rsa';

const pairs = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};
const issuer = 'https://op.example', audience = 'client';
const keys = Object.entries(pairs).map(([alg, pair]) =>
  ({ ...pair.publicKey.export({ format: 'jwk' }), kid: 'main', alg, use: 'sig' }));
const sign = alg => new jose.SignJWT({}).setProtectedHeader({ alg, kid: 'main' }).setSubject('alice')
  .setIssuer(issuer).setAudience(audience).setIssuedAt().setExpirationTime('5m').sign(pairs[alg].privateKey);

const verifiers = {
  jose: (set, token) => jose.jwtVerify(token, jose.createLocalJWKSet(set), { issuer, audience }),
  'jwks-rsa': async (set, token, alg) => {
    const client = jwksClient({ jwksUri: issuer + '/jwks', fetcher: async () => set });
    const key = await client.getSigningKey('main');
    return jsonwebtoken.verify(token, key.getPublicKey(), { issuer, audience, algorithms: [alg] });
  },
  'aws-jwt-verify': (set, token) => {
    const verifier = JwtVerifier.create({ issuer, audience, jwksUri: issuer + '/jwks' });
    verifier.cacheJwks(set);
    return verifier.verify(token);
  },
};
for (const order of [keys, [...keys].reverse()]) {
  console.log('key set', order.map(key => key.kty).join(', '));
  for (const alg of ['RS256', 'ES256']) {
    const token = await sign(alg), seen = [];
    for (const [name, verify] of Object.entries(verifiers)) {
      seen.push(name, await verify({ keys: order }, token, alg).then(() => true, () => false));
    }
    console.log(alg, ...seen);
  }
}
JS
npm ls --depth 0 | sed -n 's/.* \([a-z-]*@\)/\1/p'
got=$(node main.mjs)
echo "$got"
want='key set RSA, EC
RS256 jose true jwks-rsa true aws-jwt-verify true
ES256 jose true jwks-rsa false aws-jwt-verify false
key set EC, RSA
RS256 jose true jwks-rsa false aws-jwt-verify false
ES256 jose true jwks-rsa true aws-jwt-verify true'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
