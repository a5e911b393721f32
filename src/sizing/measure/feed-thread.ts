/**
 * The feed: a thread that publishes at random times, so that a busy reader in the main thread never delays a message.
 * Each payload begins with the time at which it should have left: a server that holds the feed up pays for it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { clockMs, sleep } from '../../load/clock.js';
import { Connection, ReceiveBuffer } from '../../load/connection.js';
import type { EventSink } from '../../load/dialect.js';
import { LatencyHistogram } from '../../load/latency-histogram.js';
import { nap } from '../../load/nap.js';
import { clientHeadBytes, OPCODE_BINARY, writeClientHead } from '../../load/websocket.js';
import { burstOf, type TopicGroup } from '../workload.js';
import { type FeedData, type FeedMessage, PAYLOAD_MIN_BYTES, type ToFeed } from './feed-port.js';
import { topicName } from './job.js';
import { seededRandom } from './random.js';
import { openFrame, publishFrameBytes, SizingDialect, tlsOf, writePublishHead } from './wire.js';

const OPEN_BATCH = 200;
const OPEN_MAX_MS = 20_000;
const WRITE_MAX_BYTES = 64 * 1024;
/** Of a message: the heads of WebSocket and PUBLISH. */
const HEADS_MAX_BYTES = 64;
const BUFFERED_MAX_BYTES = 1024 * 1024;
const SLEEP_MAX_MS = 20;
const SECOND_MS = 1000;

const data = workerData as FeedData;
const port = parentPort!;
const say = (message: FeedMessage): void => port.postMessage(message);
const late = new LatencyHistogram();
let failure = '';
let acknowledged = 0;
let isCounting = false;
let isStopped = false;

const sink: EventSink = {
  payload: () => {},
  acknowledged: (_connection, count) => {
    acknowledged += count;
  },
  published: () => {},
  gap: () => {},
  problem: (_connection, text) => {
    failure ||= `the feed: ${text}`;
  },
};

/**
 * The messages of one group, to topics and at times that are random. Their number per second is not: a rate that varies
 * by chance would be measured as a cost that does. So each second has the same number of times, thrown at random.
 */
class Feed {
  readonly #random: () => number;
  /** Bursts, each of them messages of one topic. */
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #group: TopicGroup;
  readonly #aliases: Uint32Array;
  /** Counted messages by topic. */
  readonly published: Uint32Array;
  #timesMs = new Float64Array(0);
  #next = 0;
  #secondStartMs: number;
  /** Bursts that are due up to the end of the second, as a fraction adds up. */
  #due = 0;

  constructor(groupIndex: number, aliases: Uint32Array, startMs: number) {
    this.#aliases = aliases;
    this.published = new Uint32Array(aliases.length);
    this.#group = data.topics[groupIndex];
    this.#random = seededRandom(data.seed + groupIndex);
    this.#burst = burstOf(this.#group);
    this.#perSecond = (this.#group.count * this.#group.ratePerSecond) / this.#burst;
    this.#secondStartMs = startMs - SECOND_MS;
  }

  /** When the next burst should leave. */
  nextMs(): number {
    if (this.#perSecond === 0) return Number.POSITIVE_INFINITY;
    while (this.#next === this.#timesMs.length) this.#beginSecond();
    return this.#timesMs[this.#next];
  }

  #beginSecond(): void {
    this.#secondStartMs += SECOND_MS;
    this.#due += this.#perSecond;
    const count = Math.floor(this.#due);
    this.#due -= count;
    this.#timesMs = Float64Array.from({ length: count }, () => this.#secondStartMs + this.#random() * SECOND_MS).sort();
    this.#next = 0;
  }

  /** Writes what is due into the buffer, as far as it has room; returns where it ends. Hot path. */
  write(bytes: Buffer, offset: number, nowMs: number): number {
    const payloadBytes = Math.max(PAYLOAD_MIN_BYTES, this.#group.bytes);
    const frameBytes = publishFrameBytes(payloadBytes);
    const messageBytes = clientHeadBytes(frameBytes) + frameBytes;
    while (offset + this.#burst * messageBytes <= bytes.length) {
      const intendedMs = this.nextMs();
      if (intendedMs > nowMs) break;
      this.#next++;
      const topic = Math.floor(this.#random() * this.#group.count);
      for (let message = 0; message < this.#burst; message++) {
        offset = writeClientHead(bytes, offset, OPCODE_BINARY, frameBytes);
        offset = writePublishHead(bytes, offset, this.#aliases[topic], payloadBytes);
        bytes.writeDoubleLE(intendedMs, offset);
        bytes[offset + 8] = isCounting ? 1 : 0;
        offset += payloadBytes;
      }
      if (!isCounting) continue;
      late.record(nowMs - intendedMs);
      this.published[topic] += this.#burst;
    }
    return offset;
  }
}

async function openTopics(connection: Connection, dialect: SizingDialect): Promise<Uint32Array[]> {
  const frames = data.topics
    .flatMap((group, groupIndex) =>
      Array.from({ length: group.count }, (_, index) => topicName(data.job, data.topics[groupIndex], index)),
    )
    .map((name, id) => openFrame(id, name));
  const giveUpMs = clockMs() + OPEN_MAX_MS;
  for (let first = 0; first < frames.length; first += OPEN_BATCH) {
    const batch = frames.slice(first, first + OPEN_BATCH);
    connection.send(Buffer.concat(batch));
    while (acknowledged < first + batch.length) {
      if (failure !== '') throw new Error(failure);
      if (clockMs() > giveUpMs) throw new Error('the server did not confirm the topics of the feed');
      await sleep(1);
    }
  }
  let id = 0;
  return data.topics.map(({ count }) => Uint32Array.from({ length: count }, () => dialect.aliases.get(id++)!));
}

async function publish(connection: Connection, feeds: readonly Feed[]): Promise<void> {
  const largest = Math.max(...data.topics.map((group) => burstOf(group) * (group.bytes + HEADS_MAX_BYTES)));
  const buffer = Buffer.alloc(WRITE_MAX_BYTES + largest, 0xa5);
  while (!isStopped && failure === '') {
    const nowMs = clockMs();
    let end = 0;
    if (connection.socket.writableLength < BUFFERED_MAX_BYTES) {
      for (const feed of feeds) end = feed.write(buffer, end, nowMs);
    }
    if (end > 0) connection.sendNow(Buffer.from(buffer.subarray(0, end)));
    await new Promise((resolve) => setImmediate(resolve));
    const nextMs = feeds.reduce((first, feed) => Math.min(first, feed.nextMs()), Number.POSITIVE_INFINITY);
    const waitMs = Math.min(connection.socket.writableLength > 0 ? 1 : SLEEP_MAX_MS, nextMs - clockMs());
    if (waitMs > 0) nap(waitMs);
  }
}

async function main(): Promise<void> {
  const dialect = new SizingDialect();
  const connection = new Connection(0, { port: data.port, dialect, ...tlsOf(data) }, new ReceiveBuffer(), sink);
  await connection.upgraded();
  const aliases = await openTopics(connection, dialect);
  say({ type: 'opened' });
  await new Promise((resolve) => port.once('message', resolve)); // publish
  const startMs = clockMs();
  const feeds = data.topics.map((_, index) => new Feed(index, aliases[index], startMs));
  port.on('message', (order: ToFeed) => {
    if (order === 'count') isCounting = true;
    else if (order === 'stop') isStopped = true;
    else
      say({ type: 'mark', published: feeds.reduce((sum, feed) => sum + feed.published.reduce((a, b) => a + b, 0), 0) });
  });
  await publish(connection, feeds);
  if (failure !== '') throw new Error(failure);
  const lateMs = late.quantileMicros(0.99) / 1000;
  say({ type: 'stopped', lateMs, publishedByTopic: feeds.map(({ published }) => published) });
}

main().catch((error: unknown) =>
  say({ type: 'failed', reason: error instanceof Error ? error.message : String(error) }),
);
