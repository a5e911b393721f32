/**
 * The publishing thread of a load generator. It has a thread of its own, so that a busy reader never delays a publish, and sleeps
 * far finer than a timer can.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { PublishAnswers } from './answers.js';
import { clockMs, sleep } from './clock.js';
import { LoadConnection, ReceiveBuffer } from './connection.js';
import type { EventSink } from './dialect.js';
import { createPayloadForm, formBytes } from './dialects.js';
import { explainConnectFailure, LoadError } from './explain.js';
import { LatencyHistogram } from './latency-histogram.js';
import type { LoadDialect } from './load-dialect.js';
import { PublishFeed } from './publish-feed.js';
import { publishAll } from './publish-loop.js';
import type {
  PublisherCommand,
  PublisherData,
  PublisherPlace,
  PublisherReport,
  PublishStep,
  PublishSummary,
  PublishTask,
} from './publisher-port.js';
import { type RecordedLoad, scheduleOf } from './schedule.js';
import { Settled } from './settled.js';
import { withinTime } from './target.js';
import { OPCODE_BINARY } from './websocket.js';

const OPENED_MAX_MS = 20_000;
const ANSWERED_MAX_MS = 10_000;
/** Topics that are opened before the server has to confirm them. */
const OPEN_BATCH = 1000;
const PROBLEMS_MAX = 20;

interface DialectModule {
  createDialect(options: unknown): LoadDialect | Promise<LoadDialect>;
}

const data: PublisherData = workerData;
const port = parentPort!;
const late = new LatencyHistogram();
const settled = new Settled(data.settled);
const connections: LoadConnection[] = [];
const problems = new Map<string, number>();
const answers = new PublishAnswers();
let recording: RecordedLoad | null = null;
let acknowledged = 0;
let isStopped = false;

const sink: EventSink = {
  payload: () => {},
  acknowledged: (_connection, count) => {
    acknowledged += count;
  },
  published: (_connection, seq) => {
    answers.add(seq);
  },
  gap: () => {},
  problem: (_connection, text) => {
    if (problems.size < PROBLEMS_MAX || problems.has(text)) problems.set(text, (problems.get(text) ?? 0) + 1);
  },
};

async function openAll(dialect: LoadDialect, publishers: readonly PublisherPlace[]): Promise<void> {
  const buffer = new ReceiveBuffer();
  for (const { name, url, place, topics } of publishers) {
    const connection = new LoadConnection(connections.length, { ...place, dialect }, buffer, sink);
    connections.push(connection);
    try {
      await withinTime(connection.upgraded(), () => connection.destroy());
    } catch (error) {
      throw new LoadError(`${name}: ${explainConnectFailure(error, url, dialect.subprotocol)}`);
    }
    acknowledged = 0;
    const { greeting, unconfirmed, opcode = OPCODE_BINARY } = dialect;
    if (greeting) {
      connection.send(greeting, opcode);
      if (unconfirmed !== true) await confirmed(1);
    }
    if (dialect.open === undefined) continue;
    acknowledged = 0;
    for (let first = 0; first < topics.length; first += OPEN_BATCH) {
      const batch = topics.slice(first, first + OPEN_BATCH);
      dialect.open(connection, batch);
      await confirmed(first + batch.length);
    }
  }
}

/** Waits until the server has confirmed so many things. */
async function confirmed(wanted: number): Promise<void> {
  const giveUpMs = clockMs() + OPENED_MAX_MS;
  while (acknowledged < wanted) {
    const [problem] = problems.keys();
    if (problem !== undefined) throw new LoadError(problem);
    if (clockMs() > giveUpMs) throw new LoadError('the server does not answer a publisher');
    await sleep(1);
  }
}

async function publish(dialect: LoadDialect, startMs: number, steps: readonly PublishStep[]): Promise<number> {
  let heldUpMs = 0;
  answers.count = 0;
  for (const { tasks, ms } of steps) {
    const sources = { startMs, settled, answers, recording };
    const feeds = tasks.map((task) => new PublishFeed(feedOptions(dialect, task), scheduleOf(task.plan, sources)));
    heldUpMs += await publishAll(feeds, startMs + ms, settled, () => isStopped);
    await answered(feeds.reduce((sum, { asked }) => sum + asked, 0));
    startMs += ms;
  }
  return heldUpMs;
}

function feedOptions(dialect: LoadDialect, { connection, payloadBytes, firstNumber = 0 }: PublishTask) {
  const { protocol, run, published, total } = data;
  const bytes = payloadBytes ?? data.payloadBytes;
  return {
    ...{ connection: connections[connection], dialect, firstNumber, published, total, late },
    form: createPayloadForm(protocol, bytes, run),
    payloadBytes: formBytes(protocol, bytes),
  };
}

/** The server has answered all that it was asked to. */
async function answered(messages: number): Promise<void> {
  const giveUpMs = clockMs() + ANSWERED_MAX_MS;
  while (answers.count < messages && !isStopped) {
    if (clockMs() > giveUpMs) throw new LoadError('no answer to a publish');
    await sleep(1);
  }
}

function summary(heldUpMs: number): PublishSummary {
  return {
    publishLateP99Ms: late.quantileMicros(0.99) / 1000,
    publishLateMaxMs: late.quantileMicros(1) / 1000,
    lateHdr: late.encode(),
    heldUpMs,
    answeredSeq: answers.seq,
    answeredMs: answers.atMs,
    problems: [...problems].map(([text, count]) => `publisher: ${text}${count > 1 ? ` (${count} times)` : ''}`),
  };
}

async function execute(dialect: LoadDialect, command: PublisherCommand): Promise<PublishSummary> {
  let heldUpMs = 0;
  late.reset();
  if (command.type === 'open') await openAll(dialect, command.publishers);
  else if (command.type === 'recording') recording = command.recording;
  else if (command.type === 'publish') heldUpMs = await publish(dialect, command.startMs, command.steps);
  return summary(heldUpMs);
}

const module: DialectModule = await import(data.dialectModule);
const dialect = await module.createDialect(data.dialectOptions);

port.on('message', (command: PublisherCommand) => {
  isStopped = command.type === 'stop';
  if (isStopped) return;
  const send = (report: PublisherReport): void => port.postMessage(report);
  execute(dialect, command).then(
    (done) => send({ type: 'done', summary: done }),
    (error: Error) => {
      const isExplained = error instanceof LoadError;
      send({ type: 'failed', error: isExplained ? error.message : (error.stack ?? String(error)), isExplained });
    },
  );
});
