// The commands with the real engine: `ringcast serve` as a process, and the others against it.
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { connect } from '#src/client/client.js';
import { lines, RunningCli, runCli } from './run-cli.js';

const servers: RunningCli[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.kill('SIGKILL');
    await server.ended;
  }
});

async function serve(...args: string[]): Promise<{ server: RunningCli; url: string }> {
  const server = new RunningCli(['serve', '--port', '0', '--lanes', '1', '--max-connections', '1000', ...args]);
  servers.push(server);
  await server.until(({ stdout }) => stdout.includes('Memory'));
  const url = /^ringcast listens on (ws:\S+)$/m.exec(server.stdout)?.[1];
  if (url === undefined) throw new Error(server.stdout);
  return { server, url };
}

describe('ringcast serve', () => {
  it.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)(
    'prints its URL, serves pub and sub, and ends with 0 on %s',
    async (signal) => {
      const { server, url } = await serve();
      expect(await runCli(['pub', 'greetings', '"hello"', '--url', url])).toMatchObject({
        code: 0,
        stdout: 'published greetings 1\n',
      });
      const sub = await runCli(['sub', 'greetings', '--raw', '--last', '1', '--count', '1', '--url', url]);
      expect(sub).toMatchObject({ code: 0, stdout: '"hello"\n', stderr: '' });
      const client = await connect(url, { WebSocket });
      const notices: string[] = [];
      client.on('notice', ({ kind }) => notices.push(kind));
      const closed = new Promise((resolve) => client.on('close', resolve));
      server.kill(signal);
      expect(await server.ended).toMatchObject({
        code: 0,
        signal: null,
        stderr: expect.stringMatching(new RegExp(`^ringcast: ${signal}, stopping`)),
      });
      expect(await closed).toMatchObject({ code: 1001 });
      expect(notices).toEqual(['drain']);
    },
  );

  it.each(['./serve.js', '../index.js', 'piscina', 'uWebSockets.js'])(
    'ends with 0 when SIGTERM comes as it loads %s',
    async (specifier) => {
      // Modules are looked up in another thread, which goes on when the signal has been noticed; not for ever, as where the
      // main thread waits for the look-up, it notices nothing.
      const hooks = `let noticed;
      export function initialize(data) { noticed = data; }
      export async function resolve(specifier, context, next) {
        if (specifier === '${specifier}' && Atomics.load(noticed, 0) === 0) {
          process.kill(process.pid, 'SIGTERM');
          for (let left = 1000; left > 0 && Atomics.load(noticed, 0) === 0; left--) await new Promise((done) => setTimeout(done, 1));
        }
        return next(specifier, context);
      }`;
      const dataUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
      const preload = `import { register } from 'node:module';
      const noticed = new Int32Array(new SharedArrayBuffer(4));
      process.once('SIGTERM', () => Atomics.store(noticed, 0, 1));
      register(${JSON.stringify(dataUrl(hooks))}, { data: noticed });`;
      const server = new RunningCli(['serve', '--port', '0', '--lanes', '1'], {
        NODE_OPTIONS: `--import ${dataUrl(preload)}`,
      });
      servers.push(server);
      expect(await server.ended).toMatchObject({
        code: 0,
        signal: null,
        stdout: '',
        stderr: expect.stringMatching(/^ringcast: SIGTERM, stopping[^\n]*\n$/),
      });
    },
  );

  it('ends at once on a second signal, without waiting for a client that does not read', async () => {
    const { server, url } = await serve('--shutdown-timeout-ms', '60s', '--cold-log-max-bytes', '64MiB');
    const stalled = new WebSocket(`${url}/flood`, 'ringcast.v1.msgpack');
    await new Promise((resolve) => stalled.once('message', resolve));
    stalled.pause();
    const client = await connect(url, { WebSocket });
    const flood = await client.openPublisher('flood');
    const payload = 'x'.repeat(500_000);
    for (let n = 0; n < 40; n++) await flood.publish(payload); // more than the buffers of two sockets hold
    await client.close();
    server.kill('SIGTERM');
    await server.until(({ stderr }) => stderr.includes('once more to end at once'));
    server.kill('SIGTERM');
    expect(await server.ended).toMatchObject({ code: 1, signal: null });
    stalled.terminate();
  });

  it('--demo shows data with the very command that it prints', async () => {
    const { server } = await serve('--demo');
    await server.until(({ stdout }) => stdout.includes('npx ringcast'));
    const command = /npx ringcast sub '(\S+)' (--url \S+)/.exec(server.stdout);
    const { code, stdout } = await runCli(['sub', command![1], ...command![2].split(' '), '--json', '--count', '5']);
    expect(code).toBe(0);
    const events = lines(stdout).map((line) => JSON.parse(line));
    expect(events).toHaveLength(5);
    for (const [index, { topic, seq, payload }] of events.entries()) {
      expect([topic, seq]).toEqual(['prices:AAPL', events[0].seq + index]);
      expect(payload).toMatchObject({ symbol: 'AAPL', price: expect.any(Number) });
    }
    server.kill('SIGINT');
    expect(await server.ended).toMatchObject({ code: 0 });
  });

  it('--demo works where topics have to be created, and without lanes', async () => {
    const { server, url } = await serve('--demo', '--lanes', '0', '--topics-auto-create', 'false');
    const { code, stderr } = await runCli(['sub', 'prices:MSFT', '--count', '2', '--url', url]);
    expect({ code, stderr, serverStderr: server.stderr }).toEqual({ code: 0, stderr: '', serverStderr: '' });
  });

  it('ends with 1 and says what to do when the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    const { code, stdout, stderr } = await runCli(['serve', '--port', String(port), '--max-connections', '1000']);
    other.close();
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(lines(stderr)).toHaveLength(1);
    expect(stderr).toContain(String(port));
  });

  it('starts in a namespace with a Service of its name, and in a conda environment', async () => {
    const env = {
      RINGCAST_SERVICE_HOST: '10.0.0.1',
      RINGCAST_SERVICE_PORT: '8787',
      RINGCAST_PORT: 'tcp://10.0.0.1:8787',
      RINGCAST_PORT_8787_TCP_ADDR: '10.0.0.1',
      HOST: 'x86_64-conda-linux-gnu',
      PORT: '0',
    };
    const server = new RunningCli(['serve', '--lanes', '0', '--max-connections', '1000'], env);
    servers.push(server);
    await server.until(({ stdout }) => stdout.includes('Memory'));
    expect(server.stdout).toMatch(/^ringcast listens on ws:\/\/127\.0\.0\.1:\d+\/ws$/m);
    expect(lines(server.stderr)).toEqual([
      'ringcast: from the environment: port (PORT)',
      expect.stringMatching(/^ringcast: HOST is not used, because it holds no IP address/),
    ]);
  });

  it('goes on when nobody reads its output any more', async () => {
    const { server, url } = await serve('--demo');
    server.process.stdout.destroy();
    server.process.stderr.destroy();
    const { code } = await runCli(['sub', 'prices:AAPL', '--count', '3', '--url', url]);
    expect({ code, serverCode: server.process.exitCode }).toEqual({ code: 0, serverCode: null });
    server.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
  });

  it('takes file, environment and flags', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'ringcast-serve-'));
    const file = path.join(folder, 'ringcast.json');
    await writeFile(file, JSON.stringify({ lanes: 0, maxPayloadBytes: 2048, topics: { create: ['made'] } }));
    const server = new RunningCli(['serve', '--config', file, '--topics-auto-create', 'false'], { PORT: '0' });
    servers.push(server);
    await server.until(({ stdout }) => stdout.includes('listens on'));
    const client = await connect(/ws:\S+/.exec(server.stdout)![0], { WebSocket });
    expect(client.server?.limits.maxPayloadBytes).toBe(2048);
    await client.publish('made', 1);
    await expect(client.publish('other', 1)).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    await client.close();
    await rm(folder, { recursive: true });
  });

  it('a client that is subscribed hears of the stop', async () => {
    const { server, url } = await serve();
    await runCli(['pub', 't', '1', '--url', url]);
    const sub = new RunningCli(['sub', 't', '--last', '1', '--url', url]);
    await sub.until(({ stdout }) => stdout !== '');
    server.kill('SIGTERM');
    const [subEnd, serverEnd] = await Promise.all([sub.ended, server.ended]);
    expect([subEnd.code, serverEnd.code]).toEqual([1, 0]);
    expect(subEnd.stderr).toMatch(/notice drain[^\n]*\nringcast: the connection was closed \(1001\)/);
  });
});

describe('ringcast replay to a real server', () => {
  it('delivers every message of the recording, byte for byte, in order', async () => {
    const { url } = await serve('--topics-rules', '[{"match":"spot:*","home":"hot"}]');
    const folder = await mkdtemp(path.join(tmpdir(), 'ringcast-replay-'));
    const file = path.join(folder, 'recording.ndjson');
    const topics = ['spot:btcusdt@trade', 'cm:ethusd_perp@trade'];
    const sent = new Map(topics.map((topic) => [topic, createHash('sha256')]));
    let text = '';
    for (let n = 0; n < 6000; n++) {
      const [market, stream] = topics[n % 2].split(':') as [string, string];
      const json = JSON.stringify({ stream, data: { n, price: `${61_000 + (n % 7)}.50`, levels: [n, n / 8] } });
      text += `${1_723_161_253_937_085_768n + BigInt(n)} ${market} ${json}\n`;
      sent.get(topics[n % 2])?.update(json);
    }
    await writeFile(file, text);

    const client = await connect(url, { WebSocket });
    const received = new Map(topics.map((topic) => [topic, createHash('sha256')]));
    let left = 6000;
    const complete = new Promise<void>((resolve) => {
      for (const topic of topics) {
        void client.subscribe(topic, {}, ({ payload }) => {
          received.get(topic)?.update(JSON.stringify(payload));
          left -= 1;
          if (left === 0) resolve();
        });
      }
    });
    await client.ping();
    const { code, stdout, stderr } = await runCli(['replay', file, '--speed', 'max', '--url', url]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^replayed 6000 messages to 2 topics in .* 0 errors\n$/);
    await complete;
    for (const topic of topics) expect(received.get(topic)?.digest('hex')).toBe(sent.get(topic)?.digest('hex'));
    await client.close();
    await rm(folder, { recursive: true });
  });
});
