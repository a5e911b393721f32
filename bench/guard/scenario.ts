// What the guard measures: the loads of four fan-out scenarios, one after the other in one server, paced so that nothing is saturated,
// in turn with the servers beside it.
//
// The fan-out suite's own saturation and watchlist keep server and generator busy all the time. How many messages then share a write
// depends on who happens to wait for whom, and uws-publish's cost per delivery differs by a factor of two from run to run.
// Here the same messages leave on a schedule that leaves time to spare, so that a ratio says what the code costs.

import type { Load, Schedule } from '../support/generator/load.js';
import type { Phase, RunResult } from '../support/results.js';
import { RINGCAST, type Scenario, type Size, UWS } from '../support/scenario.js';
import { PAYLOAD_BYTES, range, seededRandom } from '../support/shared.js';
import type { CheckName } from './limits.js';

const SEED = 20261120;
/** Of short phases, each beside the same one of the other server: an odd number, whose median counts. */
const CYCLES = 3;
const SMOKE_SECONDS = 0.3;

const SATURATION_TOPIC = 0;
const BURST_TOPIC = 1;
const SMALL_BURST_TOPIC = 2;
const HOT_TOPICS = 3;
const COLD_TOPICS = 500;
export const TOPICS = { hot: HOT_TOPICS, cold: COLD_TOPICS };
const TOPICS_PER_CLIENT = 100;

interface Sizes {
  saturationSubscribers: number;
  burstSubscribers: number;
  clients: number;
}

const sizesOf = ({ smoke }: Size): Sizes =>
  smoke
    ? { saturationSubscribers: 100, burstSubscribers: 50, clients: 10 }
    : { saturationSubscribers: 5000, burstSubscribers: 500, clients: 150 };

interface Part {
  check: CheckName;
  schedule: Schedule;
  seconds: number;
  warmUpSeconds: number;
  /** The warm-up is not paced: many messages within a short time, each to many connections. */
  warmUpInFlight?: number;
}

const bursts = (firstTopic: number, burst: number, burstsPerSecond: number): Schedule => ({
  ...{ firstTopic, topicCount: 1 },
  ...{ perSecond: burst * burstsPerSecond, burst },
});

/**
 * In this order, so that bursts, which cost ringcast least, come when compilers and garbage of the start have settled. They are more
 * frequent than in the fan-out suite: at 4 a second a good part of what is measured is an idle process with 5,650 connections. But not so
 * frequent that two small ones meet in uws-publish's queue when somebody else has the core for a moment: its cliff is at 33 messages.
 */
const PARTS: readonly Part[] = [
  {
    check: 'saturation',
    schedule: bursts(SATURATION_TOPIC, 4, 8),
    ...{ seconds: 0.5, warmUpSeconds: 2, warmUpInFlight: 4 },
  },
  {
    check: 'small-burst',
    schedule: bursts(SMALL_BURST_TOPIC, 20, 25),
    // Of a lane's work compilers see a few messages per burst: they need thousands.
    ...{ seconds: 0.6, warmUpSeconds: 2, warmUpInFlight: 20 },
  },
  {
    check: 'watchlist',
    schedule: { firstTopic: HOT_TOPICS, topicCount: COLD_TOPICS, perSecond: 2500, burst: 1 },
    ...{ seconds: 0.8, warmUpSeconds: 3 },
  },
  { check: 'burst', schedule: bursts(BURST_TOPIC, 50, 6), seconds: 1, warmUpSeconds: 2 },
];

/** A seeded choice of cold topics, for one client after the other. */
function watchlists(): () => number[] {
  const random = seededRandom(SEED);
  return () => {
    const topics = range(HOT_TOPICS, COLD_TOPICS);
    for (let index = 0; index < TOPICS_PER_CLIENT; index++) {
      const other = index + Math.floor(random() * (topics.length - index));
      [topics[index], topics[other]] = [topics[other], topics[index]];
    }
    return topics.slice(0, TOPICS_PER_CLIENT);
  };
}

async function subscribe(load: Load, { saturationSubscribers, burstSubscribers, clients }: Sizes): Promise<void> {
  await load.connect(saturationSubscribers + burstSubscribers + clients);
  await load.subscribe(0, saturationSubscribers, () => [SATURATION_TOPIC]);
  await load.subscribe(saturationSubscribers, burstSubscribers, () => [BURST_TOPIC, SMALL_BURST_TOPIC]);
  await load.subscribe(saturationSubscribers + burstSubscribers, clients, watchlists());
}

/** For compilers and caches to settle, and for TCP: Linux acknowledges the first segments of a connection one by one. */
async function warmUp(load: Load, { check, schedule, warmUpInFlight }: Part, seconds: number): Promise<void> {
  const name = `${check} warm-up`;
  if (warmUpInFlight === undefined) await load.schedules(name, seconds, [schedule]);
  else await load.closedLoop(name, seconds, schedule.firstTopic, warmUpInFlight);
  load.warmedUp(name);
}

export const guarded: Scenario = {
  name: 'guarded',
  title: 'batches of 4, bursts of 20, watchlists, bursts of 50: in turn, in one server',
  variants: (size) => {
    const { saturationSubscribers, burstSubscribers, clients } = sizesOf(size);
    return [
      {
        name: 'paced',
        peers: [UWS, RINGCAST],
        server: {
          topics: TOPICS,
          payloadBytes: PAYLOAD_BYTES,
          maxDelayMs: 'auto',
          engine: {
            // As uws-publish has it: 30 s after the start 5,650 pings would be a fifth of what `burst` costs.
            heartbeatMs: 120_000,
            idleTimeoutMs: 240_000,
            // The watchlist's maxDelayMs is a topic's here: the other topics of the same server keep the default.
            topics: [
              { match: 'hot:*', home: 'hot' },
              { match: 'cold:*', maxDelayMs: 5 },
            ],
          },
        },
        connections: saturationSubscribers + burstSubscribers + clients,
        publishers: 1,
      },
    ];
  },
  async drive(load, _, size) {
    const secondsOf = (full: number): number => (size.smoke ? SMOKE_SECONDS : full);
    await load.inTurn(() => subscribe(load, sizesOf(size)));
    for (const part of PARTS) await load.inTurn(() => warmUp(load, part, secondsOf(part.warmUpSeconds)));
    for (let cycle = 1; cycle <= CYCLES; cycle++) {
      for (const { check, schedule, seconds } of PARTS) {
        await load.inTurn(() => load.schedules(`${check} ${cycle}`, secondsOf(seconds), [schedule]));
      }
    }
  },
  bars: () => [],
};

/** CPU µs per delivery of each check, cycle by cycle. Empty where a cycle is missing. */
export function costsOf(run: RunResult): Record<CheckName, number[]> {
  const costOf = (phase: Phase | undefined): number =>
    phase === undefined ? Number.NaN : phase.serverCpuMicros / phase.verification.delivered;
  const costs = PARTS.map(({ check }): [CheckName, number[]] => {
    const values = range(1, CYCLES).map((cycle) => costOf(run.phases[`${check} ${cycle}`]));
    return [check, values.every(Number.isFinite) ? values : []];
  });
  return Object.fromEntries(costs) as Record<CheckName, number[]>;
}

/** The topic that only this check publishes to; null: many, the cold ones. */
export function topicOf(check: CheckName): number | null {
  const { firstTopic, topicCount } = PARTS.find((part) => part.check === check)!.schedule;
  return topicCount === 1 ? firstTopic : null;
}
