// What the logs of topics really hold, counted by the buffers that are alive, beside what is stated: the figures, the
// budget of cold logs, and the terms of the memory sum.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryBound, parseConfig } from '#src/config.js';
import { LOG_MIN_BYTES } from '#src/log/layout.js';
import type { ClientMessage } from '#src/protocol/messages.js';
import { Random, testSeed } from '../ring/random.js';
import { RouterLab } from './router-lab.js';

const COLD_LOGS_MAX_BYTES = 2 ** 20;
const MAX_TOPICS = 60;
const MAX_HOT_TOPICS = 4;
const STEPS = 1500;
/** A slab has slots for so many of the smallest logs, whether they are taken or not. */
const SLAB_SLOTS = 512;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Every buffer that is made while the test runs, of either kind. */
let buffers: WeakRef<ArrayBuffer | SharedArrayBuffer>[] = [];
const originals = { ArrayBuffer: globalThis.ArrayBuffer, SharedArrayBuffer: globalThis.SharedArrayBuffer };

beforeAll(() => {
  for (const name of ['ArrayBuffer', 'SharedArrayBuffer'] as const) {
    const Original = originals[name] as ArrayBufferConstructor;
    globalThis[name] = new Proxy(Original, {
      construct(target, operands, newTarget) {
        const buffer = Reflect.construct(target, operands, newTarget) as ArrayBuffer;
        buffers.push(new WeakRef(buffer));
        return buffer;
      },
    }) as never;
  }
});
afterAll(() => Object.assign(globalThis, originals));

async function heldBytes(): Promise<{ plain: number; shared: number }> {
  // What a WeakRef was made of or asked for stays alive until the event loop goes on.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  buffers = buffers.filter((ref) => ref.deref() !== undefined);
  const held = buffers.flatMap((ref) => ref.deref() ?? []);
  const bytesOf = (isShared: boolean): number =>
    held.reduce(
      (sum, buffer) => sum + (buffer instanceof originals.SharedArrayBuffer === isShared ? buffer.byteLength : 0),
      0,
    );
  return { plain: bytesOf(false), shared: bytesOf(true) };
}

describe('memory of logs', () => {
  it('is what the figures say and within what is stated, whatever is published, subscribed to, moved and deleted', async () => {
    const random = new Random(testSeed('held memory'));
    const laneRingBytes = 2 ** 16;
    const before = await heldBytes();
    const lab = new RouterLab({
      registry: { maxTopics: MAX_TOPICS, maxHotTopics: MAX_HOT_TOPICS },
      coldLogsMaxBytes: COLD_LOGS_MAX_BYTES,
      laneRingBytes,
      lanes: 2,
      maxPayloadBytes: 2 ** 15,
      homes: { hot: { promoteDeliveriesPerSecond: 1e9 } },
    });
    const idle = await heldBytes();
    const logSizes = { hotLogBytes: 2 ** 20, hotLogFrames: 1024, coldLogMaxBytes: 2 ** 20, coldLogMaxFrames: 1024 };
    const limits = { ...parseConfig(), ...logSizes, lanes: 2, coldLogsMaxBytes: COLD_LOGS_MAX_BYTES };
    const { rows } = memoryBound({ ...limits, maxTopics: MAX_TOPICS, maxHotTopics: MAX_HOT_TOPICS });
    const stated = (owner: string): number => rows.find((row) => row.owner === owner)?.bytes ?? Number.NaN;
    const clients = Array.from({ length: 6 }, (_, index) => (index % 2 === 0 ? lab.client() : lab.jsonClient()));
    let mostCold = 0;
    let moves = 0;
    for (let step = 0; step < STEPS; step++) {
      const topic = `t${random.below(2 * MAX_TOPICS)}`;
      const index = random.below(clients.length);
      const client = clients[index];
      const isText = index % 2 === 1;
      const send = (message: ClientMessage, json: object): void =>
        isText ? client.sendJson(json) : client.send(message);
      const what = random.below(100);
      if (what < 60) {
        const payload = 'x'.repeat(random.chance(0.1) ? random.below(30_000) : random.below(300));
        send({ type: 'publish', topic, payload }, { type: 'publish', topic, message: { payload } });
      } else if (what < 72) {
        send({ type: 'subscribe', topic, options: { lastN: 5 } }, { type: 'subscribe', topic, last_n: 5 });
      } else if (what < 82) {
        send({ type: 'unsubscribe', topic }, { type: 'unsubscribe', topic });
      } else if (what < 88) {
        lab.topics.delete(topic);
      } else if (what < 93) {
        const entry = lab.topics.find(topic);
        if (entry !== undefined)
          void lab.keeper.pin(entry, random.chance(0.5) ? 'cold' : random.below(2)).catch(() => {});
        moves++;
      } else if (what < 95) {
        client.close();
        clients[index] = isText ? lab.jsonClient() : lab.client();
      } else {
        lab.advance(random.below(3000));
        while (!lab.topics.sweep());
        while (!lab.coldLink.trim(lab.scheduler.epochMs()));
      }
      lab.settle();
      for (const { sink } of clients) sink.messages = [];
      if (step % 100 !== 99) continue;
      const held = await heldBytes();
      const { logBytes } = lab.coldLink;
      mostCold = Math.max(mostCold, logBytes);
      const smallest = 2 * MAX_TOPICS * LOG_MIN_BYTES;
      expect(logBytes, `step ${step}: the figure`).toBeLessThanOrEqual(stated('cold logs') + smallest);
      // Beside logs: the free slots of one slab, and the last message.
      const besideBytes = SLAB_SLOTS * LOG_MIN_BYTES + 2 ** 15;
      const plainBytes = held.plain - idle.plain;
      expect(plainBytes, `step ${step}: plain buffers`).toBeLessThanOrEqual(logBytes + besideBytes);
      const sharedBytes = held.shared - before.shared;
      const sharedStated =
        stated('hot logs') +
        stated('hot JSON streams') +
        stated('spare hot logs') +
        2 * 2 * (laneRingBytes * 2 + 2 ** 16);
      expect(sharedBytes, `step ${step}: shared buffers`).toBeLessThanOrEqual(sharedStated);
    }
    expect([mostCold > COLD_LOGS_MAX_BYTES / 2, moves > 20, lab.handOver.moves > 0]).toEqual([true, true, true]);
    for (const client of clients) client.close();
    for (const { spec } of [...lab.topics.entries()]) lab.topics.delete(spec.topic);
    lab.advance(2000);
    const after = await heldBytes();
    expect(lab.coldLink.logBytes).toBe(0);
    expect(after.plain - idle.plain, 'nothing is left but a slab').toBeLessThanOrEqual(
      SLAB_SLOTS * LOG_MIN_BYTES + 2 ** 16,
    );
  });
});
