// `ringcast replay` as a process, against a scripted server.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lines, MAIN, RunningCli, runCli } from './run-cli.js';
import { type StubScript, StubServer } from './stub-server.js';

const SUMMARY = /^replayed (\d+) messages to (\d+) topics in (\d+\.\d+) s: \d+ msg\/s, (\d+) errors(, \d+ retried)?\n$/;
/** Runs a command on a terminal of its own; part of every Linux, but not everywhere this one. */
const hasScript = `${spawnSync('script', ['--version']).stdout}`.includes('util-linux');
if (!hasScript) console.log('the test of the progress bar is skipped: it needs the command `script` of util-linux');

const START_NS = 1_723_161_253_937_085_768n;

let folder: string;
let server: StubServer;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'ringcast-replay-'));
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** One line `offsetMs` after the beginning. */
function recorded(offsetMs: number, market: string, message: unknown): string {
  return `${START_NS + BigInt(offsetMs) * 1_000_000n} ${market} ${JSON.stringify(message)}\n`;
}

function trades(count: number, spacingMs = 0): { text: string; messages: unknown[] } {
  const messages = Array.from({ length: count }, (_, n) => ({ stream: 'btcusdt@trade', data: { n, p: '61800.30' } }));
  return { messages, text: messages.map((message, n) => recorded(n * spacingMs, 'spot', message)).join('') };
}

async function start(text: string, script: StubScript = {}, name = 'recording.ndjson') {
  server = await StubServer.start(script);
  const file = path.join(folder, name);
  await writeFile(file, name.endsWith('.gz') ? gzipSync(text) : text);
  return { file, url: server.url };
}

describe('ringcast replay', () => {
  it('publishes every message to its topic, in order, many frames per WebSocket message', async () => {
    const { text, messages } = trades(3000);
    const snapshot = { lastUpdateId: 1, bids: [['1', '2']] };
    const { file, url } = await start(text + recorded(0, 'cm', snapshot), {}, 'recording.ndjson.gz');
    const { code, stdout, stderr } = await runCli(['replay', file, '--speed', 'max', '--url', url]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(SUMMARY.exec(stdout)?.slice(1, 5)).toEqual(['3001', '2', expect.any(String), '0']);
    expect([...server.topics.keys()]).toEqual(['spot:btcusdt@trade', 'cm:snapshot']);
    expect(server.payloads('spot:btcusdt@trade')).toEqual(messages);
    expect(server.payloads('cm:snapshot')).toEqual([snapshot]);
    expect(Math.max(...server.publishesPerMessage)).toBeGreaterThan(100);
  });

  it.skipIf(!hasScript)('shows its progress on a terminal', async () => {
    const { file, url } = await start(trades(3000).text);
    const command = [process.execPath, MAIN, 'replay', file, '--url', url].join(' ');
    const { stdout } = await promisify(execFile)('script', ['--quiet', '--return', '--command', command, '/dev/null']);
    expect(stdout).toMatch(/replay \S+ \d+ % \| \d+ messages \| \S+ left/);
    expect(stdout).toContain('replayed 3000 messages');
  });

  it('keeps the order when the server is overloaded, and loses nothing', async () => {
    const { text, messages } = trades(2000);
    let left = 520;
    const { file, url } = await start(text, { isOverloaded: () => left-- > 0 });
    const { code, stdout, stderr } = await runCli(['replay', file, '--speed', 'max', '--url', url]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/2000 messages .* 0 errors, 520 retried\n$/);
    expect(server.payloads('spot:btcusdt@trade')).toEqual(messages);
  });

  it('says when a message overtook a refused one', async () => {
    const refused = new Set<number>();
    const isOverloaded = (_: string, payload: unknown): boolean => {
      const { n } = (payload as { data: { n: number } }).data;
      if (n !== 5 || refused.has(n)) return false;
      refused.add(n);
      return true;
    };
    const { file, url } = await start(trades(10).text, { isOverloaded });
    const { code, stderr } = await runCli(['replay', file, '--speed', 'max', '--url', url]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/4 messages overtook one that had to be sent again/);
    expect(server.payloads('spot:btcusdt@trade')).toHaveLength(10);
  });

  it('keeps the recorded pace, divided by --speed', async () => {
    const { text } = trades(11, 100);
    const { file, url } = await start(text);
    const own = await runCli(['replay', file, '--url', url]);
    const fast = await runCli(['replay', file, '--speed', '10', '--url', url]);
    const seconds = [own, fast].map(({ stdout }) => Number(SUMMARY.exec(stdout)?.[3]));
    expect(seconds[0]).toBeGreaterThanOrEqual(0.99);
    expect(seconds[1]).toBeGreaterThanOrEqual(0.09);
    expect(seconds[1]).toBeLessThan(seconds[0]);
  });

  it('reports bad lines by number, publishes the others, and ends with 1', async () => {
    const { text } = trades(3);
    const [first, second, third] = lines(text);
    const tooLong = recorded(0, 'spot', { stream: 'x'.repeat(300) });
    const tooLarge = recorded(0, 'spot', { stream: 's', data: 'x'.repeat(1024 * 1024) });
    const { file, url } = await start(`${first}\nnonsense\n\n${second}\r\n1 spot {\n${tooLong}${tooLarge}${third}`);
    const { code, stdout, stderr } = await runCli(['replay', file, '--speed', 'max', '--url', url]);
    expect(code).toBe(1);
    expect(SUMMARY.exec(stdout)?.slice(1, 5)).toEqual(['3', '2', expect.any(String), '4']);
    expect(lines(stderr).map((line) => line.slice(file.length))).toEqual([
      ':2: expected "<nanoseconds> <market> <json>"',
      expect.stringMatching(/^:5: the message is not JSON/),
      ':6: the topic name has 305 bytes, at most 255',
      expect.stringMatching(/^:7: the frame has \d+ bytes, at most 1048576/),
    ]);
    expect(server.payloads('spot:btcusdt@trade')).toHaveLength(3);
  });

  it('shows the first bad lines only', async () => {
    const { file, url } = await start('bad\n'.repeat(50));
    const { code, stderr } = await runCli(['replay', file, '--speed', 'max', '--loop', '--url', url]);
    expect(code).toBe(1);
    expect(lines(stderr)).toHaveLength(21);
    expect(stderr).toContain('30 more bad lines');
  });

  it('ends with 1 on a damaged file, with what could be read published', async () => {
    const { file, url } = await start('', {}, 'damaged.ndjson.gz');
    const packed = gzipSync(trades(2000).text, { level: 0 });
    await writeFile(file, packed.subarray(0, packed.length - 50_000));
    const { code, stderr } = await runCli(['replay', file, '--speed', 'max', '--url', url]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `ringcast: ${file} cannot be read to its end: unexpected end of file\n`,
    });
    expect(server.payloads('spot:btcusdt@trade').length).toBeGreaterThan(100);
  });

  it('goes round with --loop until Ctrl-C, then sums up and ends with 0', async () => {
    const { file, url } = await start(trades(5, 2).text);
    const cli = new RunningCli(['replay', file, '--loop', '--url', url]);
    const watching = setInterval(() => {
      if (server.payloads('spot:btcusdt@trade').length < 12) return;
      clearInterval(watching);
      cli.kill('SIGINT');
    }, 5);
    const { code, stdout, stderr } = await cli.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(SUMMARY.exec(stdout)?.[1]).toBe(String(server.payloads('spot:btcusdt@trade').length));
  });

  it('ends with 1 when the connection is lost', async () => {
    const { file, url } = await start(trades(100, 50).text);
    const cli = new RunningCli(['replay', file, '--url', url]);
    const watching = setInterval(() => {
      if (server.payloads('spot:btcusdt@trade').length >= 2) server.closeConnections(1001, 'the server stops');
    }, 5);
    const { code, stdout, stderr } = await cli.ended;
    clearInterval(watching);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^ringcast: the connection was closed \(1001\): the server stops \(SHUTTING_DOWN\)\n$/);
  });
});
