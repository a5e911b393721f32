// One client does its worst, with few bytes or with many. A bystander's round trips stay short meanwhile, and the server
// small; it hears SIGTERM. What the turns do in detail is in test/gateway, with the clock in the hand of the test.
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeClientFrame } from '#src/protocol/client-frames.js';
import type { ClientMessage } from '#src/protocol/messages.js';
import { RunningCli } from '../cli/run-cli.js';
import { maskedFrame, OPCODE, upgradeRequest } from '../support/raw-peer.js';
import { TestClient } from '../support/test-client.js';
import { until, within } from '../support/until.js';

const MIB = 1024 * 1024;
const ROUND_TRIPS = 100;
/** On a quiet machine the slowest of 100 takes some 30 ms; before there were budgets it took seconds or minutes. */
const ROUND_TRIP_MAX_MS = 1000;
const RSS_GROWTH_MAX_BYTES = 200 * MIB;

const frames = (count: number, ...messages: ClientMessage[]): Buffer => {
  const one = Buffer.concat(messages.map(encodeClientFrame));
  return Buffer.concat(Array.from({ length: count }, () => one));
};
const repeated = (count: number, ...parts: Buffer[]): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => parts).flat());
const text = (message: object): Buffer => maskedFrame(OPCODE.text, Buffer.from(JSON.stringify(message)));
const binary = (bytes: Buffer): Buffer => maskedFrame(OPCODE.binary, bytes);
const empty = Buffer.alloc(0);

interface Attack {
  readonly codec?: 'json';
  readonly bytes: Buffer;
  /** The same again and again. */
  readonly isContinuous?: true;
  /** It reads nothing. */
  readonly isDeaf?: true;
}

/** `big` is a topic with 1 MiB of history. */
const ATTACKS: Record<string, Attack> = {
  'HISTORY, 2,000 times in one message': { bytes: binary(frames(2000, { type: 'history', id: 1, topic: 'big' })) },
  'the same, and nothing is read': {
    bytes: binary(frames(2000, { type: 'history', id: 1, topic: 'big' })),
    isDeaf: true,
  },
  'HISTORY that wants no answer, 200,000 times in one message': {
    bytes: binary(frames(200_000, { type: 'history', topic: 'big' })),
  },
  'HISTORY as JSON': { codec: 'json', bytes: repeated(500, text({ type: 'history', topic: 'big', request_id: 1 })) },
  'SUBSCRIBE and UNSUBSCRIBE as JSON, whose stream begins with all of the history': {
    codec: 'json',
    bytes: repeated(500, text({ type: 'subscribe', topic: 'big' }), text({ type: 'unsubscribe', topic: 'big' })),
  },
  'SUBSCRIBE, 200,000 times in one message': { bytes: binary(frames(200_000, { type: 'subscribe', topic: 'x' })) },
  'PUBLISH without an end': {
    bytes: binary(frames(20_000, { type: 'publish', topic: 'x', payload: 'f'.repeat(40) })),
    isContinuous: true,
  },
  'PING frames of ringcast, of which no answer is read': {
    bytes: binary(frames(50_000, { type: 'ping', id: 1 })),
    isContinuous: true,
    isDeaf: true,
  },
  'pings without an end': { bytes: repeated(20_000, maskedFrame(OPCODE.ping, empty)), isContinuous: true },
  'pongs without an end': { bytes: repeated(20_000, maskedFrame(OPCODE.pong, empty)), isContinuous: true },
  'empty messages without an end': { bytes: repeated(20_000, binary(empty)), isContinuous: true },
  'small messages without an end': {
    codec: 'json',
    bytes: repeated(5000, text({ type: 'publish', topic: 'x', message: { payload: 1 } })),
    isContinuous: true,
  },
  'bad frames without an end': { codec: 'json', bytes: repeated(5000, text({ type: 'what' })), isContinuous: true },
};

let server: RunningCli;
let url: string;
let bystander: TestClient;
let attacker: Worker | null = null;
let attackers = 0;

beforeAll(async () => {
  server = new RunningCli(['serve', '--port', '0', '--lanes', '0']);
  await server.until(({ stdout }) => stdout.includes('Memory'));
  url = /ws:\S+/.exec(server.stdout)?.[0] ?? '';
});

afterEach(() => attacker?.terminate());

afterAll(async () => {
  server.kill('SIGKILL');
  await server.ended;
});

function rssBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

async function roundTripMs(client: TestClient): Promise<number> {
  const sentMs = performance.now();
  await client.sync();
  return performance.now() - sentMs;
}

if (process.platform !== 'linux') console.log('attacks: skipped, /proc is needed to see how large the server is');

describe.skipIf(process.platform !== 'linux')('one client sends', () => {
  it.each(Object.entries(ATTACKS))('%s', async (name, { codec, bytes, isContinuous = false, isDeaf = false }) => {
    const feed = await TestClient.open(url);
    for (let n = 0; n < 100; n++) await feed.publish('big', 'b'.repeat(10_000));
    bystander = await TestClient.open(url, 'json');
    await bystander.sync();

    const pid = server.process.pid as number;
    const rssBefore = rssBytes(pid);
    let rssMax = rssBefore;
    const head = upgradeRequest(url, `ringcast.v1.${codec ?? 'msgpack'}`);
    const port = Number(new URL(url).port);
    attacker = new Worker(new URL('../support/attacker.mjs', import.meta.url), {
      // An address of its own: those of the attackers before are refused for a while.
      workerData: {
        port,
        localAddress: `127.0.1.${++attackers}`,
        head,
        bytes,
        isContinuous,
        isStubborn: isContinuous,
        isDeaf,
      },
    });
    let hasBegun = false;
    attacker.on('message', () => {
      hasBegun = true;
    });
    await until(() => hasBegun, 'the attack has begun');
    const roundTrips: number[] = [];
    for (let n = 0; n < ROUND_TRIPS; n++) {
      roundTrips.push(await within(roundTripMs(bystander), 20_000, `round trip ${n} under attack`));
      rssMax = Math.max(rssMax, rssBytes(pid));
    }
    roundTrips.sort((a, b) => a - b);
    const [p50, p99, max] = [0.5, 0.99, 1].map((part) => roundTrips[Math.ceil(part * ROUND_TRIPS) - 1] as number);
    const grownMib = (rssMax - rssBefore) / MIB;
    console.log(
      `${name}: a bystander’s ${ROUND_TRIPS} round trips p50 ${p50?.toFixed(1)} ms, p99 ${p99?.toFixed(1)} ms, ` +
        `max ${max?.toFixed(1)} ms; the server grew by ${grownMib.toFixed(0)} MiB`,
    );
    expect(max).toBeLessThan(ROUND_TRIP_MAX_MS);
    expect(rssMax - rssBefore).toBeLessThan(RSS_GROWTH_MAX_BYTES);
  });

  it.each([
    [0, 429],
    [3, 101],
  ])('floods, with %i others at its address: who comes from there next is answered %i', async (others, status) => {
    const localAddress = `127.0.2.${others + 1}`;
    for (let n = 0; n < others; n++) await TestClient.open(url, 'json', { localAddress });
    const { bytes } = ATTACKS['empty messages without an end'] as Attack;
    const head = upgradeRequest(url, 'ringcast.v1.msgpack');
    const workerData = { port: Number(new URL(url).port), localAddress, head, bytes, isContinuous: true };
    attacker = new Worker(new URL('../support/attacker.mjs', import.meta.url), { workerData });
    let isClosed = false;
    attacker.on('message', (what) => {
      isClosed ||= what === 'closed';
    });
    await until(() => isClosed, 'the flooder is closed');
    const next = TestClient.open(url, 'json', { localAddress });
    if (status === 101) await next;
    else await expect(next).rejects.toThrow(`${status}`);
  });

  it('and SIGTERM is heard', async () => {
    server.kill('SIGTERM');
    expect(await within(server.ended, 15_000, 'the server has ended')).toMatchObject({ code: 0 });
  });
});
