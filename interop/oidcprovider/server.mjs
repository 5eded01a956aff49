// An OpenID provider as applications build it with oidc-provider: its own forms, a
// person who need not be known, JWT access tokens for one resource. It ends with its
// input.
//
//     node server.mjs PORT CALLBACK LOGOUT
//
// CALLBACK is the client's redirect URI, LOGOUT its address for logout tokens.
//
//     POST   /test/keys   a new key signs; the old one stays
//     DELETE /test/keys   the keys that do not sign are withdrawn

import * as crypto from 'node:crypto';
import * as http from 'node:http';
import { Provider } from 'oidc-provider';

const [port, callback, logout] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const client = (id, more) => ({
  client_id: id, client_secret: `${id}-secret`, redirect_uris: [], response_types: [],
  grant_types: ['client_credentials'], ...more,
});

const person = {
  redirect_uris: [callback], response_types: ['code'], grant_types: ['authorization_code'],
};

const settings = (keys) => ({
  jwks: { keys },
  cookies: { keys: ['test'] },
  clients: [
    client('app', { ...person, backchannel_logout_uri: logout, backchannel_logout_session_required: true }),
    client('importer'),
    client('elsewhere'),
    client('alice'),
    client('mcp', { ...person, client_secret: undefined, token_endpoint_auth_method: 'none' }),
  ],
  features: {
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => `${issuer}/db`,
      useGrantedResource: () => true,
      getResourceServerInfo: (context, resource, { clientId }) => ({
        scope: 'read write', audience: { elsewhere: 'other-db', mcp: resource }[clientId] ?? 'my-db',
        accessTokenFormat: 'jwt', accessTokenTTL: 600,
      }),
    },
  },
  scopes: ['openid', 'read', 'write'],
  // Of itself it sends no logout token to a loopback or private address.
  fetch: (url, { method, headers, body, signal }) => fetch(url, { method, headers, body, signal }),
});

const newKey = () => {
  const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' };
};

let keys = [];
let current; // the provider, which keeps its keys as long as it lives

function use(those) {
  keys = those;
  current = new Provider(issuer, settings(keys)).callback();
}

use([newKey()]);
http.createServer((request, response) => {
  if (request.url !== '/test/keys') return current(request, response);
  use(request.method === 'POST' ? [newKey(), ...keys] : [keys[0]]);
  response.end('ok');
}).listen(Number(port), '127.0.0.1');
