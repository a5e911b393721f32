// What `ringcast load` says of a server that is not there, or not what it should be.
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FaultyServer } from '../load/faulty-server.js';
import { startEngine } from '../support/engines.js';
import { lines, runCli } from './run-cli.js';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function startFaulty(options = {}): Promise<FaultyServer> {
  const server = await FaultyServer.start(options);
  ends.push(() => server.close());
  return server;
}

const BRIEF = ['--connections', '5', '--rate', '100', '--duration', '300ms', '--warmup', '0'];

describe('a target that will not do', () => {
  const refused = async (url: string, ...args: string[]) => {
    const { code, stderr } = await runCli(['load', '--url', url, ...BRIEF, ...args]);
    expect({ code, lines: lines(stderr).length }).toEqual({ code: 1, lines: 1 });
    return stderr;
  };

  it('is not there', async () => {
    expect(await refused('ws://127.0.0.1:1')).toMatch(
      /nothing listens at 127\.0\.0\.1:1 \(ECONNREFUSED\)\. Start the server/,
    );
  });

  it('speaks HTTP only', async () => {
    const port = await listening(createHttpServer((_, response) => response.writeHead(404).end()));
    expect(await refused(`ws://127.0.0.1:${port}/live`)).toMatch(
      /speaks HTTP, but opens no WebSocket at \/live \(HTTP\/1\.1 404 Not Found\)\. Is the path in --url right\?/,
    );
  });

  it('speaks something else', async () => {
    const port = await listening(createServer((socket) => socket.on('error', () => {}).write('SSH-2.0-x\r\n')));
    expect(await refused(`ws://127.0.0.1:${port}`)).toMatch(/does not speak HTTP/);
    expect(await refused(`wss://127.0.0.1:${port}`)).toMatch(/does not speak TLS .*Is ws:\/\/ meant/);
  });

  it('closes instead of answering', async () => {
    const port = await listening(createServer((socket) => socket.on('error', () => {}).end()));
    expect(await refused(`ws://127.0.0.1:${port}`)).toMatch(/closed the connection instead of opening a WebSocket/);
  });

  it('speaks WebSocket, but not this protocol', async () => {
    const server = await startFaulty();
    server.sockets.options.handleProtocols = () => false;
    expect(await refused(server.url)).toMatch(/does not speak ringcast\.v1\.msgpack .*--protocol json and templates/);
  });

  it('refuses to subscribe', async () => {
    const { url } = await startEngine({ topics: { autoCreate: false } });
    expect(await refused(url)).toMatch(/subscribing to "load:1" was refused: .*TOPIC_NOT_FOUND/);
  });
});
