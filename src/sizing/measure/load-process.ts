/** The load's process: clients that read and count, and the thread of their feed. Argument: LoadJob as JSON. */
import { Worker } from 'node:worker_threads';
import { clockMs, sleep } from '../../load/clock.js';
import { Connection, localAddress, openConnections, ReceiveBuffer } from '../../load/connection.js';
import type { EventSink } from '../../load/dialect.js';
import { LatencyHistogram } from '../../load/latency-histogram.js';
import { OPCODE_BINARY, OPCODE_TEXT } from '../../load/websocket.js';
import type { ClientClass } from '../workload.js';
import type { FeedData, FeedMessage, ToFeed } from './feed-port.js';
import { type FromLoad, type LoadJob, type LoadResult, type ToLoad, topicName } from './job.js';
import { sample, seededRandom } from './random.js';
import { SizingDialect, subscribeFrame, tlsOf } from './wire.js';
import { SizingJsonDialect, subscribeText } from './wire-json.js';

const SUBSCRIBE_BATCH_CLIENTS = 50;
const SUBSCRIBE_MAX_MS = 30_000;
const DRAIN_STALL_MS = 1500;
const PROBLEMS_MAX = 5;

const send = (message: FromLoad): void => {
  process.send!(message);
};

/** Writer and reader: the main thread of the load process. */
class Counter implements EventSink {
  /** All, and of them those that were published while it was counted: what is lost is told by these. */
  deliveries = 0;
  counted = 0;
  acknowledgements = 0;
  gapMessages = 0;
  nowMs = 0;
  readonly problems: string[] = [];
  readonly latency = new LatencyHistogram();
  readonly #view: DataView;
  readonly #bytes: Uint8Array;

  constructor(buffer: ReceiveBuffer) {
    this.#view = buffer.view;
    this.#bytes = buffer.bytes;
    buffer.onRead = () => {
      this.nowMs = clockMs();
    };
  }

  /** Hot path. */
  payload(_connection: number, start: number): void {
    this.deliveries++;
    if (this.#bytes[start + 8] !== 1) return; // from before the measurement
    this.counted++;
    this.latency.record(this.nowMs - this.#view.getFloat64(start, true));
  }

  acknowledged(_connection: number, count: number): void {
    this.acknowledgements += count;
  }

  published(): void {}

  gap(_connection: number, messages: number): void {
    this.gapMessages += messages;
  }

  problem(connection: number, text: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(`connection ${connection}: ${text}`);
  }
}

/** Resolves with the next message of the other side that is of this type. */
class Inbox<Message extends { type: string }> {
  readonly #waiting: ((message: Message) => void)[] = [];
  readonly #queued: Message[] = [];

  put(message: Message): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#queued.push(message);
    else waiting(message);
  }

  next(): Promise<Message> {
    const queued = this.#queued.shift();
    return queued === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(queued);
  }
}

const job = JSON.parse(process.argv[2]) as LoadJob;
const orders = new Inbox<ToLoad>();
const buffer = new ReceiveBuffer();
const counter = new Counter(buffer);
const dialect = new SizingDialect();
const jsonDialect = new SizingJsonDialect(buffer);
const groupTopics = job.topics.map(({ count }) => count);
const topicCount = groupTopics.reduce((sum, count) => sum + count, 0);
const subscribers = new Uint32Array(topicCount);

async function connect(): Promise<Connection[]> {
  const isJson = job.clients.flatMap(({ clients, json }) => new Array<boolean>(clients).fill(json === true));
  const salt = (process.pid * 31) % 62_500;
  return openConnections(isJson.length, (index) => {
    const endpoint = {
      port: job.port,
      dialect: isJson[index] ? jsonDialect : dialect,
      localAddress: localAddress(index, salt),
      ...tlsOf(job),
    };
    return new Connection(index, endpoint, buffer, counter);
  });
}

async function subscribe(connections: readonly Connection[]): Promise<void> {
  const random = seededRandom(job.seed);
  const giveUpMs = clockMs() + SUBSCRIBE_MAX_MS;
  let wanted = 0;
  let index = 0;
  for (const clientClass of job.clients) {
    const { clients } = clientClass;
    for (let client = 0; client < clients; client++, index++) {
      const frames = framesOf(random, clientClass);
      wanted += frames.length;
      sendAll(connections[index], frames, clientClass.json === true);
      if (index % SUBSCRIBE_BATCH_CLIENTS !== 0 && client !== clients - 1) continue;
      while (counter.acknowledgements < wanted) {
        if (counter.problems.length > 0) throw new Error(counter.problems[0]);
        if (clockMs() > giveUpMs) throw new Error(`${wanted - counter.acknowledgements} subscriptions not confirmed`);
        await sleep(1);
      }
    }
  }
}

/** JSON has one message in each WebSocket message, MessagePack as many as one likes. */
function sendAll(connection: Connection, frames: readonly Uint8Array[], isJson: boolean): void {
  if (frames.length === 0) return;
  if (!isJson) connection.send(Buffer.concat(frames), OPCODE_BINARY);
  else for (const frame of frames) connection.send(frame, OPCODE_TEXT);
}

/** Stops those that read nothing from here on. */
function stopReading(connections: readonly Connection[]): void {
  let index = 0;
  for (const { clients, reads } of job.clients) {
    for (let client = 0; client < clients; client++, index++) if (reads === false) connections[index].socket.pause();
  }
}

function framesOf(random: () => number, { topics, json, reads }: ClientClass): Uint8Array[] {
  const encode = json === true ? subscribeText : subscribeFrame;
  const frames: Uint8Array[] = [];
  let firstTopic = 0;
  for (const group of job.topics) {
    for (const topic of sample(random, topics[group.name] ?? 0, group.count)) {
      if (reads !== false) subscribers[firstTopic + topic]++;
      frames.push(encode(frames.length, topicName(job.number, group, topic)));
    }
    firstTopic += group.count;
  }
  return frames;
}

/** The main thread's handle on the feed. */
class FeedThread {
  readonly #messages = new Inbox<FeedMessage>();
  readonly #worker: Worker;

  constructor() {
    const { number, port, tls, topics, seed } = job;
    const data: FeedData = { job: number, port, tls, topics, seed };
    this.#worker = new Worker(new URL('./feed-thread.js', import.meta.url), { workerData: data });
    this.#worker.on('message', (message: FeedMessage) => this.#messages.put(message));
    this.#worker.on('error', (error) => this.#messages.put({ type: 'failed', reason: error.message }));
  }

  tell(order: ToFeed): void {
    this.#worker.postMessage(order);
  }

  async next<Type extends FeedMessage['type']>(type: Type): Promise<Extract<FeedMessage, { type: Type }>> {
    const message = await this.#messages.next();
    if (message.type === type) return message as Extract<FeedMessage, { type: Type }>;
    throw new Error(
      message.type === 'failed' ? message.reason : `the feed said "${message.type}" instead of "${type}"`,
    );
  }
}

/** Waits for what is under way, as long as anything arrives. */
async function drain(expected: number): Promise<void> {
  let seen = counter.counted;
  let progressMs = clockMs();
  while (counter.counted < expected && clockMs() - progressMs < DRAIN_STALL_MS) {
    await sleep(5);
    if (counter.counted !== seen) progressMs = clockMs();
    seen = counter.counted;
  }
}

async function run(): Promise<void> {
  const feed = new FeedThread();
  await feed.next('opened');
  const connections = await connect();
  await subscribe(connections);
  stopReading(connections);
  send({ type: 'connected' });
  await orders.next(); // publish
  feed.tell('publish');
  await sleep(job.settleMs);
  send({ type: 'measuring' });
  await orders.next(); // count: the server has been read
  send({ type: 'done', result: await measure(feed) });
  await orders.next(); // leave: the server has been read once more
  for (const connection of connections) connection.destroy();
  process.exit(0);
}

async function measure(feed: FeedThread): Promise<LoadResult> {
  feed.tell('count');
  const before = readCounts();
  await sleep(job.measureMs);
  const after = readCounts();
  send({ type: 'counted' });
  feed.tell('mark');
  const { published } = await feed.next('mark');
  feed.tell('stop');
  const { lateMs, publishedByTopic } = await feed.next('stopped');
  const expected = expectedDeliveries(publishedByTopic);
  await drain(expected);
  const seconds = (after.atMs - before.atMs) / 1000;
  return {
    seconds,
    published,
    deliveries: after.deliveries - before.deliveries,
    writes: after.writes - before.writes,
    deliveredBytes: after.bytes - before.bytes,
    lost: expected - counter.counted,
    problems: counter.problems,
    latencyMs: { p50: counter.latency.quantileMicros(0.5) / 1000, p99: counter.latency.quantileMicros(0.99) / 1000 },
    feedLateMs: lateMs,
    cpuPercent: (after.cpuMs - before.cpuMs) / 10 / seconds,
  };
}

function expectedDeliveries(publishedByTopic: readonly Uint32Array[]): number {
  let topic = 0;
  let expected = 0;
  for (const group of publishedByTopic) for (const count of group) expected += count * subscribers[topic++];
  return expected;
}

function readCounts() {
  const cpu = process.cpuUsage();
  return {
    atMs: clockMs(),
    cpuMs: (cpu.user + cpu.system) / 1000,
    deliveries: counter.deliveries,
    writes: dialect.eventMessages + jsonDialect.eventReads,
    bytes: dialect.eventBytes + jsonDialect.eventBytes,
  };
}

process.on('SIGINT', () => {}); // Ctrl-C goes to the whole group; whoever started this process ends it
process.on('message', (message: ToLoad) => orders.put(message));
process.on('disconnect', () => process.exit(1));
run().catch((error: unknown) => {
  send({ type: 'failed', reason: error instanceof Error ? error.message : String(error) });
});
