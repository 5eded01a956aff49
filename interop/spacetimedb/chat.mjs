// Talks in examples/chat with the published SpacetimeDB client: subscribes to its
// tables, says what comes on standard input, a line each, and prints what its callbacks
// are told, a JSON object a line. The server's address is the first argument; a token
// comes in the environment variable TOKEN.
import { createInterface } from 'node:readline';
import {
  DbConnectionBuilder, DbConnectionImpl, procedures, reducers, reducerSchema, schema, table, t,
} from 'spacetimedb';

const say = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));

// What generated bindings would say of the chat.
const tables = schema({
  messages: table({ name: 'messages' }, {
    id: t.string().primaryKey(), author: t.identity(), text: t.string(), at: t.timestamp(), edited: t.bool(),
  }),
  people: table({ name: 'people' }, {
    identity: t.identity().primaryKey(), name: t.string(), online: t.u32(), moderator: t.bool(),
  }),
});
const calls = reducers(reducerSchema('send', { text: t.string() }), reducerSchema('set_name', { name: t.string() }));
const module = {
  versionInfo: { cliVersion: '2.10.1' }, tables: tables.schemaType.tables,
  reducers: calls.reducersType.reducers, ...procedures(),
};

// The client logs to the console, where only events belong.
console.info = console.warn = console.error = console.debug = () => {};

const message = row => ({ message: row.text, identity: row.author.toHexString(), id: row.id });
const person = row => ({ message: row.name, identity: row.identity.toHexString() });
let subscribed = false; // only what happens after that is news

const connection = new DbConnectionBuilder(module, config => new DbConnectionImpl(config))
  .withUri(process.argv[2])
  .withDatabaseName('chat')
  .withToken(process.env.TOKEN || undefined)
  .onConnect((conn, identity, token) => {
    say('connect', { identity: identity.toHexString(), connection: conn.connectionId.toHexString(), token });
    conn.db.messages.onInsert((_, row) => subscribed && say('message', message(row)));
    conn.db.messages.onDelete((_, row) => say('deleted', message(row)));
    conn.db.messages.onUpdate((_, before, row) => say('edited', message(row)));
    conn.db.people.onUpdate((_, before, row) => before.name !== row.name && say('renamed', person(row)));
    conn.subscriptionBuilder()
      .onApplied(() => {
        subscribed = true;
        for (const row of conn.db.messages.iter()) say('found', message(row));
        for (const row of conn.db.people.iter()) say('person', person(row));
        say('subscribed');
      })
      .onError((_, error) => say('unsubscribed', { message: String(error?.message ?? error) }))
      .subscribe(['SELECT * FROM messages', 'SELECT * FROM people']);
  })
  .onConnectError((_, error) => {
    say('refused', { message: String(error?.message ?? error) });
    process.exit(0);
  })
  .onDisconnect((_, error) => {
    say('disconnect', { message: String(error?.message ?? error ?? '') });
    process.exit(0);
  })
  .build();

// "name X" chooses a name, anything else is said.
const lines = createInterface({ input: process.stdin });
lines.on('line', line => {
  const call = line.startsWith('name ')
    ? connection.reducers.setName({ name: line.slice('name '.length) })
    : connection.reducers.send({ text: line });
  call.catch(error => say('not done', { message: String(error?.message ?? error) }));
});
lines.on('close', () => connection.disconnect());
