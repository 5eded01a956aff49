// The operator's page: what the server says of itself, asked for every two seconds.

const $ = id => document.getElementById(id);
const colours = ['#3d5afe', '#e0a100', '#c2185b', '#00897b', '#8e24aa', '#6d4c41', '#546e7a', '#d84315'];

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function draw(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function show(state, text) {
  $('state').className = `pill ${state}`;
  $('state').textContent = text;
}

function banner(text) {
  $('banner').hidden = !text;
  $('banner').children[0].textContent = text;
}
$('banner').children[1].onclick = () => location.assign('login');

const clock = at => new Date(at).toLocaleTimeString();
const ago = (at, now) => `${Math.max(0, Math.round((new Date(now) - new Date(at)) / 1000))} s ago`;

async function load() {
  let answer = await fetch('operator/state').catch(() => null);
  if (answer?.status === 401 && (await fetch('renew', { method: 'POST' })).ok) answer = await fetch('operator/state');
  if (answer?.status === 401) return banner('Sign in as an operator.');
  if (answer?.status === 403) return banner('This page is for operators.');
  if (!answer?.ok) return show('off', 'offline');
  banner('');
  show('live', 'live');
  const state = await answer.json();
  plot(state);
  $('issuers').replaceChildren(...state.issuers.map(i => make('tr', {},
    make('td', {}, make('code', { textContent: i.url })),
    make('td', { textContent: i.error ? `${i.state}: ${i.error}` : i.state }),
    make('td', { textContent: i.confirmed ? ago(i.confirmed, state.now) : 'never' }),
    make('td', {}, ...i.keys.map(key => make('div', {}, make('code', { textContent: key })))))));
  $('count').textContent = `(${state.sessions.length})`;
  $('sessions').replaceChildren(...state.sessions.map(s => row(s, state.now)));
}

function row(s, now) {
  const button = make('button', { className: 'quiet small danger', textContent: 'Revoke', onclick: () => revoke(s) });
  button.ariaLabel = `Revoke all that ${s.subject} has`;
  return make('tr', {},
    make('td', { textContent: s.subject }),
    make('td', {}, make('code', { textContent: `${s.identity.slice(0, 12)}…`, title: s.identity })),
    make('td', { textContent: ago(s.since, now) }),
    make('td', { textContent: clock(s.expires_at) }),
    make('td', {}, button));
}

async function revoke({ issuer, subject }) {
  if (!confirm(`Revoke all that ${subject} has now? They can sign in again.`)) return;
  const answer = await fetch('operator/revoke', { method: 'POST', body: JSON.stringify({ issuer, subject }) });
  if (!answer.ok) banner(`Not revoked: ${(await answer.json()).error_description}`);
  load();
}

// plot draws a bar for each ten seconds, a part of it for each check.
function plot({ refusals, now }) {
  const width = 900, height = 150, left = 30, bottom = 18, buckets = 90, length = 10_000;
  const checks = [...new Set(refusals.flatMap(b => Object.keys(b.counts)))].sort();
  const total = b => Object.values(b.counts).reduce((sum, n) => sum + n, 0);
  const most = Math.max(4, ...refusals.map(total));
  const start = Math.floor(new Date(now) / length) * length - (buckets - 1) * length;
  const x = at => left + (new Date(at) - start) / length * (width - left) / buckets;
  const y = n => (height - bottom) * (1 - n / most);
  const bars = refusals.flatMap(bucket => {
    let below = 0;
    return checks.filter(check => bucket.counts[check]).map(check => {
      const n = bucket.counts[check];
      const bar = draw('rect', { x: x(bucket.at), width: (width - left) / buckets - 1.5, y: y(below + n), height: y(below) - y(below + n), fill: colours[checks.indexOf(check) % colours.length] },
        draw('title', {}, `${clock(bucket.at)}: ${check}, ${n}`));
      below += n;
      return bar;
    });
  });
  const sum = refusals.reduce((all, b) => all + total(b), 0);
  $('plot').replaceChildren(draw('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${sum} refusals` },
    draw('line', { class: 'axis', x1: left, x2: width, y1: y(0), y2: y(0) }),
    draw('text', { x: 0, y: 11 }, String(most)), draw('text', { x: 0, y: y(0) }, '0'),
    draw('text', { x: left, y: height - 4 }, '15 minutes ago'), draw('text', { x: width, y: height - 4, 'text-anchor': 'end' }, 'now'),
    ...bars));
  const of = check => refusals.reduce((all, b) => all + (b.counts[check] ?? 0), 0);
  $('legend').replaceChildren(...(checks.length ? checks.map((check, n) => make('li', {},
    draw('svg', { viewBox: '0 0 10 10', 'aria-hidden': 'true' }, draw('rect', { width: 10, height: 10, rx: 2, fill: colours[n % colours.length] })),
    `${check}: ${of(check)}`)) : [make('li', { textContent: 'None.' })]));
}

load();
setInterval(load, 2000);
