// The page of the chat: one WebSocket, and the rows that it brings. The token is in a
// cookie that this script cannot read; it asks the server to renew it.

const $ = id => document.getElementById(id);
const people = new Map();   // by identity
const messages = new Map(); // by ID; each {row, element}
const calls = new Map();    // by number: what waits for an answer

let socket, me, retry = 0, number = 0, renewals = 0;
let expires = 0, born = 0, ahead = 0; // in ms; ahead is the server's clock less ours

const patience = 15_000; // with an answer, in ms
const gone = new Error('the connection ended'); // of a call that has no answer: nobody knows what became of it

const now = () => Date.now() + ahead;
const wait = ms => new Promise(done => setTimeout(done, ms));

// post asks the server for something, and gives up when there can be no answer any more: it
// waits for the provider for less. A browser waits on a connection that has gone for a
// quarter of an hour.
const post = path => fetch(path, { method: 'POST', signal: AbortSignal.timeout(2 * patience) });

// ---- connecting

// begin renews this browser's token, which also says whether it has one, and connects.
// Where the session of the last connection has ended, over is why.
async function begin(over) {
  show('connecting');
  let answer;
  try {
    answer = await post('renew');
  } catch {
    return again('The server cannot be reached.');
  }
  if (answer.ok) return connect();
  if (answer.status === 503) return again('The identity provider cannot be reached.', answer.headers.get('Retry-After'));
  if (over) return ended(`Your session has ended: ${over}.`, 'Sign in again', signIn);
  signedOut(me ? 'You have been signed out.' : undefined);
}

async function again(reason, after) {
  show('off', 'offline');
  retry++;
  const seconds = Number(after) || Math.min(30, 2 ** retry * .5);
  banner(`${reason} Trying again …`);
  await wait(seconds * 1000 * (.75 + Math.random() / 2));
  begin();
}

function connect() {
  const address = new URL('socket', location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  socket = new WebSocket(address, ['chat.v1']);
  let refused, welcomed = false;
  socket.onmessage = event => {
    const said = JSON.parse(event.data);
    if (said.notice === 'refused') refused = said.reason;
    if (said.notice === 'welcome') welcomed = true;
    receive(said);
  };
  socket.onclose = event => closed(event, refused, welcomed);
}

// closed says why, and goes on where that helps. A token can have ended while this page was
// asleep, so that the server is asked whether the login goes on; but no second time for a
// connection that was never served.
function closed(event, refused, welcomed) {
  for (const call of calls.values()) call.reject(gone);
  calls.clear();
  show('off', 'offline');
  const removed = me && people.get(me.identity)?.removed;
  if (refused) {
    ended(`You cannot come in: ${refused.replace(/^.*?: /, '')}.`, 'Try again', () => begin());
  } else if (removed && new Date(removed.until) > now()) {
    ended(`${removed.by} sent you away: “${removed.reason}”. You can come back at ${clock(removed.until)}.`, 'Sign in again', signIn);
  } else if (event.code === 3000 && welcomed) {
    begin(event.reason);
  } else if (event.code === 3000 || event.code === 3003) {
    ended(`Your session has ended: ${event.reason}.`, 'Sign in again', signIn);
  } else if (event.code === 4029) {
    ended('You have too many windows open here. Close some of them.', 'Try again', () => begin());
  } else if (event.code === 1001 || event.code === 1013) {
    again('The server is being restarted.');
  } else {
    again('The connection was lost.');
  }
}

function ended(reason, offer, act) {
  $('text').disabled = true;
  expires = 0;
  $('left').textContent = 'ended';
  $('life').value = 0;
  banner(reason, offer, act);
}

function signIn() { location.assign('login'); }

// What a sign-in that failed comes back with.
const refusals = {
  revoked: 'What you had here was revoked a moment ago. Wait half a minute, and sign in again.',
  denied: 'The identity provider did not let you in.',
  unavailable: 'The identity provider cannot be reached at present.',
  failed: 'That sign-in did not work out. Try again.',
};

function signedOut(reason) {
  const refused = new URLSearchParams(location.search).get('refused');
  if (refused) history.replaceState(null, '', './');
  reason ??= refusals[refused];
  show('off', 'signed out');
  for (const id of ['chat', 'side', 'account']) $(id).hidden = true;
  $('welcome').hidden = false;
  reason ? banner(reason) : quiet();
}

// ---- what the server says

function receive(said) {
  if (said.table) return rows(said);
  if (said.notice) return notices[said.notice]?.(said);
  const call = calls.get(said.id);
  calls.delete(said.id);
  said.status === 200 ? call?.resolve(said.result) : call?.reject(new Error(said.error_description));
}

const notices = {
  welcome(said) {
    if (me && me.identity !== said.identity) return location.reload(); // nothing here is theirs
    me = said;
    retry = 0;
    ahead = new Date(said.now) - Date.now();
    $('welcome').hidden = true;
    for (const id of ['chat', 'side', 'account']) $(id).hidden = false;
    $('identity').textContent = said.identity;
    $('operator').hidden = !said.operator;
    $('text').disabled = false;
    lives(said.expires_at);
    show('live', 'live');
    quiet();
    send({ subscribe: ['people', 'messages'] });
    $('text').focus();
  },
  renewed(said) {
    Object.assign(me, { moderator: said.moderator, operator: said.operator });
    renewals++;
    $('renewals').textContent = `renewed ${renewals} ${renewals === 1 ? 'time' : 'times'} on this socket`;
    lives(said.expires_at);
    quiet();
    drawEverything();
  },
  // The same socket goes on: the server puts it under the new token.
  async expiring() {
    const renewed = socket;
    for (let n = 1; n <= 5; n++) {
      const answer = await post('renew').catch(() => null);
      if (answer?.ok || renewed.readyState !== WebSocket.OPEN) return;
      if (answer?.status === 401) break;
      banner('Your token is about to end, and the provider does not answer. Trying again …');
      await wait(2000 * n);
      if (renewed.readyState !== WebSocket.OPEN) return; // whatever ended it has said so
    }
    banner('Your token ends soon.', 'Sign in again', signIn);
  },
};

function send(frame) {
  return new Promise((resolve, reject) => {
    if (socket?.readyState !== WebSocket.OPEN) return reject(new Error('there is no connection'));
    frame.id = ++number;
    calls.set(frame.id, { resolve, reject });
    setTimeout(lost, patience, socket, frame.id);
    socket.send(JSON.stringify(frame));
  });
}

// lost gives a connection up on which a call has had no answer. A browser does not notice
// for a quarter of an hour that its network has changed, or that the server has gone.
function lost(on, call) {
  if (on !== socket || on.readyState !== WebSocket.OPEN || !calls.has(call)) return;
  on.onmessage = on.onclose = null;
  on.close();
  closed({ code: 1006 });
}

// probe asks whether the connection is still there: one that has been out of sight, or
// without a network, may have had none for long.
function probe() {
  if (document.visibilityState === 'visible' && socket?.readyState === WebSocket.OPEN) send({ view: 'me' }).catch(() => {});
}
document.addEventListener('visibilitychange', probe);
addEventListener('online', probe);

// act calls a function of the database, and says what is wrong if it refuses.
async function act(kind, name, args) {
  try {
    await send({ [kind]: name, args });
    return true;
  } catch (error) {
    if (error !== gone) banner(`That was refused: ${error.message}.`, 'Dismiss', quiet);
    return false;
  }
}

// ---- rows

function rows({ table, whole, changes }) {
  const tables = { people, messages };
  if (whole) {
    tables[table].clear();
    if (table === 'messages') $('messages').replaceChildren();
  }
  for (const { key, row } of changes) {
    if (table === 'messages') changeMessage(key, row, !whole);
    else row ? people.set(key, row) : people.delete(key);
  }
  if (table === 'people') drawEverything();
  if (table === 'messages' && whole) $('messages').scrollTop = $('messages').scrollHeight;
}

function changeMessage(key, row, isNew) {
  const list = $('messages');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const before = messages.get(key);
  if (!row) {
    before?.element.remove();
    messages.delete(key);
    return;
  }
  const element = before?.element ?? document.createElement('li');
  messages.set(key, { row, element });
  drawMessage(element, row);
  if (before) return;
  if (isNew) element.classList.add('new');
  list.append(element);
  if (atEnd || row.author === me.identity) list.scrollTop = list.scrollHeight;
}

// ---- drawing

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter(child => child !== null));
  return element;
}

function avatar(identity, name) {
  const element = make('span', { className: 'avatar', textContent: [...name][0]?.toUpperCase() ?? '?' });
  element.ariaHidden = 'true';
  element.style.setProperty('--hue', parseInt(identity.slice(0, 6), 16) % 360);
  return element;
}

const clock = at => new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
const nameOf = identity => people.get(identity)?.name ?? `${identity.slice(0, 6)}…`;
const moderates = () => me.moderator || people.get(me.identity)?.moderator;

function drawMessage(element, row) {
  const mine = row.author === me.identity, name = nameOf(row.author);
  element.className = mine ? 'message mine' : 'message';
  const tools = make('span', { className: 'tools' });
  if (mine) tools.append(tool('Edit', `Edit “${row.text}”`, () => editMessage(row)));
  if (mine || moderates()) tools.append(tool('Delete', `Delete “${row.text}”`, () => act('call', 'delete', { id: row.id })));
  element.replaceChildren(
    avatar(row.author, name),
    make('div', { className: 'meta' },
      make('b', { textContent: name }),
      make('time', { dateTime: row.at, textContent: clock(row.at) }),
      row.edited ? make('span', { textContent: 'edited' }) : null,
      tools),
    make('div', { className: 'body', textContent: row.text }));
}

function tool(text, label, act) {
  const button = make('button', { className: 'quiet small', textContent: text, onclick: act });
  button.ariaLabel = label;
  return button;
}

function drawEverything() {
  if (!me) return;
  for (const { row, element } of messages.values()) drawMessage(element, row);
  const here = [...people.values()].sort((a, b) => (b.online > 0) - (a.online > 0) || a.name.localeCompare(b.name));
  $('count').textContent = `(${here.filter(p => p.online).length} here)`;
  $('people').replaceChildren(...here.map(drawPerson));
  const mine = people.get(me.identity);
  $('rename').textContent = mine?.name ?? '';
  $('rename').ariaLabel = `You are ${mine?.name ?? 'here'}: choose another name`;
  $('roles').textContent = [moderates() && 'moderator', me.operator && 'operator'].filter(Boolean).join(', ') || 'none';
}

function drawPerson(p) {
  const item = make('li', { className: p.online ? '' : 'away' },
    avatar(p.identity, p.name),
    make('span', { className: 'name', textContent: p.identity === me.identity ? `${p.name} (you)` : p.name }),
    p.moderator ? make('span', { className: 'tag', textContent: 'moderator' }) : null,
    p.online ? null : make('span', { className: 'faint', textContent: 'away' }));
  item.dataset.identity = p.identity;
  if (moderates() && p.identity !== me.identity) {
    const tools = make('span', { className: 'tools' });
    if (!p.moderator) tools.append(tool('Promote', `Make ${p.name} a moderator`, () => act('call', 'promote', { identity: p.identity })));
    const send = tool('Remove', `Send ${p.name} away`, () => sendAway(p));
    send.classList.add('danger');
    tools.append(send);
    item.append(tools);
  }
  return item;
}

async function sendAway(p) {
  const reason = await ask(`Send ${p.name} away`, 'Why? They will read it.', 'Send away', '', 120);
  if (reason) act('run', 'kick', { identity: p.identity, reason });
}

async function editMessage(row) {
  const text = await ask('Edit your message', 'Text', 'Save', row.text, 500);
  if (text) act('call', 'edit', { id: row.id, text });
}

function ask(title, label, ok, value, most) {
  const dialog = $('ask');
  $('ask-title').textContent = title;
  $('ask-label').textContent = label;
  $('ask-ok').textContent = ok;
  Object.assign($('ask-text'), { value, maxLength: most, required: true });
  dialog.returnValue = '';
  dialog.showModal();
  $('ask-text').focus();
  $('ask-cancel').onclick = () => dialog.close('');
  return new Promise(done => {
    dialog.onclose = () => done(dialog.returnValue === 'ok' ? $('ask-text').value.trim() : '');
  });
}

function show(state, text = state) {
  $('state').className = `pill ${state}`;
  $('state').textContent = text;
}

function banner(text, offer, act) {
  const [said, button] = $('banner').children;
  said.textContent = text;
  button.textContent = offer ?? '';
  button.hidden = !offer;
  button.onclick = act ?? null;
  $('banner').hidden = false;
}

function quiet() { $('banner').hidden = true; }

// ---- the token's life

function lives(until) {
  expires = new Date(until).getTime();
  born = now();
  tick();
}

function tick() {
  if (!expires) return;
  const left = Math.max(0, expires - now());
  const seconds = Math.round(left / 1000);
  $('left').textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} left`;
  $('life').value = left / Math.max(1, expires - born);
}
setInterval(tick, 1000);

// ---- the person

$('composer').onsubmit = async event => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text) return;
  $('text').value = ''; // at once: the next may be typed before this one is answered
  if (!await act('call', 'send', { text })) $('text').value ||= text;
};

$('rename').onclick = async () => {
  const name = await ask('What shall we call you?', 'Name', 'Save', people.get(me.identity)?.name ?? '', 40);
  if (name) act('call', 'set_name', { name });
};

// On a phone what is left of the token is worth more room than who else is here.
if (matchMedia('(max-width: 760px)').matches) $('people-box').open = false;

$('logout').onclick = async () => {
  const answer = await post('logout').catch(() => null);
  if (!answer?.ok) return banner('You are still signed in: the server cannot be reached.', 'Dismiss', quiet);
  me = null;
  location.assign((await answer.json()).go);
};

begin();
