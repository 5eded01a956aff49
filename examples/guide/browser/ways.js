// The three ways by which a page opens a WebSocket as somebody.

// With its token in the list of subprotocols: for a page that holds a token.
export function bySubprotocol(address, token) {
  const encoded = btoa(token).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  return new WebSocket(address, ['notes.v1', 'bearer.' + encoded]);
}

// With a ticket, which the token buys: nothing that is worth stealing is in an address.
export async function byTicket(address, shop, token) {
  const answer = await fetch(shop, { method: 'POST', headers: { Authorization: 'Bearer ' + token } });
  if (!answer.ok) throw new Error('no ticket: ' + answer.status);
  return new WebSocket(address + '?ticket=' + encodeURIComponent(await answer.text()), ['notes.v1']);
}

// With a cookie that the server has set, HttpOnly: the page holds nothing.
export function byCookie(address) {
  return new WebSocket(address, ['notes.v1']);
}

// The reason is the server's; 1006 comes without one, and from no server: the upgrade
// was refused, or the network failed.
export function watch(socket, { message, renew, ended }) {
  socket.onmessage = ({ data }) => data === 'send a new token' ? renew(socket) : message(data);
  socket.onclose = ({ code, reason }) => ended(code, reason);
}
