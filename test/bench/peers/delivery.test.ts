// Every peer that can run here delivers a small load, once each and in order, and its process leaves nothing behind.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import type { ServerOptions } from '../../../bench/support/peer.js';
import { until } from '../../support/until.js';
import { build, builtPeer, PEER_NAMES } from './build.js';
import { RunningServer, type SmallLoad } from './running-server.js';

/** On a machine that does ten other things at the same time; else a few seconds. */
const PATIENCE_MS = 120_000;
const EXTERNAL = ['nats-server', 'nginx-nchan'];
const SMALL: ServerOptions = {
  topics: { hot: 1, cold: 4 },
  payloadBytes: 64,
  topicsPerConnection: 2,
  maxDelayMs: 'auto',
};
/** Its length takes 8 bytes in a WebSocket frame. */
const LARGE: ServerOptions = { ...SMALL, payloadBytes: 70_000 };
const SUBSCRIBED = [[0, 1], [1, 2], [2, 3], [0], [4]];

let server: RunningServer | null = null;
let load: SmallLoad | null = null;

/** Skips the test where the peer cannot run. */
async function start(name: string, options: ServerOptions, context: TestContext): Promise<void> {
  const reason = (await builtPeer(name)).unavailable?.(options) ?? null;
  if (reason !== null) {
    console.log(`a test of the peer ${name} is skipped: ${reason}`);
    context.skip(reason);
  }
  server = await RunningServer.start(name, options);
}

const isGone = (pid: number): boolean =>
  !existsSync(`/proc/${pid}/stat`) || / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

/** What a killed process cannot delete lies here: servers inherit it. */
const folder = mkdtempSync(join(tmpdir(), 'ringcast-peers-'));

beforeAll(() => {
  process.env.TMPDIR = folder;
  build();
}, PATIENCE_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  load?.close();
  await server?.stop();
  load = server = null;
});

describe.each(PEER_NAMES)('%s', (name) => {
  it('delivers every message to every subscriber of its topic, and to no other', async (context) => {
    await start(name, SMALL, context);
    const before = await server!.sample();
    load = await server!.load();
    await load.subscribe(SUBSCRIBED);
    await load.publish(300, 50);
    expect(load.tracker.problems).toEqual([]);
    expect(load.verify()).toMatchObject({ complete: true, expected: 480, delivered: 480 });
    const after = await server!.sample();
    expect(after.cpuMicros).toBeGreaterThanOrEqual(before.cpuMicros);
    expect(after.rssBytes).toBeGreaterThan(2 ** 20);
    const programs = server!.children();
    expect(await server!.stop()).toBe(0);
    await until(() => programs.every(isGone), 'what it had started has ended');
  });

  it('delivers large messages', async (context) => {
    await start(name, LARGE, context);
    load = await server!.load();
    await load.subscribe(SUBSCRIBED);
    await load.publish(20, 1);
    expect(load.tracker.problems).toEqual([]);
    expect(load.verify()).toMatchObject({ complete: true, expected: 32, delivered: 32 });
  });
});

describe.each(EXTERNAL)('%s, a program of its own', (name) => {
  it('ends with the process that started it, even when that is killed', async (context) => {
    await start(name, SMALL, context);
    const programs = server!.children();
    expect(programs).toHaveLength(1);
    await server!.kill();
    await until(() => programs.every(isGone), 'the program has ended');
  });
});
