/**
 * The publishing thread of a load generator. It has a thread of its own, so that a busy reader never delays a publish, and sleeps
 * far finer than a timer can.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { clockMs, sleep } from './clock.js';
import { Connection, ReceiveBuffer } from './connection.js';
import type { EventSink } from './dialect.js';
import { createPayloadForm, formBytes } from './dialects.js';
import { explainConnectFailure, LoadError } from './explain.js';
import { type PublisherPlan, publishersOf } from './job.js';
import { LatencyHistogram } from './latency-histogram.js';
import { nap } from './nap.js';
import { PublishFeed, turnLater } from './publish-feed.js';
import type { PublisherCommand, PublisherData, PublisherReport, PublisherSummary } from './publisher-port.js';
import { dialectOf, endpointsOf, withinTime } from './target.js';
import { parseTopics } from './topics.js';

const NAP_MAX_MS = 20;
const OPENED_MAX_MS = 20_000;
/** After its end a schedule is worked off for so long where the server holds it up. */
const GRACE_MS = 2_000;
const PROBLEMS_MAX = 20;
/** Source addresses beyond those of the subscribers. */
const ADDRESS_OFFSET = 40_000;

const data = workerData as PublisherData;
const { job, part } = data;
const port = parentPort!;
const topics = parseTopics(job.topics) as readonly string[];
const dialect = dialectOf(job, topics);
const late = new LatencyHistogram();
const problems = new Map<string, number>();
let acknowledged = 0;
let isStopped = false;

const sink: EventSink = {
  payload: () => {},
  acknowledged: (_connection, count) => {
    acknowledged += count;
  },
  published: () => {},
  gap: () => {},
  problem: (_connection, text) => {
    if (problems.size < PROBLEMS_MAX || problems.has(text)) problems.set(text, (problems.get(text) ?? 0) + 1);
  },
};

const send = (report: PublisherReport): void => port.postMessage(report);

async function openFeed(plan: PublisherPlan, index: number, buffer: ReceiveBuffer): Promise<PublishFeed> {
  const endpoint = endpointsOf(job, part, data.address, dialect)(ADDRESS_OFFSET + index);
  const connection = new Connection(index, endpoint, buffer, sink);
  try {
    await withinTime(connection.upgraded(), () => connection.destroy());
  } catch (error) {
    const why = explainConnectFailure(error, job.url, dialect.subprotocol);
    throw new LoadError(`publisher ${plan.publisher + 1} of ${job.publishers}: ${why}`);
  }
  const own: number[] = [];
  for (let topic = plan.offset; topic < topics.length; topic += plan.step) own.push(topic);
  await say(connection, [...(dialect.greeting === null ? [] : [dialect.greeting])], 1);
  await say(connection, dialect.open(own), own.length);
  return new PublishFeed({
    ...{ connection, dialect, late, topics: topics.length, offset: plan.offset, step: plan.step },
    form: createPayloadForm(job.protocol, job.payloadBytes, job.run),
    formBytes: formBytes(job.protocol, job.payloadBytes),
    firstNumber: plan.source * topics.length,
    ...{ published: data.published, total: data.total },
  });
}

/** Sends messages; where the server confirms, until it has confirmed all of it. */
async function say(connection: Connection, bodies: readonly Uint8Array[], answers: number): Promise<void> {
  if (bodies.length === 0) return;
  acknowledged = 0;
  for (const body of bodies) connection.send(body, dialect.opcode);
  const giveUpMs = clockMs() + OPENED_MAX_MS;
  while (dialect.confirms && acknowledged < answers) {
    const [problem] = problems.keys();
    if (problem !== undefined) throw new LoadError(problem);
    if (clockMs() > giveUpMs) throw new LoadError('the server does not answer a publisher');
    await sleep(2);
  }
}

/** Publishes by schedule; resolves when it is over, or has been ended. */
async function run(feeds: readonly PublishFeed[], startMs: number): Promise<PublisherSummary> {
  const spanMs = job.warmupMs + job.durationMs;
  const intervalMs = (1000 * job.burst * job.publishers) / job.rate;
  const plans = publishersOf(job, part);
  feeds.forEach((feed, index) => {
    // Publishers of all processes take turns.
    const firstMs = startMs + (intervalMs * plans[index]!.publisher) / job.publishers;
    feed.start(firstMs, intervalMs, job.burst, Math.max(1, Math.round(spanMs / intervalMs)));
  });
  late.reset();
  // The last bit of a wait is spent spinning: sleeping alone is some 60 µs late. At most 4 % of a core.
  const spinMs = Math.min(0.15, (0.04 * intervalMs) / Math.max(1, feeds.length));
  const endMs = startMs + spanMs + GRACE_MS;
  let heldUpMs = 0;
  let nowMs = clockMs();
  while (!isStopped && nowMs < endMs) {
    let isFlushed = true;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const feed of feeds) {
      if (!feed.publishDue(nowMs)) isFlushed = false;
      nextMs = Math.min(nextMs, feed.nextMs());
    }
    if (nextMs === Number.POSITIVE_INFINITY) break;
    for (const feed of feeds) feed.prepare();
    await turnLater();
    if (!isFlushed || feeds.some(({ connection }) => connection.socket.writableLength > 0)) {
      await sleep(1);
      if (!isFlushed) heldUpMs += clockMs() - nowMs;
    } else {
      const waitMs = Math.min(nextMs - clockMs() - spinMs, NAP_MAX_MS);
      if (waitMs > 0) nap(waitMs);
      while (nextMs - clockMs() > 0 && nextMs - clockMs() <= spinMs);
    }
    nowMs = clockMs();
  }
  for (const feed of feeds) feed.finish(nowMs);
  await turnLater();
  return summary(feeds, (heldUpMs / Math.max(1, clockMs() - startMs)) * 100);
}

function summary(feeds: readonly PublishFeed[], heldUpPercent: number): PublisherSummary {
  return {
    scheduled: feeds.reduce((sum, feed) => sum + feed.bursts * job.burst, 0),
    publishLateP99Ms: late.quantileMicros(0.99) / 1000,
    publishLateMaxMs: late.quantileMicros(1) / 1000,
    heldUpPercent,
    lateHdr: late.encode(),
    problems: [...problems].map(([text, count]) => `publisher: ${text}${count > 1 ? ` (${count} times)` : ''}`),
  };
}

async function main(): Promise<void> {
  const feeds: PublishFeed[] = [];
  const buffer = new ReceiveBuffer();
  for (const [index, plan] of publishersOf(job, part).entries()) feeds.push(await openFeed(plan, index, buffer));
  port.on('message', (command: PublisherCommand) => {
    if (command.type === 'stop') isStopped = true;
    else if (command.type === 'probe')
      Promise.all(feeds.map((feed) => feed.probe(clockMs()))).then(() => send({ type: 'probed' }), fail);
    else run(feeds, command.startMs).then((done) => send({ type: 'done', summary: done }), fail);
  });
  send({ type: 'opened' });
}

function fail(error: unknown): void {
  const text = error instanceof LoadError ? error.message : ((error as Error).stack ?? String(error));
  send({ type: 'failed', error: text });
}

main().catch(fail);
