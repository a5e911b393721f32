// The publishing thread of the generator. It has a thread of its own so that a busy reader never delays a publish, and it
// sleeps in Atomics.wait, which is far finer than a timer. Payloads carry the INTENDED send time: when the server holds the
// publisher up, the wait counts as the server's latency (no coordinated omission).

import { parentPort, workerData } from 'node:worker_threads';
import { clockMs, sleep } from '../../../dist/load/clock.js';
import { Connection, localAddress, openConnections, ReceiveBuffer } from '../../../dist/load/connection.js';
import { LatencyHistogram } from '../../../dist/load/latency-histogram.js';
import { BinaryPayload, FILLER } from '../../../dist/load/payload.js';
import { clientFrame, clientHeadBytes, OPCODE_BINARY, writeClientHead } from '../../../dist/load/websocket.js';
import { type Dialect, type EventSink, loadPeer } from '../peer.js';
import {
  CONTROL_CREDITS,
  CONTROL_STOP,
  type PublisherCommand,
  type PublisherData,
  type PublisherReport,
  type Schedule,
} from './publisher-port.js';

const SEND_BUFFERED_MAX_BYTES = 1024 * 1024;
const FLOOD_UNANSWERED_MAX = 64;
const WRITE_MAX_MESSAGES = 500;
const CREDIT_WAIT_MS = 50;
const FLOOD_ANSWER_MAX_MS = 10_000;

const data = workerData as PublisherData;
const port = parentPort!;
const late = new LatencyHistogram();
const form = new BinaryPayload(data.payloadBytes);
let failure = '';

/** Writes publish messages into one buffer and hands it to the socket. */
class Batch {
  readonly #dialect: Dialect;
  readonly #payloadBytes = data.payloadBytes;
  readonly #frameBytes: number;
  #bytes = Buffer.alloc(0);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
    this.#frameBytes = dialect.publishBytes(this.#payloadBytes);
  }

  start(messages: number, framesPerMessage: number): void {
    const messageBytes = framesPerMessage * this.#frameBytes;
    this.#bytes = Buffer.alloc(messages * (clientHeadBytes(messageBytes) + messageBytes), FILLER);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    this.#end = 0;
  }

  message(frames: number): void {
    this.#end = writeClientHead(this.#bytes, this.#end, OPCODE_BINARY, frames * this.#frameBytes);
  }

  /** Hot path: the next message of `topic`, with the next sequence number. */
  frame(topic: number, intendedMs: number): void {
    const payload = this.#dialect.writePublishHead(this.#bytes, this.#end, topic, this.#payloadBytes);
    this.#end = payload + this.#payloadBytes;
    writePayload(this.#bytes, this.#view, payload, this.#end, topic, intendedMs);
  }

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#end);
  }

  send(connection: Connection): void {
    connection.sendNow(this.written());
  }
}

function writePayload(bytes: Uint8Array, view: DataView, start: number, end: number, topic: number, ms: number): void {
  const seq = Atomics.add(data.published, topic, 1) + 1; // read by the tracker when it counts what to expect
  form.write(bytes, view, start, end, topic, seq, ms);
}

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
    this.#burstCount = Math.max(1, Math.round((seconds * 1000) / this.intervalMs));
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

async function runSchedules(
  connections: Connection[],
  dialect: Dialect,
  schedules: Schedule[],
  seconds: number,
): Promise<void> {
  const startMs = clockMs() + 5;
  const feeds = schedules.map(
    (schedule, index) => new Feed(schedule, connections[index]!, new Batch(dialect), startMs, seconds),
  );
  // The last bit of a wait is spent spinning: sleeping alone is some 60 µs late. At most 4 % of a core.
  const spinMs = Math.min(0.15, 0.04 / feeds.reduce((sum, feed) => sum + 1 / feed.intervalMs, 0));
  while (!stopped()) {
    const nowMs = clockMs();
    const flushed = feeds.map((feed) => feed.publishDue(nowMs)).every(Boolean);
    const nextMs = Math.min(...feeds.map((feed) => feed.nextMs()));
    if (nextMs === Number.POSITIVE_INFINITY) return;
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
    writePayload(payload, payloadView, 0, payload.length, topic, nowMs);
    const answered = dialect.publishAcknowledged(topic, payload);
    if (answered === null) throw new Error('this peer does not acknowledge publishes');
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
  });
  const connections = await openConnections(count, (index) => new Connection(index, endpoint(index), buffer, sink));
  const topics = Array.from({ length: data.topics.hot + data.topics.cold }, (_, topic) => topic);
  for (const connection of connections) {
    const body = dialect.open(topics);
    if (body === null) continue;
    acknowledged = 0;
    connection.send(body);
    while (acknowledged < topics.length && failure === '') await sleep(2);
  }
  return connections;
}

async function main(): Promise<void> {
  const dialect = (await loadPeer(data.peer)).createDialect(data.topics);
  const batch = new Batch(dialect);
  let connections: Connection[] = [];

  const execute = async (command: PublisherCommand): Promise<PublisherReport> => {
    const report: PublisherReport = { type: 'done', error: '', lateP99Ms: 0, lateMaxMs: 0, floodMs: 0, floodSeq: 0 };
    late.reset();
    if (command.type === 'open') {
      connections = await openPublishers(dialect, command.connections);
      report.type = 'opened';
    } else if (command.type === 'schedules') {
      await runSchedules(connections, dialect, command.schedules, command.seconds);
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
