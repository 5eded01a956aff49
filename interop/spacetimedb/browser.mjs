// A page that visits the server, as often as its address says: each visit is a load
// of its own, and between them is what the browser's storage keeps. It tells the
// test what the callbacks of SpacetimeDB's client are told.
import { DbConnectionBuilder, DbConnectionImpl } from '/sdk.mjs';

const ask = new URLSearchParams(location.search);
const say = (event, more = {}) =>
  fetch('/event', { method: 'POST', body: JSON.stringify({ event, ...more }) });

const module = { tables: {}, reducers: [], procedures: [], versionInfo: { cliVersion: '2.10.1' } };

// What onConnect gives is stored always or, with "keeps", only where nothing was.
const had = localStorage.getItem('token') ?? ask.get('first');
const visit = Number(localStorage.getItem('visit')) + 1;

new DbConnectionBuilder(module, config => new DbConnectionImpl(config))
  .withUri(ask.get('server'))
  .withDatabaseName('chat')
  .withToken(had || undefined)
  .onConnect(async (conn, identity, token) => {
    localStorage.setItem('token', ask.has('keeps') && had ? had : token);
    localStorage.setItem('visit', visit);
    await say('connect', { identity: identity.toHexString(), connection: conn.connectionId.toHexString(), token });
    if (visit < Number(ask.get('visits'))) location.reload();
  })
  .onConnectError((_, error) => say('refused', { message: String(error?.message ?? error) }))
  .build();
