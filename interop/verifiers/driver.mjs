// Asks the verifiers that providers publish about tokens. Each line of standard input
// is a question, a JSON object with "verifier", "options" and "token"; the answer is a
// line of standard output, "" where the token is accepted and otherwise the refusal.
//
// Every TLS connection leads to the loopback interface, to the port in the environment
// variable PORT, and the certificate there has to be good for the host that was asked
// for: so each verifier runs with the addresses that it uses in production.
import tls from 'node:tls';
import { createInterface } from 'node:readline';

const connect = tls.connect;
tls.connect = options => connect({
  ...options, host: '127.0.0.1', port: Number(process.env.PORT), servername: options.servername || options.host,
});

// Some write to standard output, where only answers belong.
const answer = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);

const { verifiers } = await import('./verifiers.mjs');

const made = new Map(); // each verifier with its options is made once, as a server does
const verifier = (name, options) => {
  const key = JSON.stringify([name, options]);
  if (!made.has(key)) made.set(key, verifiers[name](options));
  return made.get(key);
};

for await (const line of createInterface({ input: process.stdin })) {
  const { verifier: name, options, token } = JSON.parse(line);
  let refusal = '';
  try {
    await verifier(name, options)(token);
  } catch (error) {
    refusal = [error?.message || error || 'refused', error?.cause?.message].filter(Boolean).join(': ');
  }
  answer(JSON.stringify(refusal) + '\n');
}
