#!/usr/bin/env bash
# An audience may be a string or a list of strings (RFC 7519, section 4.1.3). The
# verifiers that Google and Amazon publish for Node.js take the string alone: a token
# whose audience is a list with the one that was asked for is refused, while the same
# token with the string is accepted. What their services write today is the string.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --ignore-scripts --no-audit --no-fund --silent google-auth-library@10.9.1 aws-jwt-verify@5.2.1 >/dev/null
cat >main.mjs <<'JS'
import { createSign, generateKeyPairSync } from 'node:crypto';
import { CognitoJwtVerifier } from 'aws-jwt-verify';
import { OAuth2Client } from 'google-auth-library';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const now = Math.floor(Date.now() / 1000);
const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
const sign = claims => {
  const input = part({ alg: 'RS256', kid: 'k' }) + '.' + part({ sub: 'alice', iat: now, exp: now + 600, ...claims });
  return input + '.' + createSign('sha256').update(input).sign(privateKey, 'base64url');
};

const userPoolId = 'us-east-2_XXXXXXX';
const amazon = CognitoJwtVerifier.create({ userPoolId, tokenUse: 'id', clientId: 'client' });
amazon.cacheJwks({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'RS256', use: 'sig' }] });
const google = new OAuth2Client();
const certificates = { k: publicKey.export({ type: 'spki', format: 'pem' }) };

for (const aud of ['client', ['client']]) {
  const verdict = check => check().then(() => true, () => false);
  console.log(JSON.stringify(aud),
    'google-auth-library', await verdict(() => google.verifySignedJwtWithCertsAsync(sign({ iss: 'a', aud }), certificates, 'client', ['a'])),
    'aws-jwt-verify', await verdict(() => amazon.verify(
      sign({ iss: `https://cognito-idp.us-east-2.amazonaws.com/${userPoolId}`, token_use: 'id', aud }))));
}
JS
got=$(node main.mjs)
want='"client" google-auth-library true aws-jwt-verify true
["client"] google-auth-library false aws-jwt-verify false'
echo "$got"
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
