// A client of the Model Context Protocol that knows of a server its address alone: where
// to sign in it finds by the server's challenge and metadata (RFC 9728).
//
//     node mcp.mjs ADDRESS CLIENT CALLBACK
//
// It writes the address that a person has to open, reads the code that the browser comes
// back with, and then writes what the server says of the caller.

import { createInterface } from 'node:readline/promises';
import { auth, extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js';

const [address, client, callback] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin });
const kept = {};

const provider = {
  redirectUrl: callback,
  clientMetadata: { redirect_uris: [callback], scope: 'read' },
  clientInformation: () => ({ client_id: client }),
  saveClientInformation: () => {},
  tokens: () => kept.tokens,
  saveTokens: tokens => { kept.tokens = tokens; },
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: verifier => { kept.verifier = verifier; },
  redirectToAuthorization: to => console.log(to.href),
};

const refused = await fetch(`${address}/v1/whoami`);
const { resourceMetadataUrl } = extractWWWAuthenticateParams(refused);
if (refused.status !== 401 || !resourceMetadataUrl) throw new Error(`${refused.status}, metadata at ${resourceMetadataUrl}`);

await auth(provider, { serverUrl: address, resourceMetadataUrl });
for await (const authorizationCode of lines) {
  await auth(provider, { serverUrl: address, resourceMetadataUrl, authorizationCode });
  break;
}
const answer = await fetch(`${address}/v1/whoami`, { headers: { Authorization: `Bearer ${kept.tokens.access_token}` } });
console.log(answer.status, JSON.stringify(await answer.json()));
