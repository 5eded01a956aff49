#!/usr/bin/env bash
# "id_token_signing_alg_values_supported" of a discovery document is about ID tokens (OpenID
# Connect Discovery 1.0, section 3); nothing in it says what access tokens are signed with,
# which may be chosen for each API. express-oauth2-jwt-bearer, which verifies access tokens
# of any issuer, takes the list for theirs, and answers 401 "Unexpected 'alg' value" to a
# token by an algorithm that is not in it. Its setting tokenSigningAlg does not help, since
# the list is asked besides; issuer and jwksUri in place of issuerBaseURL do. So the tokens
# of oidc-provider for an API that wants RS512 or ES384 are refused, since by
# default its list has neither, and oauth4webapi takes them. Needs node and npm.
set -euo pipefail
command -v npm >/dev/null || { echo "node and npm are needed" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --ignore-scripts --no-audit --no-fund --silent \
    express-oauth2-jwt-bearer@1.10.0 oidc-provider@9.13.3 oauth4webapi@3.8.8 jose@6.2.18 express@5.3.0 >/dev/null
cat >main.mjs <<'JS'
import { once } from 'node:events';
import { createServer } from 'node:http';
import express from 'express';
import { auth } from 'express-oauth2-jwt-bearer';
import * as jose from 'jose';
import * as oauth from 'oauth4webapi';
import Provider from 'oidc-provider';

const algorithms = ['RS256', 'ES256', 'RS512', 'ES384'];
const insecure = { [oauth.allowInsecureRequests]: true };
const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const keys = await Promise.all(['RS256', 'ES256', 'ES384'].map(async alg =>
  jose.exportJWK((await jose.generateKeyPair(alg, { extractable: true })).privateKey)));
const provider = new Provider(issuer, {
  jwks: { keys },
  clients: [{ client_id: 'app', client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, api) =>
        ({ scope: '', accessTokenFormat: 'jwt', jwt: { sign: { alg: new URL(api).hostname.split('.')[0].toUpperCase() } } }),
    },
  },
});
server.on('request', provider.callback());
const as = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), insecure));
console.log('for ID tokens:', as.id_token_signing_alg_values_supported.join(', '));

async function token(audience) {
  const client = { client_id: 'app' }, proof = oauth.ClientSecretBasic('secret');
  const answer = await oauth.clientCredentialsGrantRequest(as, client, proof, new URLSearchParams({ resource: audience }), insecure);
  return (await oauth.processClientCredentialsResponse(as, client, answer)).access_token;
}

async function bearer(options, token) {
  const app = express().use(auth(options)).get('/', (req, res) => res.end('ok'));
  app.use((err, req, res, next) => res.status(err.status ?? 500).end(err.message));
  const api = app.listen(0, '127.0.0.1');
  await once(api, 'listening');
  const answer = await fetch(`http://127.0.0.1:${api.address().port}/`, { headers: { Authorization: 'Bearer ' + token } });
  const text = await answer.text();
  api.close();
  return `${answer.status} ${text}`;
}

async function oauth4webapi(audience, token) {
  const request = new Request(audience, { headers: { Authorization: 'Bearer ' + token } });
  return oauth.validateJwtAccessToken(as, request, audience, insecure).then(() => 'ok', err => err.message);
}

for (const alg of algorithms) {
  const audience = `https://${alg.toLowerCase()}.example`, jwt = await token(audience);
  console.log(jose.decodeProtectedHeader(jwt).alg + ', issuerBaseURL:', await bearer({ issuerBaseURL: issuer, audience }, jwt));
  if (alg !== 'RS512') continue;
  console.log(alg + ', issuerBaseURL, tokenSigningAlg:', await bearer({ issuerBaseURL: issuer, audience, tokenSigningAlg: alg }, jwt));
  console.log(alg + ', issuer, jwksUri:', await bearer({ issuer, jwksUri: as.jwks_uri, audience }, jwt));
  console.log(alg + ', oauth4webapi:', await oauth4webapi(audience, jwt));
}
server.close();
JS
npm ls --depth 0 | sed -n 's/.* \([a-z0-9-]*@\)/\1/p'
got=$(node main.mjs 2>/dev/null | grep -v '^oidc-provider ')
echo "$got"
want="for ID tokens: PS256, RS256, ES256
RS256, issuerBaseURL: 200 ok
ES256, issuerBaseURL: 200 ok
RS512, issuerBaseURL: 401 Unexpected 'alg' value
RS512, issuerBaseURL, tokenSigningAlg: 401 Unexpected 'alg' value
RS512, issuer, jwksUri: 200 ok
RS512, oauth4webapi: ok
ES384, issuerBaseURL: 401 Unexpected 'alg' value"
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
