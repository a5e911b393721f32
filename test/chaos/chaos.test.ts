// Chaos: 20 topics under load while their lanes are killed, hung and starved, and while topics change their homes. Nobody
// may notice more than a pause: not 500 subscribers, not the publishers, who get exactly one answer to each message.
import { loadavg } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { announcedSeed, seededRandom } from '../support/seeded.js';
import { until } from '../support/until.js';
import { CODECS } from '../support/wire.js';
import { FaultInjector, type InjectedFault } from './fault-injector.js';
import { type FaultyEngine, startFaultyEngine } from './faulty-pool.js';
import { payloadOf } from './load-ledger.mjs';
import {
  type LoadPlan,
  LoadProcess,
  type LoadReport,
  type Outcome,
  type PublishPlan,
  type Visit,
} from './load-process.js';
import { findProblems, longestPause, percentiles } from './verdict.js';

const CHAOS_MS = 30_000;
const LANES = 2;
const STALL_MS = 500;
const TICK_MS = 25;
const SUBSCRIBERS = 500;
const TOPICS_EACH = 2;
const VISITORS = 6;
const SETTLED_MAX_MS = 20_000;

const named = (kind: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${kind}:${n}`);
/** In lanes, and they stay there. */
const PINNED = named('pinned', 7);
/** Sent from home to home all the time. */
const MOVING = named('moving', 6);
/** Their load comes and goes, so they do, too. */
const AUTO = named('auto', 5);
/** Read as MessagePack only, but for visitors: their JSON streams begin and end. */
const VISITED = ['pinned:visited', 'moving:visited'];
const TOPICS = [...PINNED, ...MOVING, ...AUTO, ...VISITED];

const LOCAL_PUBLISHER = 9;

function publishPlans(publisher: number): PublishPlan[] {
  return TOPICS.map((topic, n) => {
    const isAuto = AUTO.includes(topic);
    const offset = n + publisher;
    if (isAuto) return { topic, everyTicks: 4, offset: offset + n * 40, onTicks: 120, offTicks: 120 };
    return { topic, everyTicks: 8, offset, onTicks: 8, offTicks: 0 };
  });
}

function loadPlan(random: () => number): LoadPlan {
  const below = (limit: number): number => Math.floor(random() * limit);
  const subscribers = Array.from({ length: SUBSCRIBERS }, (_, n) => {
    const codec = CODECS[n % 2];
    const topics = codec === 'json' ? TOPICS.filter((topic) => !VISITED.includes(topic)) : TOPICS;
    return { codec, topics: Array.from({ length: TOPICS_EACH }, (_, i) => topics[(n + i * 7) % topics.length]) };
  });
  const visits = (): Visit[] =>
    Array.from({ length: 100 }, () => ({
      topic: VISITED[below(VISITED.length)],
      lastN: below(10),
      stayMs: 30 + below(500),
      awayMs: below(300),
    }));
  return {
    tickMs: TICK_MS,
    subscribers,
    publishers: [0, 1, 2, 3].map((number) => ({
      number,
      codec: number === 0 ? 'json' : 'msgpack',
      topics: publishPlans(number),
    })),
    visitors: Array.from({ length: VISITORS }, () => ({ codec: 'json', visits: visits() })),
  };
}

/** Publishes from within the process, as the others do over sockets. */
class LocalPublisher {
  readonly outcomes: Outcome[] = [];
  readonly #faulty: FaultyEngine;
  readonly #pending = new Set<Promise<void>>();
  readonly #numbers = new Map<string, number>();

  constructor(faulty: FaultyEngine) {
    this.#faulty = faulty;
  }

  /** Until the time, and until everything is answered. */
  async run(endMs: number): Promise<void> {
    const plans = publishPlans(LOCAL_PUBLISHER);
    for (let tick = 0; performance.now() < endMs; tick++) {
      for (const { topic, everyTicks, offset, onTicks, offTicks } of plans) {
        if ((tick + offset) % everyTicks === 0 && (tick + offset) % (onTicks + offTicks) < onTicks)
          this.#publish(topic);
      }
      await pause(TICK_MS);
    }
    await Promise.all(this.#pending);
  }

  #publish(topic: string): void {
    const number = (this.#numbers.get(topic) ?? 0) + 1;
    this.#numbers.set(topic, number);
    const answered = this.#faulty.engine
      .publish(topic, payloadOf(LOCAL_PUBLISHER, number))
      .then(
        ({ seq }) => this.outcomes.push([topic, number, seq]),
        ({ code }) => this.outcomes.push([topic, number, code]),
      )
      .then(() => void this.#pending.delete(answered));
    this.#pending.add(answered);
  }
}

/** Sends topics from home to home. Each has to arrive somewhere. */
async function moveAbout({ engine }: FaultyEngine, random: () => number, endMs: number): Promise<number> {
  const homes = ['cold', 'hot', 0, 1, 'auto'] as const;
  const moves: Promise<void>[] = [];
  const topics = TOPICS.filter((topic) => topic.startsWith('moving'));
  while (performance.now() < endMs) {
    const topic = topics[Math.floor(random() * topics.length)];
    moves.push(engine.moveTopic(topic, homes[Math.floor(random() * homes.length)]));
    await pause(20 + random() * 150);
  }
  await Promise.all(moves);
  return moves.length;
}

/** From each fault until a message that was accepted after it has been heard (ms), per topic of the lane. */
function outages(injected: readonly InjectedFault[], { heard }: LoadReport): { fault: string; outageMs: number }[] {
  return injected.flatMap(({ fault, atMs, topics }) =>
    topics.flatMap((topic) => {
      const { acceptedMs, heardMs } = heard[topic];
      const next = acceptedMs.findIndex((acceptedAtMs) => acceptedAtMs > atMs);
      return next < 0 ? [] : [{ fault, outageMs: heardMs[next] - Math.max(atMs, acceptedMs[next]) }];
    }),
  );
}

function print(
  faulty: FaultyEngine,
  injected: readonly InjectedFault[],
  report: LoadReport,
  moves: number,
  busy: number,
): void {
  const { events, engine } = faulty;
  const recoveries = events.filter(({ kind }) => kind === 'recovered').map(({ recoveryMs }) => recoveryMs);
  const count = (kind: string): number => events.filter((event) => event.kind === kind).length;
  const lines = [
    `${report.events} messages heard, ${report.visits} visits, ${moves} moves asked for, ${engine.stats().moves} made`,
    `accept thread busy ${(busy * 100).toFixed(0)} %, load of the machine ${loadavg().map((load) => load.toFixed(1))}`,
    `${injected.length} faults, ${count('died')} deaths, ${count('stalled')} stalls`,
    `from a thread's end to the next one's first step: ${percentiles(recoveries)}`,
  ];
  const all = outages(injected, report);
  for (const fault of new Set(all.map((outage) => outage.fault))) {
    const times = all.filter((outage) => outage.fault === fault).map(({ outageMs }) => outageMs);
    lines.push(
      `from ${fault} to its topics' next delivery, without the wait for the next message: ${percentiles(times)}`,
    );
  }
  // Auto topics are silent by plan at times.
  for (const topic of TOPICS.filter((name) => !AUTO.includes(name))) {
    const { pauseMs } = longestPause(report.heard[topic]);
    lines.push(`longest pause between two messages of ${topic}: ${pauseMs} ms`);
  }
  console.log(lines.map((line) => `chaos: ${line}`).join('\n'));
}

let load: LoadProcess | null = null;
afterEach(() => load?.end());

it('lanes die, hang and starve, topics move: nothing is lost, doubled or left unanswered', {
  timeout: 120_000,
}, async () => {
  const seed = announcedSeed('chaos');
  load = new LoadProcess(loadPlan(seededRandom(seed)));
  const faulty = await startFaultyEngine({
    lanes: LANES,
    laneStallMs: STALL_MS,
    // Auto topics are above it while their load is on, all others would not be.
    hot: { promoteDeliveriesPerSecond: 1500, promoteAfterMs: 300, demoteAfterMs: 1000, movesPerSecond: 20 },
    topics: [
      { match: 'pinned:0', home: 0 },
      { match: 'pinned:1', home: 1 },
      { match: 'pinned:*', home: 'hot' },
    ],
  });
  const { engine, events } = faulty;
  await load.connect(engine.url);
  await load.publish();

  const before = performance.eventLoopUtilization();
  const endMs = performance.now() + CHAOS_MS;
  const local = new LocalPublisher(faulty);
  const injector = new FaultInjector(faulty, TOPICS, seededRandom(seed + 1));
  const publishing = local.run(endMs);
  const [moves] = await Promise.all([moveAbout(faulty, seededRandom(seed + 2), endMs), injector.run(endMs)]);
  await publishing;
  const busy = performance.eventLoopUtilization(before).utilization;
  await load.stop();
  const isRecovered = (): boolean => engine.stats().lanes.every(({ state }) => state === 'running');
  const story = (): string => events.map(({ lane, kind, fault }) => `${lane} ${kind} ${fault ?? ''}`).join('; ');
  await until(isRecovered, () => `all lanes run: ${story()}`, SETTLED_MAX_MS);
  await until(() => engine.stats().movingTopics === 0, 'no topic is on its way', SETTLED_MAX_MS);
  const heads = Object.fromEntries(TOPICS.map((topic) => [topic, engine.topicStats(topic)!.seq]));
  const report = await load.finish(heads);
  print(faulty, injector.injected, report, moves, busy);

  const overSockets = report.outcomes.map(({ number, outcomes }) => [number, outcomes]);
  const outcomes = Object.fromEntries([...overSockets, [LOCAL_PUBLISHER, local.outcomes]]);
  expect(findProblems(report, outcomes, heads)).toEqual([]);
  expect(engine.stats()).toMatchObject({ pendingAcks: 0, lostMessages: 0, overloadedMessages: 0 });
  // It was chaos at all, and each death was followed by a recovery.
  const kinds = events.map(({ kind }) => kind);
  const restarts = engine.stats().lanes.reduce((sum, lane) => sum + lane.restarts, 0);
  expect(injector.injected.length).toBeGreaterThanOrEqual(6);
  expect(kinds.filter((kind) => kind === 'died' || kind === 'stalled')).toHaveLength(restarts);
  expect(kinds).toContain('stalled');
  expect(kinds).not.toContain('degraded');
  expect(faulty.poisoned).toEqual([]);
  expect(engine.stats().moves).toBeGreaterThan(10);
});
