// The publishing thread of the generator. It has a thread of its own so that a busy reader never delays a publish, and it
// sleeps in Atomics.wait, which is far finer than a timer. Payloads carry the INTENDED send time: when the server holds the
// publisher up, the wait counts as the server's latency (no coordinated omission).

import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { parentPort, workerData } from 'node:worker_threads';
import { clockMs, sleep } from '../../../dist/load/clock.js';
import { Connection, localAddress, openConnections, ReceiveBuffer } from '../../../dist/load/connection.js';
import { LatencyHistogram } from '../../../dist/load/latency-histogram.js';
import { BinaryPayload, FILLER } from '../../../dist/load/payload.js';
import { clientFrame, OPCODE_BINARY } from '../../../dist/load/websocket.js';
import { type Dialect, type EventSink, loadPeer } from '../peer.js';
import { Batch } from './batch.js';
import {
  burstCount,
  CONTROL_CREDITS,
  CONTROL_STOP,
  type PublisherCommand,
  type PublisherData,
  type PublisherReport,
  type Schedule,
  type Step,
} from './publisher-port.js';
import { type RecordedMessages, readRecordedMessages } from './recorded-messages.js';
import { RecordedPayload } from './recorded-payload.js';
import { type Replaying, replayAtOnce, replayAtSpeed } from './replaying.js';

const SEND_BUFFERED_MAX_BYTES = 1024 * 1024;
const FLOOD_UNANSWERED_MAX = 64;
const WRITE_MAX_MESSAGES = 500;
const CREDIT_WAIT_MS = 50;
const FLOOD_ANSWER_MAX_MS = 10_000;

const data = workerData as PublisherData;
const port = parentPort!;
const late = new LatencyHistogram();
const form = data.recorded ? new RecordedPayload() : new BinaryPayload(data.payloadBytes);
const tls =
  data.certFile === null ? {} : { tls: { secureContext: createSecureContext({ ca: readFileSync(data.certFile) }) } };
/** Topics that are opened by one message. */
const OPEN_BATCH = 1000;
let failure = '';

/** State of one schedule while a phase runs. The next burst is built before it is due, so that sending is one system call. */
class Feed {
  readonly #schedule: Schedule;
  readonly #connection: Connection;
  readonly #batch: Batch;
  readonly #startMs: number;
  readonly intervalMs: number;
  readonly #burstCount: number;
  #sentBursts = 0;
  #builtBursts = 0;
  #topicTurn = 0;

  constructor(schedule: Schedule, connection: Connection, batch: Batch, startMs: number, seconds: number) {
    this.#schedule = schedule;
    this.#connection = connection;
    this.#batch = batch;
    this.#startMs = startMs;
    this.intervalMs = (1000 * schedule.burst) / schedule.perSecond;
    this.#burstCount = burstCount(schedule, seconds);
  }

  #intendedMs(burst: number): number {
    return this.#startMs + burst * this.intervalMs;
  }

  nextMs(): number {
    return this.#sentBursts < this.#burstCount ? this.#intendedMs(this.#sentBursts) : Number.POSITIVE_INFINITY;
  }

  prepare(): void {
    if (this.#builtBursts === this.#sentBursts && this.#sentBursts < this.#burstCount) this.#build(1);
  }

  #build(bursts: number): void {
    const { burst, firstTopic, topicCount } = this.#schedule;
    this.#batch.start(bursts * burst, 1);
    for (let index = 0; index < bursts; index++) {
      const intendedMs = this.#intendedMs(this.#builtBursts++);
      for (let message = 0; message < burst; message++) {
        this.#batch.message(1);
        this.#batch.frame(firstTopic + (this.#topicTurn++ % topicCount), intendedMs);
      }
    }
  }

  #send(): void {
    const nowMs = clockMs();
    this.#batch.send(this.#connection);
    while (this.#sentBursts < this.#builtBursts) late.record(nowMs - this.#intendedMs(this.#sentBursts++));
  }

  /** Sends what has been built: it counts as published. */
  finish(): void {
    if (this.#builtBursts > this.#sentBursts) this.#send();
  }

  /** Publishes what is due. False when the socket has to be flushed before more can go. */
  publishDue(nowMs: number): boolean {
    const dueBursts = Math.min(this.#burstCount, Math.floor((nowMs - this.#startMs) / this.intervalMs) + 1);
    if (dueBursts <= this.#sentBursts) return true;
    if (this.#connection.socket.writableLength > SEND_BUFFERED_MAX_BYTES) return false;
    this.prepare();
    this.#send();
    const missed = Math.min(dueBursts - this.#sentBursts, Math.floor(WRITE_MAX_MESSAGES / this.#schedule.burst));
    if (missed <= 0) return true;
    this.#build(missed);
    this.#send();
    return this.#sentBursts >= dueBursts;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const stopped = (): boolean => failure !== '' || Atomics.load(data.control, CONTROL_STOP) !== 0; // set by the reading thread

/** Ends when all is sent, or at `endMs` with what is sent by then. */
async function runSchedules(
  connections: Connection[],
  newBatch: () => Batch,
  { seconds, schedules }: Step,
  startMs: number,
  endMs: number,
): Promise<void> {
  const feeds = schedules.map(
    (schedule, index) => new Feed(schedule, connections[index]!, newBatch(), startMs, seconds),
  );
  // The last bit of a wait is spent spinning: sleeping alone is some 60 µs late. At most 4 % of a core.
  const spinMs = Math.min(0.15, 0.04 / feeds.reduce((sum, feed) => sum + 1 / feed.intervalMs, 0));
  while (!stopped()) {
    const nowMs = clockMs();
    if (nowMs > endMs) break;
    const flushed = feeds.map((feed) => feed.publishDue(nowMs)).every(Boolean);
    const nextMs = Math.min(...feeds.map((feed) => feed.nextMs()));
    if (nextMs === Number.POSITIVE_INFINITY) return;
    if (nextMs > endMs) break;
    for (const feed of feeds) feed.prepare();
    await turn();
    if (!flushed || connections.some((connection) => connection.socket.writableLength > 0)) {
      await sleep(1);
      continue;
    }
    const waitMs = Math.min(nextMs - clockMs() - spinMs, CREDIT_WAIT_MS);
    if (waitMs > 0) Atomics.wait(data.control, CONTROL_STOP, 0, waitMs); // only a timer; woken early by a stop
    while (nextMs - clockMs() > 0 && nextMs - clockMs() <= spinMs);
  }
  for (const feed of feeds) feed.finish();
}

/** One step after the other, each at its time: what a step could not send is not sent. */
async function runSteps(connections: Connection[], newBatch: () => Batch, steps: readonly Step[]): Promise<void> {
  let startMs = clockMs() + 5;
  for (const step of steps) {
    const endMs = startMs + step.seconds * 1000;
    await runSchedules(connections, newBatch, step, startMs, endMs);
    while (clockMs() < endMs && !stopped()) await sleep(1);
    startMs = endMs;
  }
}

async function runClosed(
  connection: Connection,
  batch: Batch,
  topic: number,
  inFlight: number,
  seconds: number,
): Promise<void> {
  const endMs = clockMs() + seconds * 1000;
  Atomics.store(data.control, CONTROL_CREDITS, inFlight);
  while (!stopped() && clockMs() < endMs) {
    const credits = Atomics.exchange(data.control, CONTROL_CREDITS, 0); // given by the reading thread
    if (credits === 0) {
      Atomics.wait(data.control, CONTROL_CREDITS, 0, CREDIT_WAIT_MS);
      continue;
    }
    batch.start(credits, 1);
    const nowMs = clockMs();
    for (let index = 0; index < credits; index++) {
      batch.message(1);
      batch.frame(topic, nowMs);
    }
    batch.send(connection);
    await turn();
  }
}

/** As much as the server takes, in messages of many frames. The last frame of a message asks for an answer, and only so many
 * messages may be unanswered: a feed without flow control would be told OVERLOADED, which is not what this measures. */
async function runFlood(
  connection: Connection,
  dialect: Dialect,
  batch: Batch,
  command: Extract<PublisherCommand, { type: 'flood' }>,
): Promise<{ floodMs: number; floodSeq: number }> {
  const { topic, framesPerMessage } = command;
  const payload = new Uint8Array(data.payloadBytes).fill(FILLER);
  const payloadView = new DataView(payload.buffer);
  const startMs = clockMs();
  const endMs = startMs + command.seconds * 1000;
  let sent = 0;
  answers.count = 0;
  while (!stopped() && clockMs() < endMs) {
    const nowMs = clockMs();
    batch.start(1, framesPerMessage);
    for (let index = 1; index < framesPerMessage; index++) batch.frame(topic, nowMs);
    batch.stamp(payload, payloadView, 0, payload.length, topic, nowMs);
    const answered = dialect.publishAcknowledged?.(topic, payload);
    if (answered === undefined) throw new Error('this peer does not acknowledge publishes');
    connection.sendNow(clientFrame(OPCODE_BINARY, Buffer.concat([batch.written(), answered])));
    sent++;
    await turn();
    await answersUpTo(sent - FLOOD_UNANSWERED_MAX);
  }
  await answersUpTo(sent);
  return { floodMs: answers.atMs - startMs, floodSeq: answers.seq };
}

/** Answers to acknowledged publishes. */
const answers = { count: 0, seq: 0, atMs: 0, wake: (): void => {} };

async function answersUpTo(count: number): Promise<void> {
  const timer = setTimeout(() => {
    failure ||= 'no answer to a publish';
    answers.wake();
  }, FLOOD_ANSWER_MAX_MS);
  while (answers.count < count && !stopped()) {
    await new Promise<void>((resolve) => {
      answers.wake = resolve;
    });
  }
  clearTimeout(timer);
}

let acknowledged = 0;
const sink: EventSink = {
  payload: () => {},
  acknowledged: (_connection, count) => {
    acknowledged += count;
  },
  published: (_connection, seq) => {
    answers.count++;
    answers.seq = seq;
    answers.atMs = clockMs();
    answers.wake();
  },
  gap: () => {},
  problem: (connection, text) => {
    failure ||= `publisher ${connection}: ${text}`;
    answers.wake();
  },
};

async function openPublishers(dialect: Dialect, count: number): Promise<Connection[]> {
  const buffer = new ReceiveBuffer();
  const endpoint = (index: number) => ({
    port: data.port,
    dialect,
    localAddress: localAddress(index, data.addressSalt),
    ...tls,
  });
  const connections = await openConnections(count, (index) => new Connection(index, endpoint(index), buffer, sink));
  const topics = Array.from({ length: data.topics.hot + data.topics.cold }, (_, topic) => topic);
  if (dialect.open === undefined) return connections;
  for (const connection of connections) {
    acknowledged = 0;
    for (let first = 0; first < topics.length && failure === ''; first += OPEN_BATCH) {
      const opened = topics.slice(first, first + OPEN_BATCH);
      dialect.open(connection, opened);
      while (acknowledged < first + opened.length && failure === '') await sleep(2);
    }
  }
  return connections;
}

async function main(): Promise<void> {
  const dialect = (await loadPeer(data.peer)).createDialect(data.topics);
  const { payloadBytes, published } = data;
  const newBatch = (): Batch => new Batch({ dialect, form, payloadBytes, published });
  const batch = newBatch();
  let connections: Connection[] = [];
  let messages: RecordedMessages | null = null;

  const execute = async (command: PublisherCommand): Promise<PublisherReport> => {
    const report: PublisherReport = { type: 'done', error: '', lateP99Ms: 0, lateMaxMs: 0, floodMs: 0, floodSeq: 0 };
    late.reset();
    if (command.type === 'open') {
      connections = await openPublishers(dialect, command.connections);
      report.type = 'opened';
    } else if (command.type === 'schedules') {
      await runSchedules(connections, newBatch, command, clockMs() + 5, Number.POSITIVE_INFINITY);
    } else if (command.type === 'steps') {
      await runSteps(connections, newBatch, command.steps);
    } else if (command.type === 'load-recording') {
      messages = await readRecordedMessages(command.file);
      report.recording = messages.summary;
    } else if (command.type === 'replay') {
      const { control } = data;
      const replaying: Replaying = { connection: connections[0]!, batch, messages: messages!, late, control, stopped };
      const { seconds, speed, subscribers, window } = command;
      if (speed === null) await replayAtOnce(replaying, seconds, subscribers, window);
      else await replayAtSpeed(replaying, seconds, speed);
    } else if (command.type === 'closed') {
      await runClosed(connections[0]!, batch, command.topic, command.inFlight, command.seconds);
    } else {
      Object.assign(report, await runFlood(connections[0]!, dialect, batch, command));
    }
    report.lateP99Ms = late.quantileMicros(0.99) / 1000;
    report.lateMaxMs = late.quantileMicros(1) / 1000;
    return failure === '' ? report : { ...report, type: 'failed', error: failure };
  };

  port.on('message', (command: PublisherCommand) => {
    execute(command).then(
      (report) => port.postMessage(report),
      (error: unknown) => port.postMessage({ type: 'failed', error: String(error) }),
    );
  });
}

await main();
