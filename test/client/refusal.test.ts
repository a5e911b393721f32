// Upgrades that are refused, as `ws` sees them: by an HTTP server that says what the test wants, and by the engine.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { connect } from '#src/client/client.js';
import { createEngine } from '#src/index.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** An address at which upgrades are answered so. */
async function refusing(status: number, body: string): Promise<string> {
  const server = createServer();
  servers.push(server);
  server.on('upgrade', (_, socket) => {
    socket.on('error', () => {}); // the client does not read a long page to its end
    socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`;
}

describe('a refused upgrade', () => {
  it.each([
    [400, 'BAD_REQUEST', false, 'the topic name is empty\n'],
    [401, 'UNAUTHORIZED', false, ''],
    [403, 'FORBIDDEN', false, 'FORBIDDEN\n'],
    [403, 'UNAUTHORIZED', false, 'UNAUTHORIZED: who are you?\n'],
    [404, 'BAD_REQUEST', false, '<html>\n<p>not here</p>'],
    [426, 'BAD_REQUEST', false, 'ringcast: connect a WebSocket to /ws\n'],
    [429, 'RATE_LIMITED', true, ''],
    [500, 'INTERNAL', true, 'INTERNAL\n'],
    [502, 'INTERNAL', true, 'x'.repeat(100_000)],
    [503, 'SHUTTING_DOWN', true, 'SHUTTING_DOWN\n'],
    [503, 'SHUTTING_DOWN', true, 'no upstream'],
    [503, 'LIMIT_EXCEEDED', true, 'LIMIT_EXCEEDED: maxConnections is reached\n'],
    [503, 'SHUTTING_DOWN', true, 'toString: no code\n'],
  ])('with %i is %s (retry: %s): %j', async (status, code, retry, body) => {
    const url = await refusing(status, body);
    const line = body.split('\n')[0].slice(0, 200);
    await expect(connect(url, { WebSocket })).rejects.toMatchObject({
      ...{ name: 'RingcastError', code, retry, details: { status } },
      message: `the server refused the connection (${status})${line && ': '}${line}`,
    });
  });

  it('of the engine has the code that the engine gives', async () => {
    const engine = createEngine({
      ...{ port: 0, lanes: 0, maxConnections: 1 },
      onConnect: ({ url }) => url !== '/ws/secret',
    });
    await engine.start();
    try {
      await expect(connect(`${engine.url}/secret`, { WebSocket })).rejects.toMatchObject({ code: 'FORBIDDEN' });
      await expect(connect(`${engine.url}/%00`, { WebSocket })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      const client = await connect(engine.url, { WebSocket });
      await expect(connect(engine.url, { WebSocket })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', retry: true });
      await client.close();
    } finally {
      await engine.close();
    }
  });
});
