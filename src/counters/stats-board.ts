/**
 * Stats board: the newest stats report in shared memory, for threads that serve figures without asking the accept thread.
 *
 * A report is written field by field in the order of the functions below: numbers as float64, a text as its length in
 * bytes and its UTF-8 bytes, filled up to 8. What is written by `writeTopic` is read by `readTopic`, and so on. Lists
 * are cut off at the limits, so that the size is bounded.
 */

import { Buffer } from 'node:buffer';
import type {
  ConsumerFigures,
  EngineFigures,
  LaneFigures,
  LaneState,
  StatsReport,
  TopicFigures,
  WaitFigures,
} from './report.js';
import { allocateSnapshot, SnapshotReader, SnapshotWriter } from './snapshot.js';

/** The busiest topics that the board holds. */
export const BOARD_TOPICS_MAX = 1024;
/** The slowest consumers that the board holds. */
export const BOARD_CONSUMERS_MAX = 64;
const BOARD_LANES_MAX = 64;

/** Longer texts are left empty; names and ids of the protocol are shorter. */
const TEXT_MAX_BYTES = 256;

const NUMBER_BYTES = 8;
const TEXT_BYTES = NUMBER_BYTES + TEXT_MAX_BYTES;
const HEAD_BYTES = 32 * NUMBER_BYTES;
const LANE_BYTES = 12 * NUMBER_BYTES + TEXT_BYTES;
const TOPIC_BYTES = 18 * NUMBER_BYTES + TEXT_BYTES;
const CONSUMER_BYTES = 3 * NUMBER_BYTES + 3 * TEXT_BYTES;

const BOARD_BYTES =
  HEAD_BYTES + BOARD_LANES_MAX * LANE_BYTES + BOARD_TOPICS_MAX * TOPIC_BYTES + BOARD_CONSUMERS_MAX * CONSUMER_BYTES;

/** In a row: the topic is cold. Lanes are 0, 1, 2 … */
const COLD_HOME = -1;

/** The memory of one board; about 1 MiB. */
export function allocateStatsBoard(): SharedArrayBuffer {
  return allocateSnapshot(BOARD_BYTES);
}

/** Writer: the accept thread. */
export class StatsBoardWriter {
  readonly #snapshot: SnapshotWriter;

  constructor(memory: SharedArrayBuffer) {
    this.#snapshot = new SnapshotWriter(memory);
  }

  write(report: StatsReport): void {
    const fields = new FieldWriter(this.#snapshot.target);
    fields.number(report.time);
    fields.number(report.intervalMs);
    writeEngine(fields, report.engine);
    writeList(fields, report.lanes, BOARD_LANES_MAX, writeLane);
    writeList(fields, report.topics, BOARD_TOPICS_MAX, writeTopic);
    writeList(fields, report.slowest, BOARD_CONSUMERS_MAX, writeConsumer);
    this.#snapshot.publish(fields.usedBytes);
  }
}

/** Reader: any thread. */
export class StatsBoardReader {
  readonly #snapshot: SnapshotReader;

  constructor(memory: SharedArrayBuffer) {
    this.#snapshot = new SnapshotReader(memory);
  }

  /** The newest report, with up to BOARD_TOPICS_MAX topics; null: there is none yet. */
  read(): StatsReport | null {
    const bytes = this.#snapshot.read();
    if (bytes === null) return null;
    const fields = new FieldReader(bytes);
    return {
      time: fields.number(),
      intervalMs: fields.number(),
      engine: readEngine(fields),
      lanes: readList(fields, readLane),
      topics: readList(fields, readTopic),
      slowest: readList(fields, readConsumer),
    };
  }
}

// ---- fields ----------------------------------------------------------------------------------------------------------

class FieldWriter {
  readonly #bytes: Buffer;
  readonly #numbers: Float64Array;
  /** Index of the next number. */
  #at = 0;

  constructor({ buffer, byteOffset, length }: Uint8Array) {
    this.#bytes = Buffer.from(buffer, byteOffset, length);
    this.#numbers = new Float64Array(buffer, byteOffset, length / NUMBER_BYTES);
  }

  get usedBytes(): number {
    return this.#at * NUMBER_BYTES;
  }

  number(value: number): void {
    this.#numbers[this.#at++] = value;
  }

  text(value: string): void {
    const at = this.#at + 1;
    // At most 3 bytes per UTF-16 unit: most texts are short enough to be written without being measured.
    const fits = value.length * 3 <= TEXT_MAX_BYTES || Buffer.byteLength(value) <= TEXT_MAX_BYTES;
    const bytes = fits ? this.#bytes.write(value, at * NUMBER_BYTES) : 0;
    this.#numbers[this.#at] = bytes;
    this.#at = at + Math.ceil(bytes / NUMBER_BYTES);
  }
}

class FieldReader {
  readonly #bytes: Buffer;
  readonly #numbers: Float64Array;
  #at = 0;

  constructor({ buffer, byteOffset, length }: Uint8Array) {
    this.#bytes = Buffer.from(buffer, byteOffset, length);
    this.#numbers = new Float64Array(buffer, byteOffset, length / NUMBER_BYTES);
  }

  number(): number {
    return this.#numbers[this.#at++] as number;
  }

  text(): string {
    const bytes = this.number();
    const start = this.#at * NUMBER_BYTES;
    this.#at += Math.ceil(bytes / NUMBER_BYTES);
    return this.#bytes.toString('utf8', start, start + bytes);
  }
}

function writeList<T>(
  fields: FieldWriter,
  items: readonly T[],
  limit: number,
  writeItem: (fields: FieldWriter, item: T) => void,
): void {
  const count = Math.min(items.length, limit);
  fields.number(count);
  for (let index = 0; index < count; index++) writeItem(fields, items[index] as T);
}

function readList<T>(fields: FieldReader, readItem: (fields: FieldReader) => T): T[] {
  const count = fields.number();
  return Array.from({ length: count }, () => readItem(fields));
}

// ---- what a report is made of ----------------------------------------------------------------------------------------

function writeEngine(fields: FieldWriter, engine: EngineFigures): void {
  fields.number(engine.uptimeMs);
  fields.number(engine.connections);
  fields.number(engine.blockedConnections);
  fields.number(engine.subscriptions);
  fields.number(engine.topics);
  fields.number(engine.hotTopics);
  fields.number(engine.utilisation);
  fields.number(engine.messagesPerSecond);
  fields.number(engine.deliveriesPerSecond);
  fields.number(engine.deliveredBytesPerSecond);
  fields.number(engine.messages);
  fields.number(engine.overloadedMessages);
  fields.number(engine.deliveries);
  fields.number(engine.deliveredBytes);
  fields.number(engine.lostMessages);
  fields.number(engine.slowDisconnects);
  fields.number(engine.moves);
}

function readEngine(fields: FieldReader): EngineFigures {
  return {
    uptimeMs: fields.number(),
    connections: fields.number(),
    blockedConnections: fields.number(),
    subscriptions: fields.number(),
    topics: fields.number(),
    hotTopics: fields.number(),
    utilisation: fields.number(),
    messagesPerSecond: fields.number(),
    deliveriesPerSecond: fields.number(),
    deliveredBytesPerSecond: fields.number(),
    messages: fields.number(),
    overloadedMessages: fields.number(),
    deliveries: fields.number(),
    deliveredBytes: fields.number(),
    lostMessages: fields.number(),
    slowDisconnects: fields.number(),
    moves: fields.number(),
  };
}

function writeLane(fields: FieldWriter, lane: LaneFigures): void {
  fields.number(lane.lane);
  fields.text(lane.state);
  fields.number(lane.topics);
  fields.number(lane.utilisation);
  fields.number(lane.ringFillPercent);
  fields.number(lane.ringWaitMs.p50);
  fields.number(lane.ringWaitMs.p99);
  fields.number(lane.ringWaitMs.max);
  fields.number(lane.messagesPerSecond);
  fields.number(lane.messages);
  fields.number(lane.bytes);
  fields.number(lane.restarts);
  fields.number(lane.poisonedMessages);
}

function readLane(fields: FieldReader): LaneFigures {
  return {
    lane: fields.number(),
    state: fields.text() as LaneState,
    topics: fields.number(),
    utilisation: fields.number(),
    ringFillPercent: fields.number(),
    ringWaitMs: readWait(fields),
    messagesPerSecond: fields.number(),
    messages: fields.number(),
    bytes: fields.number(),
    restarts: fields.number(),
    poisonedMessages: fields.number(),
  };
}

function readWait(fields: FieldReader): WaitFigures {
  return { p50: fields.number(), p99: fields.number(), max: fields.number() };
}

function writeTopic(fields: FieldWriter, topic: TopicFigures): void {
  fields.text(topic.topic);
  fields.number(topic.home === 'cold' ? COLD_HOME : topic.home);
  fields.number(topic.subscribers);
  fields.number(topic.messagesPerSecond);
  fields.number(topic.deliveriesPerSecond);
  fields.number(topic.messages);
  fields.number(topic.bytes);
  fields.number(topic.deliveries);
  fields.number(topic.deliveredBytes);
  fields.number(topic.lagMessages);
  fields.number(topic.lagMs);
  fields.number(topic.gaps.lapped);
  fields.number(topic.gaps.max_lag_ms);
  fields.number(topic.gaps.max_lag_messages);
  fields.number(topic.gaps.conflated);
  fields.number(topic.gaps.too_large);
  fields.number(topic.lostMessages);
  fields.number(topic.moves);
  fields.number(topic.laneShare);
}

function readTopic(fields: FieldReader): TopicFigures {
  return {
    topic: fields.text(),
    home: readHome(fields),
    subscribers: fields.number(),
    messagesPerSecond: fields.number(),
    deliveriesPerSecond: fields.number(),
    messages: fields.number(),
    bytes: fields.number(),
    deliveries: fields.number(),
    deliveredBytes: fields.number(),
    lagMessages: fields.number(),
    lagMs: fields.number(),
    gaps: {
      lapped: fields.number(),
      max_lag_ms: fields.number(),
      max_lag_messages: fields.number(),
      conflated: fields.number(),
      too_large: fields.number(),
    },
    lostMessages: fields.number(),
    moves: fields.number(),
    laneShare: fields.number(),
  };
}

function readHome(fields: FieldReader): TopicFigures['home'] {
  const home = fields.number();
  return home === COLD_HOME ? 'cold' : home;
}

function writeConsumer(fields: FieldWriter, consumer: ConsumerFigures): void {
  fields.text(consumer.connectionId);
  fields.text(consumer.clientId);
  fields.text(consumer.topic);
  fields.number(consumer.lagMessages);
  fields.number(consumer.lagMs);
  fields.number(consumer.isBlocked ? 1 : 0);
}

function readConsumer(fields: FieldReader): ConsumerFigures {
  return {
    connectionId: fields.text(),
    clientId: fields.text(),
    topic: fields.text(),
    lagMessages: fields.number(),
    lagMs: fields.number(),
    isBlocked: fields.number() === 1,
  };
}
