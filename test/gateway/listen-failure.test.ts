// Why a server cannot listen is told as what it is.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { listenFailure } from '#src/gateway/listen-failure.js';
import { createEngine } from '#src/index.js';

it.each([
  [
    'a name that leads nowhere',
    'no-such-name.invalid',
    'BAD_REQUEST',
    /no-such-name\.invalid:1: the name leads to no address \(E/,
  ],
  ['what is no name', 'x86_64-conda-linux-gnu', 'BAD_REQUEST', /the name leads to no address/],
  ['an address of another machine', '192.0.2.1', 'BAD_REQUEST', /192\.0\.2\.1:1: the address is none of this machine/],
  [
    'one of another machine, by IPv6',
    '2001:db8::1',
    'BAD_REQUEST',
    /\[2001:db8::1\]:1: the address is none of this machine/,
  ],
])('%s', async (_name, host, code, message) => {
  const engine = createEngine({ host, port: 1, lanes: 0, maxConnections: 1 });
  await expect(engine.start()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  await engine.close();
});

it('a port in use', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const failure = await listenFailure('127.0.0.1', port);
  expect(failure).toMatchObject({
    code: 'CONFLICT',
    message: expect.stringMatching(/the port is in use \(EADDRINUSE\)/),
  });
  other.close();
  await once(other, 'close');
  expect((await listenFailure('127.0.0.1', port)).message).toContain('try again');
});
