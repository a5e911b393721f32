// The router with fakes around it: clients send frames as bytes, and get answers and deliveries in the order in which a
// socket would carry them.

import type { DirectoryOptions } from '#src/directory/topic-directory.js';
import { Core, type CoreOptions } from '#src/engine/core.js';
import { RingcastError } from '#src/errors.js';
import type { HomeOptions } from '#src/moves/home-keeper.js';
import { decodeServerFrames, encodeClientFrame } from '#src/protocol/client-frames.js';
import { jsonEncoder } from '#src/protocol/encoder-json.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { JsonReader } from '#src/protocol/json-reader.js';
import {
  type ClientMessage,
  type FrameReader,
  type PublishOptions,
  READ_END,
  READ_FRAME,
  type ServerMessage,
} from '#src/protocol/messages.js';
import { MsgpackReader } from '#src/protocol/msgpack-reader.js';
import type { DurablesOptions } from '#src/router/durables.js';
import type { Hooks } from '#src/router/hooks.js';
import type { AckCallback } from '#src/router/pending-acks.js';
import { HANDED_OVER } from '#src/router/publishing.js';
import { Session } from '#src/router/session.js';
import type { Clock } from '#src/time/loop.js';
import { CoreParts } from '../support/core-parts.js';
import { FakeScheduler } from '../support/fake-scheduler.js';
import { FakeSink } from '../support/fake-sink.js';
import { SteppedThreads } from '../support/stepped-threads.js';

export interface RouterLabOptions {
  readonly hooks?: Hooks;
  readonly registry?: Partial<DirectoryOptions>;
  readonly maxSubscriptionsPerConnection?: number;
  readonly maxPayloadBytes?: number;
  readonly maxPublishRatePerConnection?: number;
  readonly maxPublishBurstPerConnection?: number;
  readonly durables?: Partial<DurablesOptions>;
  /** Bytes of the ring of each lane; without it there is none. */
  readonly laneRingBytes?: number;
  /** How many there are (default 1). */
  readonly lanes?: number;
  readonly stallMs?: number;
  /** The clock of the lanes' threads (default: the lab's, which stands still while they work). */
  readonly laneClock?: Clock;
  /** When topics move by themselves (default: never). */
  readonly homes?: { readonly hot?: Partial<HomeOptions['hot']>; readonly rebalanceRatio?: number };
  /** What the logs of cold topics may take together. */
  readonly coldLogsMaxBytes?: number;
}

export const DEFAULTS = {
  historyMessages: 100,
  historyBytes: 2 ** 20,
  maxDelayMs: 0,
  slowConsumerPolicy: 'drop_oldest',
  maxLagMs: 0,
  maxLagMessages: 0,
} as const;

const NEVER_MOVE: HomeOptions['hot'] = {
  promoteDeliveriesPerSecond: Number.POSITIVE_INFINITY,
  promoteAfterMs: 0,
  demoteAfterMs: Number.POSITIVE_INFINITY,
  movesPerSecond: 1000,
};

const RETENTION = { ms: 2000, messages: 0, bytes: 0 };
const LOG_SIZES = { dataBytes: 2 ** 20, frames: 1024 };
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** What happened to a lane: `died 0`, `recovered 0`. */
type LaneReport = string;

/** Of topics that keep nothing for who comes later. */
export const NO_HISTORY = {
  historyMessages: 0,
  historyBytes: 0,
  maxDelayMs: 0,
  slowConsumerPolicy: 'drop_oldest',
  maxLagMs: 0,
  maxLagMessages: 0,
} as const;

export class RouterLab extends CoreParts {
  readonly scheduler = new FakeScheduler();
  /** The threads of the lanes: they run when the lab settles. */
  readonly threads: SteppedThreads;
  readonly core: Core;
  readonly faults: unknown[] = [];
  readonly laneReports: LaneReport[] = [];

  constructor(options: RouterLabOptions = {}) {
    super();
    const laneClock = options.laneClock ?? this.scheduler;
    this.threads = new SteppedThreads(laneClock);
    this.core = new Core(coreOptions(options), {
      hooks: options.hooks ?? {},
      loop: this.scheduler,
      threads: this.threads,
      laneClock,
      laneEvents: {
        onDeath: ({ lane, reason }) => this.laneReports.push(`${reason} ${lane}`),
        onRecovered: (lane) => this.laneReports.push(`recovered ${lane}`),
        onPoison: (lane) => this.laneReports.push(`poison ${lane}`),
        onDegraded: (lane) => this.laneReports.push(`degraded ${lane}`),
      },
      onFault: (fault) => this.faults.push(fault),
      beforeTurn: () => {},
    });
    for (const lane of this.lanes.lanes) lane.start();
  }

  client(): RouterClient {
    return new RouterClient(this, false);
  }

  jsonClient(): RouterClient {
    return new RouterClient(this, true);
  }

  /** Everything that can happen without a client and without time. */
  settle(): void {
    for (let isBusy = true; isBusy; ) {
      this.scheduler.settle();
      isBusy = this.threads.step();
      // What the doorbell does.
      this.lanes.drain();
      isBusy ||= this.scheduler.soonCount > 0;
    }
  }

  /** Time passes, in steps of 10 ms at most; lanes and accept thread do what there is to do. */
  advance(ms: number): void {
    const untilMs = this.scheduler.now + ms;
    this.settle();
    while (this.scheduler.now < untilMs) {
      this.scheduler.advance(Math.min(10, untilMs - this.scheduler.now));
      this.settle();
    }
  }
}

function coreOptions(options: RouterLabOptions): CoreOptions {
  const { registry = {}, laneRingBytes, stallMs = 60_000, coldLogsMaxBytes = 2 ** 30 } = options;
  const { maxSubscriptionsPerConnection = 100, maxPayloadBytes = 2 ** 18 } = options;
  const { maxPublishRatePerConnection = 0, maxPublishBurstPerConnection = 0 } = options;
  const lanes = laneRingBytes === undefined ? 0 : (options.lanes ?? 1);
  const maxHotTopics = registry.maxHotTopics ?? 100;
  return {
    delivery: { budgetMs: 1 },
    cold: {
      dataMaxBytes: LOG_SIZES.dataBytes,
      framesMax: LOG_SIZES.frames,
      logsMaxBytes: coldLogsMaxBytes,
      retention: RETENTION,
    },
    lanes: { lanes, ringBytes: laneRingBytes ?? 0, stallMs, logSizes: LOG_SIZES, maxHotTopics },
    topics: {
      autoCreate: true,
      maxTopics: 1000,
      maxStreamsPerTopic: 20,
      maxHotTopics,
      defaults: DEFAULTS,
      rules: [],
      retention: RETENTION,
      ...registry,
    },
    router: {
      maxSubscriptionsPerConnection,
      maxPayloadBytes,
      hookTimeoutMs: 0,
      requestTimeoutMs: 1000,
      maxRequestsPerConnection: 3,
      maxPublishRatePerConnection,
      maxPublishBurstPerConnection,
      ...{ maxDurables: 100, maxDurablesPerTopic: 100, durableTtlMs: 60_000, maxUnacked: 1000 },
      ...options.durables,
    },
    homes: {
      hot: { ...NEVER_MOVE, ...options.homes?.hot },
      rebalance: { ratio: options.homes?.rebalanceRatio ?? 0 },
    },
  };
}

let connectionCount = 0;

/** A connection as the gateway makes one, held back while a hook is waited for. */
export class RouterClient {
  readonly sink = new FakeSink();
  readonly session: Session;
  readonly #lab: RouterLab;
  readonly #reader: FrameReader;
  #waiting: Promise<void> | null = null;
  readonly #heldBack: Uint8Array[] = [];

  constructor(lab: RouterLab, isText: boolean) {
    this.#lab = lab;
    this.#reader = isText ? new JsonReader() : new MsgpackReader();
    const consumer = lab.delivery.addConsumer(this.sink, isText ? jsonEncoder : msgpackEncoder);
    this.session = new Session(`connection-${++connectionCount}`, consumer, { from: 'test' });
    this.sink.onEnd = () => this.close();
  }

  /** One WebSocket message with these frames. */
  send(...messages: ClientMessage[]): void {
    const frames = messages.map(encodeClientFrame);
    const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
    let at = 0;
    for (const frame of frames) {
      bytes.set(frame, at);
      at += frame.length;
    }
    this.sendBytes(bytes);
  }

  sendJson(message: object): void {
    this.sendText(JSON.stringify(message));
  }

  sendText(text: string): void {
    this.sendBytes(encoder.encode(text));
  }

  sendBytes(bytes: Uint8Array): void {
    if (this.#waiting !== null) this.#heldBack.push(bytes);
    else this.#handle(bytes);
  }

  /** Resolves when no hook is waited for any more. */
  async idle(): Promise<void> {
    while (this.#waiting !== null) await this.#waiting;
  }

  close(): void {
    if (!this.session.consumer.isClosed || this.session.grants !== null) this.#lab.router.end(this.session, 1000, '');
  }

  /** What has arrived, after everything that is under way. */
  take(): ServerMessage[] {
    this.#lab.settle();
    const frames = this.sink.messages.flatMap((message) => decodeServerFrames(message));
    this.sink.messages = [];
    return frames;
  }

  takeJson(): Record<string, unknown>[] {
    this.#lab.settle();
    return this.sink.messages
      .splice(0)
      .map((message) => JSON.parse(decoder.decode(message)) as Record<string, unknown>);
  }

  /** The same in short: `ok 1`, `error 2 FORBIDDEN`, `event 3`, `gap 4-6`. */
  takeShort(): string[] {
    return this.take().map((frame) => {
      if (frame.type === 'ok' || frame.type === 'pong') return `${frame.type} ${frame.id}`;
      if (frame.type === 'error') return `error ${frame.id} ${frame.code}`;
      if (frame.type === 'event') return `event ${frame.seq}`;
      if (frame.type === 'gap') return `gap ${frame.fromSeq}-${frame.toSeq}`;
      return frame.type;
    });
  }

  #handle(bytes: Uint8Array): void {
    const { router } = this.#lab;
    const reader = this.#reader;
    router.batch.begin();
    reader.reset(bytes, 0, bytes.length);
    for (let result = reader.next(); result !== READ_END; result = reader.next()) {
      if (result !== READ_FRAME) throw new Error(`the test sent a bad frame: ${reader.problem}`);
      const pending = router.handle(this.session, reader);
      if (pending === undefined) continue;
      const rest = bytes.slice(reader.offset);
      // The socket takes its buffer back.
      bytes.fill(0xc1);
      this.#wait(pending, rest);
      break;
    }
    router.batch.end(this.session);
  }

  #wait(pending: Promise<void>, rest: Uint8Array): void {
    if (rest.length > 0) this.#heldBack.unshift(rest);
    this.#waiting = pending.then(() => {
      this.#waiting = null;
      while (this.#waiting === null && this.#heldBack.length > 0) this.#handle(this.#heldBack.shift()!);
    });
  }
}

/** Publishes as the process itself does. False: it was not taken. */
export function publishLocally(
  { router, topics, scheduler }: RouterLab,
  topic: string,
  payload: Uint8Array,
  onAck: AckCallback | null = () => {},
  options?: PublishOptions,
): boolean {
  const entry = topics.obtain(topic);
  if (entry instanceof RingcastError) throw entry;
  return (
    router.publishing.publishLocally(entry, payload, options, scheduler.nowMs(), onAck, onAck !== null) === HANDED_OVER
  );
}
