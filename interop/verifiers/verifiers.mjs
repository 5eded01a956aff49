// The verifiers, each made as its own documentation shows. A verifier is a function
// that throws, or rejects, where it does not accept the token.
import { buildSLSAProvenancePredicate } from '@actions/attest';
import { verifyToken } from '@clerk/backend';
import cloudflareAccess from '@cloudflare/pages-plugin-cloudflare-access';
import OktaJwtVerifier from '@okta/jwt-verifier';
import { GoTrueClient } from '@supabase/auth-js';
import { WorkOS } from '@workos-inc/node';
import apple from 'apple-signin-auth';
import { AuthenticationClient } from 'auth0';
import { CognitoJwtVerifier } from 'aws-jwt-verify';
import { auth } from 'express-oauth2-jwt-bearer';
import { initializeApp } from 'firebase-admin/app';
import { getAppCheck } from 'firebase-admin/app-check';
import { getAuth } from 'firebase-admin/auth';
import { OAuth2Client } from 'google-auth-library';
import azure from 'passport-azure-ad';

export const verifiers = {
  '@clerk/backend': ({ authorizedParties }) => token =>
    verifyToken(token, { secretKey: 'sk_test_example', authorizedParties }),

  'express-oauth2-jwt-bearer': options => {
    const middleware = auth(options);
    return token => new Promise((accept, refuse) => {
      const headers = { host: 'api.example.com', authorization: `Bearer ${token}` };
      const request = {
        headers, method: 'GET', protocol: 'https', host: headers.host, originalUrl: '/', url: '/',
        get: name => headers[name.toLowerCase()], is: () => false,
      };
      middleware(request, {}, error => (error ? refuse(error) : accept()));
    });
  },

  // It shows its validator of ID tokens to nobody. The token endpoint answers with the
  // code that it is sent.
  'auth0': options => {
    const client = new AuthenticationClient({ ...options, clientSecret: 'example' });
    return token => client.oauth.authorizationCodeGrant(
      { code: token, redirect_uri: 'https://app.example.com/' }, { idTokenValidateOptions: { nonce: 'example' } });
  },

  'firebase-admin': ({ projectId, appCheck }) => {
    const app = initializeApp({ projectId }, appCheck ? 'App Check' : 'users');
    return token => (appCheck ? getAppCheck(app).verifyToken(token) : getAuth(app).verifyIdToken(token));
  },

  'google-auth-library': ({ audience, assertion }) => {
    const client = new OAuth2Client();
    if (assertion) {
      return async token => client.verifySignedJwtWithCertsAsync(
        token, (await client.getIapPublicKeys()).pubkeys, audience, ['https://cloud.google.com/iap']);
    }
    return idToken => client.verifyIdToken({ idToken, audience });
  },

  'aws-jwt-verify': options => {
    const verifier = CognitoJwtVerifier.create(options);
    return token => verifier.verify(token);
  },

  '@okta/jwt-verifier': ({ issuer, audience }) => {
    const verifier = new OktaJwtVerifier({ issuer });
    return token => verifier.verifyAccessToken(token, audience);
  },

  'passport-azure-ad': options => {
    const strategy = new azure.BearerStrategy({ ...options, loggingLevel: 'error' }, (claims, done) => done(null, claims));
    return token => new Promise((accept, refuse) => {
      const request = { headers: { authorization: `Bearer ${token}` } };
      const outcome = { success: accept, fail: refuse, error: refuse, pass: () => refuse('passed on') };
      Object.assign(Object.create(strategy), outcome).authenticate(request);
    });
  },

  'apple-signin-auth': options => token => apple.verifyIdToken(token, options),

  '@supabase/auth-js': options => {
    const client = new GoTrueClient({ ...options, autoRefreshToken: false, persistSession: false });
    return async token => {
      const { data, error } = await client.getClaims(token);
      if (error || !data) throw error ?? new Error('no claims');
    };
  },

  // It checks the token inside a sealed session, which it makes of the answer to a code;
  // the answer's access token is the code that it was sent.
  '@workos-inc/node': ({ clientId }) => {
    const { userManagement } = new WorkOS('sk_test_example', { clientId });
    const cookiePassword = 'a password of thirty-two characters';
    return async token => {
      const { sealedSession } = await userManagement.authenticateWithCode(
        { code: token, clientId, session: { sealSession: true, cookiePassword } });
      const session = userManagement.loadSealedSession({ sessionData: sealedSession, cookiePassword });
      const { authenticated, reason } = await session.authenticate();
      if (!authenticated) throw new Error(reason);
    };
  },

  // It gets its token itself, from an address in the environment.
  '@actions/attest': () => async token => {
    process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN = 'example';
    process.env.ACTIONS_ID_TOKEN_REQUEST_URL = `https://pipelines.example.com/?value=${token}`;
    await buildSLSAProvenancePredicate();
  },

  '@cloudflare/pages-plugin-cloudflare-access': options => {
    const plugin = cloudflareAccess(options);
    return async token => {
      const response = await plugin({
        request: new Request('https://app.example.com/', { headers: { 'Cf-Access-Jwt-Assertion': token } }),
        functionPath: '', data: {}, env: {}, next: async () => new Response('accepted'),
        waitUntil() {}, passThroughOnException() {},
      });
      if (response.status !== 200) throw new Error(`status ${response.status}`);
    };
  },
};
