// Topics that leave a home and go on in another one: part of the contract of every home.

import { expect, it } from 'vitest';
import type { TopicLogs } from '#src/home/link.js';
import { EVICTED, type FrameLog } from '#src/log/frame-log.js';
import { PlainLog } from '#src/log/plain-log.js';
import { SharedLog } from '#src/log/shared-log.js';
import { allocateSharedLog } from '#src/log/shared-memory.js';
import { eventToJson } from '#src/protocol/json-event.js';
import { encode } from '#src/protocol/msgpack.js';
import { readHistory } from '#src/topic/history.js';
import { Topic, type TopicSpec } from '#src/topic/topic.js';
import { JSON_STREAM } from '#src/variant/stream-spec.js';
import { Random, testSeed } from '../ring/random.js';
import { outgoing, tailOf } from '../support/outgoing.js';
import { expectAccepted, framesOf, type HomeLab, jsonLogOf, LARGE, logsWith, type OpenLab } from './topic-home.js';

/** What a topic brings along: frames in plain memory as from the accept thread, or in shared memory as from a lane. */
const KINDS = ['plain', 'shared'] as const;
type Kind = (typeof KINDS)[number];

const TIME_MS = 1_600_000_000_000;

function emptyLog(kind: Kind, firstSeq: number, { dataBytes, frames } = LARGE): FrameLog {
  if (kind === 'shared') return new SharedLog(allocateSharedLog({ dataBytes, frames }, firstSeq));
  return new PlainLog(
    { dataBytes, frames, retainMs: 3_600_000, historyMessages: 1e6, historyBytes: 2 ** 30 },
    firstSeq,
  );
}

interface PastOptions {
  /** JSON frames there are; -1: no JSON stream. */
  readonly jsonFrames?: number;
  readonly jsonFirstSeq?: number;
  readonly sizes?: { readonly dataBytes: number; readonly frames: number };
}

/** The logs of a topic that has got messages in another home; they count as accepted in this lab. */
function pastOf(lab: HomeLab, spec: TopicSpec, kind: Kind, messages: number, options: PastOptions = {}): TopicLogs {
  const { jsonFrames = -1, jsonFirstSeq = 1, sizes } = options;
  const log = emptyLog(kind, 1, sizes);
  const jsonLog = jsonFrames < 0 ? null : emptyLog(kind, jsonFirstSeq, sizes);
  const topic = new Topic(spec, log);
  for (let seq = 1; seq <= messages; seq++) {
    const payload = encode(`message ${seq}`);
    const sent = seq % 3 === 0 ? { id: `id-${seq}`, origin: seq } : {};
    // As from a ring: positions that mean nothing in another one.
    const { id = null, origin = 0 } = sent;
    const message = outgoing(payload, { ...tailOf({ id }), timeMs: TIME_MS + seq, monotonicMs: seq, origin });
    topic.publish(message, seq * 1e6);
    lab.accepted.get(spec.alias)!.push({ payload, timeMs: TIME_MS + seq, monotonicMs: seq, request: 0, sent });
    if (jsonLog === null || seq - jsonFirstSeq + 1 !== jsonFrames) continue;
    topic.openStream(JSON_STREAM, jsonLog);
    topic.closeStream(JSON_STREAM.key);
  }
  return logsWith(log, jsonLog);
}

/** The JSON stream has the same messages as the canonical one, from its first one on. */
function expectJson(spec: TopicSpec, logs: TopicLogs, firstSeq: number): void {
  const canonical = new Map(framesOf(logs.log).map((frame) => [frame.seq, frame]));
  const frames = framesOf(jsonLogOf(logs)!);
  expect(frames.map(({ seq }) => seq)).toEqual([...canonical.keys()].filter((seq) => seq >= firstSeq));
  for (const { seq, bytes, origin, monotonicMs } of frames) {
    const wanted = canonical.get(seq)!;
    expect(bytes).toEqual(eventToJson(spec.topic, wanted.bytes, 0, wanted.bytes.length));
    expect([origin, monotonicMs]).toEqual([wanted.origin, wanted.monotonicMs]);
  }
}

/** Lets the topic leave; the logs it left with. */
async function leave(lab: HomeLab, alias: number): Promise<TopicLogs> {
  const left: TopicLogs[] = [];
  lab.home.link.leaveTopic(alias, (logs) => left.push(logs));
  await lab.home.settle();
  expect(left).toHaveLength(1);
  return left[0];
}

export function describeMoving(openLab: OpenLab): void {
  it('leave with everything that was accepted before', async () => {
    const lab = await openLab();
    const { spec } = lab.open();
    lab.home.link.openStream(spec.alias, JSON_STREAM, 1);
    for (let i = 0; i < 50; i++) lab.publish(spec.alias, i, { isAcked: i % 2 === 0, id: `m${i}`, origin: i });
    const logs = await leave(lab, spec.alias);
    expectAccepted(lab, spec.alias, logs.log);
    expectJson(spec, logs, 1);
    expect(lab.acks.size).toBe(25);
  });

  it('leave without harm to others', async () => {
    const lab = await openLab();
    const [stays, leaves] = [lab.open(), lab.open()];
    const left: TopicLogs[] = [];
    for (let i = 0; i < 20; i++) {
      lab.publish(stays.spec.alias, i, { isAcked: true });
      if (i < 10) lab.publish(leaves.spec.alias, i, { isAcked: true });
      if (i === 10) lab.home.link.leaveTopic(leaves.spec.alias, (logs) => left.push(logs));
    }
    await lab.home.settle();
    expectAccepted(lab, stays.spec.alias, stays.log);
    expectAccepted(lab, leaves.spec.alias, left[0].log);
  });

  for (const kind of KINDS) {
    it(`go on with the frames they bring along, byte for byte (${kind})`, async () => {
      const lab = await openLab();
      const spec = lab.spec();
      const past = pastOf(lab, spec, kind, 40);
      const before = framesOf(past.log);
      const { log, derived } = lab.home.link.adoptTopic(spec, past);
      expect(derived).toEqual([]);
      expect(framesOf(log), 'at once').toEqual(before);
      for (let i = 0; i < 40; i++) lab.publish(spec.alias, i, { isAcked: true, id: `new ${i}` });
      await lab.home.settle();
      expectAccepted(lab, spec.alias, log);
      expect(framesOf(log).slice(0, before.length)).toEqual(before);
      expect(lab.acks.size).toBe(40);
    });

    it(`go on with their JSON stream, also one that is behind (${kind})`, async () => {
      for (const jsonFrames of [0, 1, 20, 39, 40]) {
        const lab = await openLab();
        const spec = lab.spec();
        const past = pastOf(lab, spec, kind, 40, { jsonFrames });
        const logs = lab.home.link.adoptTopic(spec, past);
        lab.publish(spec.alias, 'new', { isAcked: true });
        await lab.home.settle();
        expectAccepted(lab, spec.alias, logs.log);
        expectJson(spec, logs, 1);
      }
    });

    it(`go on with a JSON stream that began late, and may be without one afterwards (${kind})`, async () => {
      const lab = await openLab();
      const spec = lab.spec();
      const past = pastOf(lab, spec, kind, 40, { jsonFirstSeq: 31, jsonFrames: 0 });
      const logs = lab.home.link.adoptTopic(spec, past);
      lab.publish(spec.alias, 'new');
      await lab.home.settle();
      expectJson(spec, logs, 31);
      lab.home.link.closeStream(spec.alias, JSON_STREAM.key);
      lab.publish(spec.alias, 'newer');
      await lab.home.settle();
      const jsonLog = lab.home.link.openStream(spec.alias, JSON_STREAM, 41);
      await lab.home.settle();
      expectJson(spec, logsWith(logs.log, jsonLog), 41);
    });

    it(`offer the same history as before (${kind})`, async () => {
      const lab = await openLab();
      const spec = lab.spec({ historyMessages: 10 });
      const past = pastOf(lab, spec, kind, 40);
      const bytesOf = ({ frames }: ReturnType<typeof readHistory>): Uint8Array[] =>
        frames.map(({ bytes, start, end }) => bytes.slice(start, end));
      const before = readHistory(past.log, spec, { lastN: 100 }, 0);
      const { log } = lab.home.link.adoptTopic(spec, past);
      await lab.home.settle();
      const after = readHistory(log, spec, { lastN: 100 }, 0);
      expect([after.seq, after.frames.length]).toEqual([40, 10]);
      expect(bytesOf(after)).toEqual(bytesOf(before));
    });

    it(`have nothing for readers whose frames were gone before, and the rest for the others (${kind})`, async () => {
      const lab = await openLab();
      const spec = lab.spec();
      const past = pastOf(lab, spec, kind, 200, { sizes: { dataBytes: 4096, frames: 64 } });
      const { tailSeq } = past.log;
      expect(tailSeq).toBeGreaterThan(100);
      const before = framesOf(past.log);
      const { log } = lab.home.link.adoptTopic(spec, past);
      expect([log.tailSeq, log.headSeq]).toEqual([tailSeq, 200]);
      expect(log.copy(tailSeq - 1, 201, new Uint8Array(8192), 0)).toBe(EVICTED);
      expect(framesOf(log)).toEqual(before);
      lab.publish(spec.alias, 'new');
      await lab.home.settle();
      expectAccepted(lab, spec.alias, log);
    });

    it(`keep the newest frames that the home can hold (${kind})`, async () => {
      const lab = await openLab({ dataBytes: 4096, frames: 16 });
      const spec = lab.spec();
      const past = pastOf(lab, spec, kind, 300);
      const before = framesOf(past.log);
      const { log } = lab.home.link.adoptTopic(spec, past);
      const after = framesOf(log);
      expect(after.length).toBeGreaterThanOrEqual(15);
      expect(after).toEqual(before.slice(-after.length));
      for (let i = 0; i < 100; i++) await lab.publishAnyway(spec.alias, i);
      await lab.home.settle();
      expectAccepted(lab, spec.alias, log);
    });

    it(`may come without a single message (${kind})`, async () => {
      const lab = await openLab();
      const spec = lab.spec();
      const logs = lab.home.link.adoptTopic(spec, pastOf(lab, spec, kind, 0, { jsonFrames: 0 }));
      await lab.home.settle();
      expect([logs.log.headSeq, jsonLogOf(logs)!.headSeq]).toEqual([0, 0]);
      lab.publish(spec.alias, 'first', { isAcked: true });
      await lab.home.settle();
      expectAccepted(lab, spec.alias, logs.log);
    });
  }

  it('leave and come back, again and again, among others that stay', async () => {
    const random = new Random(testSeed('moving'));
    const lab = await openLab();
    const { link } = lab.home;
    const stays = lab.open({ historyMessages: 4000 });
    const { spec, log } = lab.open({ historyMessages: 4000 });
    let logs = logsWith(log, null);
    for (let round = 0; round < 30; round++) {
      for (let count = random.below(30); count > 0; count--) {
        await lab.publishAnyway(spec.alias, random.u32(), { isAcked: random.chance(0.5) });
        await lab.publishAnyway(stays.spec.alias, random.u32(), { isAcked: random.chance(0.5) });
      }
      if (logs.derived.length === 0 && random.chance(0.3)) {
        logs = logsWith(logs.log, link.openStream(spec.alias, JSON_STREAM, 1));
      } else if (logs.derived.length > 0 && random.chance(0.3)) {
        link.closeStream(spec.alias, JSON_STREAM.key);
        logs = logsWith(logs.log, null);
      }
      if (random.chance(0.3)) await lab.home.settle();
      const left = await leave(lab, spec.alias);
      expect(left.derived.length).toBe(logs.derived.length);
      logs = link.adoptTopic(spec, left);
    }
    await lab.home.settle();
    expectAccepted(lab, spec.alias, logs.log);
    expectAccepted(lab, stays.spec.alias, stays.log);
    expect(framesOf(logs.log)).toHaveLength(lab.accepted.get(spec.alias)!.length);
    if (logs.derived.length > 0) expectJson(spec, logs, 1);
  });

  it('leave also while their JSON stream ends', async () => {
    const lab = await openLab();
    const { spec } = lab.open();
    lab.home.link.openStream(spec.alias, JSON_STREAM, 1);
    lab.publish(spec.alias, 1);
    lab.home.link.closeStream(spec.alias, JSON_STREAM.key);
    lab.publish(spec.alias, 2, { isAcked: true });
    const { log, derived } = await leave(lab, spec.alias);
    expect(derived).toEqual([]);
    expectAccepted(lab, spec.alias, log);
  });
}
