// Connects with the published SpacetimeDB client and prints what its callbacks
// are told, a JSON object a line, until the connection ends or standard input
// does. The server's address is the first argument; a token comes in the
// environment variable TOKEN.
import { DbConnectionBuilder, DbConnectionImpl } from 'spacetimedb';

const say = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));

// What generated bindings would say of a module without tables and reducers.
const module = { tables: {}, reducers: [], procedures: [], versionInfo: { cliVersion: '2.10.1' } };

// The client logs to the console, where only events belong.
console.info = console.warn = console.error = console.debug = () => {};

const connection = new DbConnectionBuilder(module, config => new DbConnectionImpl(config))
  .withUri(process.argv[2])
  .withDatabaseName('chat')
  .withToken(process.env.TOKEN || undefined)
  .onConnect((conn, identity, token) =>
    say('connect', { identity: identity.toHexString(), connection: conn.connectionId.toHexString(), token }))
  .onConnectError((_, error) => {
    say('refused', { message: String(error?.message ?? error) });
    process.exit(0);
  })
  .onDisconnect((_, error) => {
    say('disconnect', { message: String(error?.message ?? error ?? '') });
    process.exit(0);
  })
  .build();

process.stdin.on('end', () => connection.disconnect()).resume();
