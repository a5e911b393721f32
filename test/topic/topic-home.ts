// The contract of a topic's home, as a suite: whatever runs topics behind a HomeLink has to pass it.

import { expect } from 'vitest';
import { type HomeLink, type LinkEvents, PUBLISH_ACCEPTED, PUBLISH_FULL, type TopicLogs } from '#src/home/link.js';
import { EVICTED, type FrameLog } from '#src/log/frame-log.js';
import { EventView } from '#src/protocol/event.js';
import { encode } from '#src/protocol/msgpack.js';
import type { TopicSpec } from '#src/topic/topic.js';
import { JSON_STREAM } from '#src/variant/stream-spec.js';
import { outgoing, tailOf } from '../support/outgoing.js';

export interface HomeSizes {
  /** Largest sizes of a log. */
  readonly dataBytes: number;
  readonly frames: number;
}

export const LARGE: HomeSizes = { dataBytes: 2 ** 20, frames: 4096 };

/** A home under test. */
export interface TopicHome {
  readonly link: HomeLink;
  /** The monotonic clock of the home's thread, as this thread reads it. */
  nowMs(): number;
  /** Resolves when everything accepted before is in the logs and has been reported. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export type OpenHome = (sizes: HomeSizes, events: LinkEvents) => Promise<TopicHome>;
export type OpenLab = (sizes?: HomeSizes) => Promise<HomeLab>;

export interface Sent {
  readonly id?: string;
  readonly origin?: number;
  /** Ask for an ack. */
  readonly isAcked?: boolean;
}

/** A home with what it has reported, and shorthands for what the suite does again and again. */
export class HomeLab {
  readonly home: TopicHome;
  readonly #events: { acks: Map<number, number>; heads: Set<number> };
  #lastAlias = 0;
  #lastRequest = 0;
  #timeMs = 1_700_000_000_000;
  /** Messages in the order in which the home accepted them, by alias. */
  readonly accepted = new Map<
    number,
    { payload: Uint8Array; timeMs: number; monotonicMs: number; request: number; sent: Sent }[]
  >();

  private constructor(home: TopicHome, events: { acks: Map<number, number>; heads: Set<number> }) {
    this.home = home;
    this.#events = events;
  }

  static async open(openHome: OpenHome, sizes: HomeSizes = LARGE): Promise<HomeLab> {
    const events = { acks: new Map<number, number>(), heads: new Set<number>() };
    const home = await openHome(sizes, {
      onHead: (alias) => events.heads.add(alias),
      onAck: (request, seq) => {
        if (events.acks.has(request)) throw new Error(`a second ack for request ${request}`);
        events.acks.set(request, seq);
      },
      onPutAside: (request) => {
        throw new Error(`message ${request} was put aside`);
      },
    });
    return new HomeLab(home, events);
  }

  get acks(): ReadonlyMap<number, number> {
    return this.#events.acks;
  }

  get heads(): ReadonlySet<number> {
    return this.#events.heads;
  }

  spec(limits: Partial<TopicSpec> = {}): TopicSpec {
    const alias = ++this.#lastAlias;
    const spec = {
      alias,
      topic: `t/${alias}`,
      epoch: `e${alias}`,
      firstSeq: 1,
      historyMessages: 100,
      historyBytes: 2 ** 20,
      ...limits,
    };
    this.accepted.set(spec.alias, []);
    return spec;
  }

  open(limits: Partial<TopicSpec> = {}): { spec: TopicSpec; log: FrameLog } {
    const spec = this.spec(limits);
    return { spec, log: this.home.link.openTopic(spec) };
  }

  /** Publishes again and again until the home has room. */
  async publishAnyway(alias: number, value: unknown, sent: Sent = {}): Promise<void> {
    for (let tries = 0; !this.publish(alias, value, sent); tries++) {
      if (tries === 100) throw new Error('the home stays full');
      await this.home.settle();
    }
  }

  /** True: accepted. False: the home is full. */
  publish(alias: number, value: unknown, sent: Sent = {}): boolean {
    const payload = encode(value);
    // Inside a larger buffer, as a message's frames are.
    const bytes = new Uint8Array(payload.length + 9).fill(0xff);
    bytes.set(payload, 4);
    const request = sent.isAcked === true ? ++this.#lastRequest : 0;
    const message = outgoing(bytes, {
      start: 4,
      end: 4 + payload.length,
      ...tailOf(sent),
      timeMs: ++this.#timeMs,
      monotonicMs: Math.floor(this.home.nowMs()),
      mayWaitMs: 0,
      origin: sent.origin ?? 0,
      request,
    });
    const result = this.home.link.publish(alias, message);
    // What the buffer holds afterwards is nobody's business.
    bytes.fill(0xc1);
    if (result === PUBLISH_FULL) return false;
    if (result !== PUBLISH_ACCEPTED) {
      expect(result, 'the seq of a message that is in the log').toBe(this.accepted.get(alias)!.length + 1);
      this.#events.heads.add(alias);
      if (request !== 0) this.#events.acks.set(request, result);
    }
    this.accepted
      .get(alias)!
      .push({ payload, timeMs: message.timeMs, monotonicMs: message.monotonicMs, request, sent });
    return true;
  }
}

/** The log of a topic's JSON stream, if it has one. */
export function jsonLogOf({ derived }: TopicLogs): FrameLog | null {
  return derived.find(({ spec }) => spec.key === JSON_STREAM.key)?.log ?? null;
}

export function logsWith(log: FrameLog, jsonLog: FrameLog | null): TopicLogs {
  return { log, derived: jsonLog === null ? [] : [{ spec: JSON_STREAM, log: jsonLog }] };
}

/** The frames that a log retains, as bytes. */
export function framesOf(log: FrameLog): { seq: number; bytes: Uint8Array; origin: number; monotonicMs: number }[] {
  log.refresh();
  const frames = [];
  for (let index = log.tail; index <= log.head; index++) {
    const bytes = new Uint8Array(log.sliceBytes(index, index + 1));
    expect(log.copy(index, index + 1, bytes, 0)).not.toBe(EVICTED);
    frames.push({ seq: log.seqAt(index), bytes, origin: log.originAt(index), monotonicMs: log.timeAt(index) });
  }
  return frames;
}

/** The canonical log holds exactly what was accepted, as EVENT frames. */
export function expectAccepted(lab: HomeLab, alias: number, log: FrameLog): void {
  const view = new EventView();
  const frames = framesOf(log);
  const accepted = lab.accepted.get(alias)!;
  expect(log.headSeq).toBe(accepted.length);
  for (const { seq, bytes, origin, monotonicMs } of frames) {
    const message = accepted[seq - 1];
    const { payload, sent, timeMs, request } = message;
    expect(view.read(bytes, 0, bytes.length)).toBe(true);
    expect([view.alias, view.seq, view.time, view.id]).toEqual([alias, seq, timeMs, sent.id ?? null]);
    expect(bytes.subarray(view.payloadStart, view.payloadEnd)).toEqual(payload);
    expect(view.frameEnd).toBe(bytes.length);
    expect([origin, monotonicMs]).toEqual([sent.origin ?? 0, message.monotonicMs]);
    if (request !== 0) expect(lab.acks.get(request)).toBe(seq);
  }
}
