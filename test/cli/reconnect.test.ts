// Commands that outlive their connection: what they say, what they leave out, and when they give up.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { waitMs } from '#src/cli/reconnect.js';
import { EventHead } from '#src/protocol/event.js';
import { encode } from '#src/protocol/msgpack.js';
import { makeReport } from '../counters/reports.mjs';
import { startEngine } from '../support/engines.js';
import { lines, MAIN, RunningCli, runCli } from './run-cli.js';
import { StubServer } from './stub-server.js';

const hasScript = `${spawnSync('script', ['--version']).stdout}`.includes('util-linux');
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Between client and server: loses all connections when told to. */
async function startProxy(
  url: string,
): Promise<{ url: string; cut: () => void; refuse: (isRefusing: boolean) => void }> {
  const target = Number(new URL(url).port);
  const sockets = new Set<Socket>();
  let isRefusing = false;
  const server = createServer((near) => {
    if (isRefusing) {
      near.destroy();
      return;
    }
    const far = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => {}).on('close', () => to.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.close());
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  ends.push(cut);
  const { port } = server.address() as AddressInfo;
  return { url: `ws://127.0.0.1:${port}/ws`, cut, refuse: (value) => (isRefusing = value) };
}

function start(...args: string[]): RunningCli {
  const cli = new RunningCli(args);
  ends.push(() => cli.kill('SIGKILL'));
  return cli;
}

describe('ringcast sub --reconnect', () => {
  it('goes on behind the last message, prints none twice, and tells exactly what is no longer there', async () => {
    const { engine, url } = await startEngine({ lanes: 0, historyMessages: 3, retainMs: 0 });
    const proxy = await startProxy(url);
    for (let n = 1; n <= 4; n++) await engine.publish('t', n);
    const cli = start('sub', 't', '--raw', '--last', '2', '--reconnect', '--url', proxy.url);
    await cli.until(({ stdout }) => stdout === '3\n4\n');
    proxy.refuse(true);
    proxy.cut();
    await cli.until(({ stderr }) => /cannot connect .*connects again in/.test(stderr));
    await engine.publish('t', 5); // retained with 3 and 4, which were printed
    proxy.refuse(false);
    await cli.until(({ stdout }) => stdout === '3\n4\n5\n');
    expect(cli.stderr).not.toContain('missed');
    proxy.refuse(true);
    proxy.cut();
    for (let n = 6; n <= 60; n++) await engine.publish('t', n); // the last few are retained
    proxy.refuse(false);
    await cli.until(({ stdout }) => stdout.endsWith('\n60\n'));
    cli.kill('SIGTERM');
    const { code, stdout, stderr } = await cli.ended;
    expect(code).toBe(0);
    const missed = /^ringcast: missed 6–(\d+) of t \(lapped\)$/.exec(
      lines(stderr).find((line) => line.includes('missed'))!,
    )!;
    const behind = Number(missed[1]) + 1;
    const printed = [3, 4, 5, ...Array.from({ length: 61 - behind }, (_, n) => behind + n)];
    expect(lines(stdout)).toEqual(printed.map(String));
  });

  it('asks for what is wished for, and again', async () => {
    const { engine, url } = await startEngine({ lanes: 0, topics: [{ match: '*', key: 'symbol' }] });
    const proxy = await startProxy(url);
    const publish = (symbol: string, bid: number): Promise<unknown> => engine.publish('t', { symbol, bid, size: 1 });
    await publish('A', 1);
    await publish('B', 2);
    await publish('A', 3);
    const wishes = ['--snapshot', '--filter', "symbol != 'C'", '--fields', 'bid,symbol', '--max-rate', '1000'];
    const cli = start('sub', 't', '--raw', ...wishes, '--reconnect', '--url', proxy.url);
    const printed = (...bids: number[]): RegExp =>
      new RegExp(`^${bids.map((bid) => `.*"bid":${bid}\\D.*\n`).join('')}$`);
    await cli.until(({ stdout }) => printed(2, 3).test(stdout));
    await publish('C', 4);
    await publish('B', 5);
    await cli.until(({ stdout }) => printed(2, 3, 5).test(stdout));
    proxy.refuse(true);
    proxy.cut();
    await publish('A', 6);
    proxy.refuse(false);
    await cli.until(({ stdout }) => stdout.includes('6'));
    cli.kill('SIGTERM');
    expect(await cli.ended).toMatchObject({ code: 0, stderr: expect.not.stringContaining('missed') });
    const bad = await runCli(['sub', 't', '--filter', 'bid >', '--url', url]);
    expect(bad).toMatchObject({ code: 1, stderr: expect.stringMatching(/column .*BAD_REQUEST/) });
  });

  it('tells that a topic is a new one, and prints all of it', async () => {
    const { engine, url } = await startEngine({ lanes: 0 });
    const proxy = await startProxy(url);
    await engine.publish('t', 'old');
    const cli = start('sub', 't', '--raw', '--last', '1', '--reconnect', '--url', proxy.url);
    await cli.until(({ stdout }) => stdout === '"old"\n');
    proxy.refuse(true);
    proxy.cut();
    engine.deleteTopic('t');
    await engine.publish('t', 'new');
    proxy.refuse(false);
    await cli.until(({ stdout }) => stdout === '"old"\n"new"\n');
    expect(cli.stderr).toMatch(/the topic is a new one, its numbers begin again/);
  });

  it('ends with 1 where the same would be refused again, and where the first connection fails', async () => {
    const { engine, url } = await startEngine({ lanes: 0 });
    await engine.publish('t', 1);
    const cli = start('sub', 't', '--raw', '--last', '1', '--reconnect', '--url', url);
    await cli.until(({ stdout }) => stdout === '1\n');
    engine.deleteTopic('t');
    expect(await cli.ended).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^ringcast: .*TOPIC_NOT_FOUND\)\n$/),
    });
    const refused = await runCli(['sub', '$nothing', '--reconnect', '--url', url]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('BAD_REQUEST') });
    const nobody = await runCli(['sub', 't', '--reconnect', '--url', 'ws://127.0.0.1:1/ws']);
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('Start a server') });
  });

  it('ends at once with 0 on a signal while it waits', async () => {
    const { engine, url } = await startEngine({ lanes: 0 });
    await engine.publish('t', 1);
    const cli = start('sub', 't', '--last', '1', '--reconnect', '--url', url);
    await cli.until(({ stdout }) => stdout !== '');
    await engine.close();
    await cli.until(({ stderr }) => stderr.includes('connects again in'));
    cli.kill('SIGHUP');
    expect(await cli.ended).toMatchObject({ code: 0, signal: null });
  });
});

describe('ringcast top', () => {
  it('connects again when the server goes away', async () => {
    let connections = 0;
    const server = await StubServer.start({
      onSubscribe: (socket, { alias }) => {
        connections += 1;
        const head = new EventHead();
        const headBytes = head.write(alias, 1, 0, 0);
        const report = encode(makeReport(connections, { lanes: 1, topics: 1, slowest: 0 }));
        socket.send(Buffer.concat([head.bytes.subarray(0, headBytes), report]));
        if (connections === 1) socket.close(1001, 'the server stops');
      },
    });
    ends.push(() => server.close());
    const cli = start('top', '--json', '--url', server.url);
    await cli.until(({ stdout }) => lines(stdout).length === 2);
    expect(cli.stderr).toMatch(
      /^ringcast: the connection was closed \(1001\): the server stops; connects again in [\d.]+ s\n$/,
    );
    cli.kill('SIGINT');
    expect((await cli.ended).code).toBe(0);
  });

  it.skipIf(!hasScript).each(['q', 'Q', '\x03'])('on a terminal ends with 0 at the key %j', async (key) => {
    const { url } = await startEngine({ statsIntervalMs: 100 });
    // A terminal that nobody looks at has no size.
    const command = `stty cols 120 rows 40; exec ${[process.execPath, MAIN, 'top', '--url', url].join(' ')}`;
    const terminal = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null']);
    ends.push(() => terminal.kill('SIGKILL'));
    let output = '';
    const shown = new Promise<void>((resolve) => {
      terminal.stdout.on('data', (chunk) => {
        output += chunk;
        if (output.includes('accept thread busy')) resolve();
      });
    });
    const ended = new Promise((resolve) => terminal.on('close', resolve));
    await shown;
    terminal.stdin.write(key);
    expect(await ended).toBe(0);
  });
  if (!hasScript) console.log('skipped: keys on a terminal; needs script of util-linux (Debian package bsdutils)');
});

it('waits longer after each failure, at most 30 s, and never for the same time as others', () => {
  const lost = new Error('lost');
  expect([0, 1, 2, 3, 10, 100].map((failures) => waitMs(lost, failures, 1))).toEqual([
    500, 1000, 2000, 4000, 30_000, 30_000,
  ]);
  expect([0, 1, 2].map((failures) => waitMs(lost, failures, 0))).toEqual([250, 500, 1000]);
});
