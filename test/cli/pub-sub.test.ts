// `ringcast pub` and `ringcast sub` as processes, against a scripted server.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { RunningCli, runCli } from './run-cli.js';
import { type StubScript, StubServer } from './stub-server.js';

const TIME_MS = Date.UTC(2026, 10, 20, 10, 0, 0, 123);
const servers: StubServer[] = [];

async function stub(script: StubScript = {}): Promise<StubServer> {
  const server = await StubServer.start({ timeMs: TIME_MS, ...script });
  servers.push(server);
  return server;
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

describe('ringcast pub', () => {
  it('publishes JSON and prints the sequence number', async () => {
    const { url, topics } = await stub();
    const first = await runCli(['pub', 'prices:AAPL', '{"price": 229.1, "id": 9007199254740993}', '--url', url]);
    const second = await runCli(['pub', 'prices:AAPL', '"text"', '--id', 'm-2', '--url', url.replace(/ws$/, '')]);
    expect([first, second]).toMatchObject([
      { code: 0, stdout: 'published prices:AAPL 1\n', stderr: '' },
      { code: 0, stdout: 'published prices:AAPL 2\n', stderr: '' },
    ]);
    expect(topics.get('prices:AAPL')?.messages).toEqual([
      { payload: { price: 229.1, id: 9007199254740993n }, id: undefined },
      { payload: 'text', id: 'm-2' },
    ]);
  });

  it('shows its token, and ends with 1 when it is refused', async () => {
    const { url } = await stub({ token: 'secret' });
    expect(await runCli(['pub', 't', '1', '--url', url, '--token', 'secret'])).toMatchObject({ code: 0 });
    expect(await runCli(['pub', 't', '1', '--url', url])).toEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr: 'ringcast: unknown token (UNAUTHORIZED)\n',
    });
  });

  it('takes its token from a file and from the environment, in that order', async () => {
    const { url } = await stub({ token: 'secret' });
    const folder = mkdtempSync(path.join(tmpdir(), 'ringcast-token-'));
    const [right, wrong] = ['secret\n', 'wrong\n'].map((text, index) => {
      const file = path.join(folder, String(index));
      writeFileSync(file, text);
      return file;
    }) as [string, string];
    const pub = (args: string[], env: Record<string, string>) => runCli(['pub', 't', '1', '--url', url, ...args], env);
    const results = await Promise.all([
      pub([], { RINGCAST_TOKEN: 'secret' }),
      pub(['--token-file', right], { RINGCAST_TOKEN: 'wrong' }),
      pub(['--token', 'secret'], { RINGCAST_TOKEN: 'wrong' }),
      pub(['--token-file', wrong], { RINGCAST_TOKEN: 'secret' }),
    ]);
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 1]);
    rmSync(folder, { recursive: true });
  });

  it('ends with 1 and one line when the server refuses the topic or the message', async () => {
    const { url } = await stub({ isOverloaded: () => true });
    expect(await runCli(['pub', '$stats', '1', '--url', url])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^ringcast: only the server/),
    });
    expect(await runCli(['pub', 't', '1', '--url', url])).toMatchObject({
      code: 1,
      stderr: 'ringcast: the ring is full (OVERLOADED)\n',
    });
  });
});

describe('ringcast sub', () => {
  async function withMessages(): Promise<string> {
    const { url } = await stub();
    for (const payload of ['{"price": 229.1}', '"a\\nb"'])
      await runCli(['pub', 't', payload, '--url', url, '--id', 'm']);
    return url;
  }

  it('prints time, topic, seq and payload, one line per message, and ends after --count', async () => {
    const url = await withMessages();
    expect(await runCli(['sub', 't', '--last', '5', '--count', '2', '--url', url])).toEqual({
      code: 0,
      signal: null,
      stdout: '2026-11-20T10:00:00.123Z t 1 {"price":229.1}\n2026-11-20T10:00:00.123Z t 2 "a\\nb"\n',
      stderr: '',
    });
  });

  it('--json prints all fields, --raw the payload only', async () => {
    const url = await withMessages();
    const json = await runCli(['sub', 't', '--json', '--last', '1', '--count', '1', '--url', url]);
    const raw = await runCli(['sub', 't', '--raw', '--last', '2', '--count', '1', '--url', url]);
    const position = '"topic":"t","epoch":"e1","seq":2';
    expect(json.stdout).toBe(`{${position},"time":"2026-11-20T10:00:00.123Z","payload":"a\\nb","id":"m"}\n`);
    expect(raw.stdout).toBe('{"price":229.1}\n');
  });

  it('tells gaps and notices on stderr, and ends with 1 when the server closes the connection', async () => {
    const { url } = await stub({
      onSubscribe: (socket, topic) => {
        socket.send(msgpackEncoder.gap({ alias: topic.alias, topic: topic.name }, 3, 9, 'lapped'));
        socket.send(msgpackEncoder.notice('drain', { reconnectAfterMs: 5 }));
        socket.close(1001, 'the server stops');
      },
    });
    expect(await runCli(['sub', 't', '--url', url])).toEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr: [
        'ringcast: missed 3–9 of t (lapped)\n',
        'ringcast: notice drain {"reconnectAfterMs":5}\n',
        'ringcast: the connection was closed (1001): the server stops\n',
      ].join(''),
    });
  });

  it('ends with 1 when the server ends the subscription', async () => {
    const { url } = await stub({
      onSubscribe: (socket, { alias, name }) =>
        socket.send(msgpackEncoder.revoked({ alias, topic: name }, 'TOPIC_NOT_FOUND', 'topic deleted')),
    });
    const { code, stderr } = await runCli(['sub', 't', '--url', url]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'ringcast: the server ended the subscription: topic deleted (TOPIC_NOT_FOUND)\n',
    });
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('ends quietly with 0 on %s', async (signal) => {
    const { url } = await stub();
    await runCli(['pub', 't', '1', '--url', url]);
    const cli = new RunningCli(['sub', 't', '--last', '1', '--url', url]);
    await cli.until(({ stdout }) => stdout.includes(' t 1 1\n'));
    cli.kill(signal);
    const { code, stderr } = await cli.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('ends quietly with 0 when nobody reads its output any more', async () => {
    const server = await stub();
    await runCli(['pub', 't', '1', '--url', server.url]);
    const cli = new RunningCli(['sub', 't', '--last', '1', '--url', server.url]);
    await cli.until(({ stdout }) => stdout !== '');
    cli.process.stdout.destroy();
    await runCli(['pub', 't', '2', '--url', server.url]);
    const { code, stderr } = await cli.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});
