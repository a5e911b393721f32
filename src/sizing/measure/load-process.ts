/** The load's process: clients that read, verify and count, and the thread of their feed. Argument: PointJob as JSON. */
import { clockMs, sleep } from '../../load/clock.js';
import { LoadConnection, localAddress, openConnections, type Place, ReceiveBuffer } from '../../load/connection.js';
import type { DialectOptions } from '../../load/dialects.js';
import { drain } from '../../load/drain.js';
import { BINARY_MIN_BYTES, BinaryPayload } from '../../load/payload.js';
import { PublisherThread } from '../../load/publisher.js';
import type { PublishTask } from '../../load/publisher-port.js';
import { RingcastMsgpackDialect } from '../../load/ringcast-msgpack-dialect.js';
import { Tracker } from '../../load/tracker.js';
import { burstOf, type ClientClass } from '../workload.js';
import { type FromLoad, type PointJob, type PointResult, type ToLoad, topicName } from './job.js';
import { sample, seededRandom } from './random.js';
import { Base64JsonDialect } from './wire-json.js';
import { WriteCounter } from './write-counter.js';

const SUBSCRIBE_BATCH_CLIENTS = 50;
const SUBSCRIBE_MAX_MS = 30_000;
const START_IN_MS = 5;

const send = (message: FromLoad): void => {
  process.send!(message);
};

const job = JSON.parse(process.argv[2]) as PointJob;
const names = job.topics.flatMap((group) =>
  Array.from({ length: group.count }, (_, index) => topicName(job.number, group, index)),
);
const buffer = new ReceiveBuffer();
const dialectOptions: DialectOptions = { protocol: 'ringcast', path: '/ws', topics: names, counting: false };
const dialect = new RingcastMsgpackDialect(dialectOptions);
const jsonDialect = new Base64JsonDialect(dialectOptions, buffer);
const counter = new WriteCounter(dialect, buffer);
const jsonCounter = new WriteCounter(jsonDialect, buffer);
const tracker = new Tracker({
  topics: names.length,
  form: new BinaryPayload(),
  topicClass: () => 0,
  classNames: ['all'],
  buffer,
});
buffer.onRead = () => {
  tracker.nowMs = clockMs();
};
const publisher = new PublisherThread({
  dialectModule: new URL('../../load/dialects.js', import.meta.url).href,
  dialectOptions,
  protocol: 'ringcast',
  payloadBytes: BINARY_MIN_BYTES,
  run: 0,
  numbers: names.length,
});
const salt = (process.pid * 31) % 62_500;
/** Of each client. */
const classes = job.clients.flatMap((clientClass) => new Array<ClientClass>(clientClass.clients).fill(clientClass));

function placeOf(index: number): Place {
  // The certificate is the server's own, of this measurement.
  const tls = job.tls ? { tls: { rejectUnauthorized: false } } : {};
  return { port: job.port, localAddress: localAddress(index, salt), ...tls };
}

function connect(): Promise<LoadConnection[]> {
  return openConnections(classes.length, (index) => {
    const endpoint = { ...placeOf(index), dialect: classes[index].json === true ? jsonCounter : counter };
    return new LoadConnection(index, endpoint, buffer, tracker);
  });
}

async function subscribe(connections: readonly LoadConnection[]): Promise<void> {
  const random = seededRandom(job.seed);
  const giveUpMs = clockMs() + SUBSCRIBE_MAX_MS;
  let wanted = 0;
  for (const [index, clientClass] of classes.entries()) {
    const topics = topicsOf(random, clientClass);
    wanted += topics.length;
    if (clientClass.reads !== false) for (const topic of topics) tracker.expect(index, topic);
    (clientClass.json === true ? jsonDialect : dialect).subscribe(connections[index], topics);
    if (index % SUBSCRIBE_BATCH_CLIENTS !== 0 && index !== classes.length - 1) continue;
    while (tracker.acknowledgedCount < wanted) {
      if (tracker.problems.length > 0) throw new Error(tracker.problems[0]);
      if (clockMs() > giveUpMs) throw new Error(`${wanted - tracker.acknowledgedCount} subscriptions not confirmed`);
      await sleep(1);
    }
  }
}

function topicsOf(random: () => number, { topics }: ClientClass): number[] {
  let first = 0;
  return job.topics.flatMap((group) => {
    const chosen = sample(random, topics[group.name] ?? 0, group.count).map((topic) => first + topic);
    first += group.count;
    return chosen;
  });
}

/** At random times, so that nothing is measured that comes of a rhythm. */
function tasks(): PublishTask[] {
  let first = 0;
  return job.topics.map((group, index) => {
    const topics = { first, end: first + group.count, step: 1 };
    first = topics.end;
    const perSecond = group.count * group.ratePerSecond;
    return {
      connection: 0,
      payloadBytes: Math.max(BINARY_MIN_BYTES, group.bytes),
      plan: { kind: 'random', topics, perSecond, burst: burstOf(group), seed: job.seed + index },
    };
  });
}

const orders: ((order: ToLoad) => void)[] = [];
const ordered = (): Promise<ToLoad> => new Promise((resolve) => orders.push(resolve));

async function run(): Promise<void> {
  const url = `ws://127.0.0.1:${job.port}/ws`;
  const all = names.map((_, topic) => topic);
  await publisher.open([{ name: 'the feed', url, place: placeOf(classes.length), topics: all }]);
  const connections = await connect();
  await subscribe(connections);
  for (const [index, { reads }] of classes.entries()) if (reads === false) connections[index].socket.pause();
  const published = ordered();
  send({ type: 'connected' });
  await published;
  const feed = publisher.publish(clockMs() + START_IN_MS, [{ tasks: tasks(), ms: Number.POSITIVE_INFINITY }]);
  feed.catch(() => {}); // told when it is waited for
  await sleep(job.settleMs);
  const counted = ordered(); // the server has been read
  send({ type: 'measuring' });
  await counted;
  const result = await measure(feed);
  const left = ordered(); // the server has been read once more
  send({ type: 'done', result });
  await left;
  for (const connection of connections) connection.destroy();
  process.exit(0);
}

async function measure(feed: ReturnType<PublisherThread['publish']>): Promise<PointResult> {
  tracker.timedFromMs = clockMs();
  const before = readCounts();
  await sleep(job.measureMs);
  const after = readCounts();
  send({ type: 'counted' });
  publisher.stop();
  const { publishLateP99Ms, problems } = await feed;
  await drain(tracker, publisher.published);
  const { lost, doubled, reordered, corrupt } = tracker.verify(publisher.published);
  const wrong = doubled + reordered + corrupt;
  const seconds = (after.atMs - before.atMs) / 1000;
  const latency = tracker.histogram();
  return {
    seconds,
    published: after.published - before.published,
    deliveries: after.deliveries - before.deliveries,
    writes: after.writes - before.writes,
    deliveredBytes: after.bytes - before.bytes,
    lost,
    problems: [...problems, ...tracker.problems, ...(wrong > 0 ? [`${wrong} deliveries were wrong`] : [])],
    latencyMs: { p50: latency.quantileMicros(0.5) / 1000, p99: latency.quantileMicros(0.99) / 1000 },
    feedLateMs: publishLateP99Ms,
    cpuPercent: (after.cpuMs - before.cpuMs) / 10 / seconds,
  };
}

function readCounts() {
  const cpu = process.cpuUsage();
  return {
    atMs: clockMs(),
    cpuMs: (cpu.user + cpu.system) / 1000,
    published: publisher.total,
    deliveries: tracker.delivered,
    writes: counter.reads + jsonCounter.reads,
    bytes: counter.bytes + jsonCounter.bytes,
  };
}

process.on('SIGINT', () => {}); // Ctrl-C goes to the whole group; whoever started this process ends it
process.on('message', (message: ToLoad) => orders.shift()?.(message));
process.on('disconnect', () => process.exit(1));
run().catch((error: unknown) => {
  send({ type: 'failed', reason: error instanceof Error ? error.message : String(error) });
});
