// A life of the engine, all of it drawn from one number: how it is built, what happens, in which order. At the end the
// engine stops, and nothing may be left.

import type { Stream } from '#src/delivery/stream.js';
import { CANONICAL } from '#src/variant/stream-spec.js';
import { Random } from '../ring/random.js';
import { Actions, type Crowd, TOPICS, type Trouble } from './actions.js';
import { faults } from './faults.js';
import { type Seen, type Shape, World } from './world.js';

const ACTIONS = 60;
/** Rounds of a few milliseconds in which everything has to come to rest. */
const ROUNDS_MAX = 600;
const ROUND_MS = 10;
const PATIENT_ROUNDS = 100;

/** What a run has seen: so that a simulation in which nothing happens does not pass for one. */
export interface Summary extends Seen {
  events: number;
  gaps: number;
  acks: number;
  refused: number;
  leftOut: number;
  joins: number;
}

/** Runs one seed. Rejects when something did not hold. @param log takes what happens, in words */
export async function simulate(seed: number, log: string[] | null = null): Promise<Summary> {
  const random = new Random(seed);
  faults.poison.clear();
  faults.leftOutOfJson.clear();
  const world = new World(shapeOf(random), log);
  world.trace(() => `seed ${seed}: ${JSON.stringify(world.shape)}`);
  const actions = new Actions(world, random, crowdOf(random), troubleOf(random));
  world.start();
  actions.begin();
  for (let count = 0; count < ACTIONS; count++) {
    actions.act();
    check(world);
  }
  world.trace(() => 'trouble is over');
  actions.calm();
  if (random.chance(0.5)) {
    rest(world, actions);
    await promisesSettled();
    arrived(world);
  }
  stop(world, actions);
  end(world);
  await promisesSettled();
  check(world);
  if (world.pinsUnderWay !== 0) world.checker.fail(`${world.pinsUnderWay} moves were never said to be done`);
  const { events, gaps, acks, leftOut } = world.checker;
  const refused = world.router.publishing.overloadedMessages;
  return { events, gaps, acks, refused, leftOut, joins: world.joins, ...world.seen };
}

async function promisesSettled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function check(world: World): void {
  if (world.checker.violation !== null) throw world.checker.violation;
}

// ---- what is drawn ---------------------------------------------------------------------------------------------------

function shapeOf(random: Random): Shape {
  const isRoomy = random.chance(0.4);
  const lanes = pick(random, [1, 2, 2, 3]);
  const dataBytes = isRoomy ? 2 ** 15 : pick(random, [1024, 2048, 8192]);
  const frames = isRoomy ? 512 : pick(random, [8, 32, 256]);
  const isEager = random.chance(0.5);
  // Lanes that take their time are busy enough to be relieved.
  const isSlow = random.chance(0.15);
  return {
    lanes: {
      lanes,
      ringBytes: pick(random, [512, 512, 1024, 4096]),
      // A starting lane may take ten times that.
      stallMs: isSlow ? 2000 : 200,
      logSizes: { dataBytes, frames },
      maxHotTopics: random.chance(0.2) ? 2 : 10,
    },
    cold: {
      dataMaxBytes: isRoomy ? 2 ** 15 : pick(random, [1024, 4096]),
      framesMax: isRoomy ? 512 : pick(random, [16, 64]),
      logsMaxBytes: isRoomy ? 2 ** 30 : pick(random, [6000, 12_000, 2 ** 20]),
      retention: { ms: isRoomy ? 3_600_000 : pick(random, [0, 50, 2000]), messages: 0, bytes: 0 },
    },
    topics: {
      historyMessages: isRoomy ? pick(random, [0, 5, 500]) : pick(random, [0, 5, 7]),
      historyBytes: isRoomy ? 2 ** 15 : 1024,
      maxDelayMs: pick(random, ['auto', 0, 0, 10] as const),
      slowConsumerPolicy: 'drop_oldest',
      maxLagMs: isRoomy ? 0 : pick(random, [0, 0, 100]),
      maxLagMessages: isRoomy ? 0 : pick(random, [0, 0, 10]),
    },
    rules: [
      { match: 'hot/*', home: 'hot' },
      { match: 'lane/*', home: random.below(lanes) },
      ...(random.chance(0.2) ? [{ match: 'd', home: 'cold' } as const] : []),
    ],
    hot: {
      promoteDeliveriesPerSecond: isEager ? 5 : 500,
      promoteAfterMs: isEager ? 0 : 100,
      demoteAfterMs: isEager ? 100 : 1000,
      movesPerSecond: 50,
    },
    rebalanceRatio: random.chance(0.5) ? 1.1 : 0,
    budgetMs: pick(random, [0.02, 0.1, 1]),
    busyShare: pick(random, [0.1, 0.9]),
    laneLookMs: isSlow ? 20 : 0.01,
    isRoomy,
  };
}

function crowdOf(random: Random): Crowd {
  const common = {
    jsonShare: pick(random, [0.3, 0.8]),
    churn: pick(random, [0.5, 1, 3]),
    noEchoShare: pick(random, [0, 0.15]),
  };
  if (random.chance(0.6))
    return { ...common, topics: pick(random, [1, 2, 3, TOPICS.length]), clients: 3, clientsMax: 6 };
  // Cohorts need several who follow the same.
  return { ...common, topics: pick(random, [1, 2]), clients: 10, clientsMax: 12 };
}

function troubleOf(random: Random): Trouble {
  const isFaulty = random.chance(0.85);
  return {
    fault: isFaulty ? pick(random, [0.05, 0.2, 0.5]) : 0,
    hang: random.chance(0.3) ? 0.3 : 0,
    poison: isFaulty && random.chance(0.3) ? 0.03 : 0,
    blocked: pick(random, [0, 0.02, 0.2]),
    closed: random.chance(0.3) ? 0.02 : 0,
    nested: random.chance(0.3) ? 0.1 : 0,
    curse: isFaulty && random.chance(0.15) ? 1 : 0,
  };
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

// ---- the end ---------------------------------------------------------------------------------------------------------

/** Everybody goes on until nothing is left to do. */
function rest(world: World, actions: Actions): void {
  settle(world, actions, () => whatIsUnderWay(world));
  caughtUp(world);
  world.checker.logsComplete();
  parcelsNeeded(world);
  // A lane's watch, the engine's own timer, the next sweep of the home keeper, and delivery's two.
  const timersMax = world.lanes.lanes.length + 4;
  if (world.loop.timerCount > timersMax) world.checker.fail(`${world.loop.timerCount} timers at rest`);
}

/** Lanes have what they need for the topics that live there, and nothing else. */
function parcelsNeeded({ lanes, topics, checker }: World): void {
  for (const { number, link } of lanes.lanes) {
    const needed = [...topics.entries()]
      .filter(({ lane }) => lane === number)
      .flatMap(({ spec, streams }) => [spec.alias, ...derivedOf(streams).map(() => spec.alias)]);
    const live = link.parcels.map(({ alias }) => alias);
    if (live.toSorted().join() !== needed.toSorted().join()) {
      checker.fail(`lane ${number} has parcels of topics ${live}, and needs those of ${needed}`);
    }
  }
}

/** Goes on until `isLeft` says nothing for some time. */
function settle(world: World, actions: Actions, isLeft: () => string | null): void {
  let left: string | null = '';
  for (let round = 0, quiet = 0; quiet < 3; round++) {
    if (round === ROUNDS_MAX) world.checker.fail(`it does not come to rest: ${left}`);
    actions.everybody();
    // Lanes that hang at their start take long to be missed.
    world.loop.pass(round < PATIENT_ROUNDS ? ROUND_MS : 10 * ROUND_MS);
    check(world);
    left = isLeft();
    quiet = left === null ? quiet + 1 : 0;
  }
}

function whatIsUnderWay(world: World): string | null {
  const { lanes, threads, delivery, handOver, router, loop } = world;
  const { ready, waiting, blocked } = delivery.load;
  if (loop.soonCount > 0) return 'a turn is due';
  if (threads.alive.some(({ isBusy, state }) => isBusy || state === 'hung')) return 'a thread is busy or hung';
  if (lanes.links.some((link) => link.hasEvents() || link.endedLogs > 0)) return 'the lanes have work';
  if (lanes.lanes.some(({ state }) => state !== 'running' && state !== 'degraded')) return 'a lane does not run';
  if (handOver.underWayCount > 0) return `${handOver.underWayCount} topics are on their way`;
  if (router.publishing.pendingAcks.count > 0) return `${router.publishing.pendingAcks.count} acks are pending`;
  if (ready + waiting + blocked > 0) return `consumers: ${ready} ready, ${waiting} waiting, ${blocked} blocked`;
  return null;
}

function caughtUp(world: World): void {
  for (const client of world.clients) {
    for (const following of client.followed.values()) world.checker.caughtUp(following, client.number);
  }
}

/** Topics are where they were put last, unless their lane was given up. */
function arrived({ pins, lanes, checker }: World): void {
  for (const [entry, { home, isRefused }] of pins) {
    if (entry.isClosed || isRefused) continue;
    const { topic } = entry.spec;
    if (home === 'cold' && entry.isHot)
      checker.fail(`${topic} is pinned to the accept thread, but in lane ${entry.lane}`);
    if (typeof home === 'number' && lanes.isUsable(home) && entry.lane !== home) {
      checker.fail(`${topic} is pinned to lane ${home}, but in ${entry.lane}`);
    }
  }
}

/** As the engine does it. */
function stop(world: World, actions: Actions): void {
  const { core, keeper, handOver, lanes, delivery, clients, loop } = world;
  world.trace(() => 'the engine stops');
  core.sweeps.stop();
  keeper.stop();
  settle(world, actions, () => {
    handOver.pump();
    return handOver.underWayCount > 0 ? `${handOver.underWayCount} topics are on their way` : null;
  });
  for (const lane of lanes.lanes) lane.stop();
  settle(world, actions, () => {
    const left = lanes.lanes.filter(({ state }) => state !== 'stopped');
    return left.length > 0 ? `lanes do not stop: ${left.map(({ number, state }) => `${number} ${state}`)}` : null;
  });
  while (!delivery.flushSome()) world.tree.drainAll();
  world.tree.drainAll();
  loop.turn();
  caughtUp(world);
  world.checker.logsComplete();
  for (const client of [...clients]) client.close();
}

/** Nothing may be left of anything. */
function end(world: World): void {
  const { checker, lanes, delivery, router, topics, handOver, loop, threads } = world;
  checker.allAnswered(world.messages);
  if (router.publishing.pendingAcks.count > 0) checker.fail(`${router.publishing.pendingAcks.count} acks are pending`);
  if (handOver.underWayCount > 0) checker.fail(`${handOver.underWayCount} topics are on their way`);
  for (const name of TOPICS) topics.delete(name);
  for (const { number, link } of lanes.lanes) {
    if (link.topicCount > 0) checker.fail(`lane ${number} has ${link.topicCount} topics`);
  }
  world.core.close();
  loop.turn();
  loop.turn();
  const { consumers, streams, subscriptions, ready, waiting, blocked } = delivery.load;
  const left = { consumers, streams, subscriptions, waiting, blocked, hotTopics: topics.hotCount };
  for (const [what, count] of Object.entries(left)) if (count !== 0) checker.fail(`${count} ${what} are left`);
  // Consumers that have ended leave the queue in a turn, of which there are no more.
  if (ready < 0) checker.fail('the queue of ready consumers has a negative length');
  if (world.coldLink.topicCount > 0) checker.fail(`${world.coldLink.topicCount} cold topics are left`);
  if (world.coldLink.logBytes !== 0) checker.fail(`cold logs take ${world.coldLink.logBytes} bytes without a topic`);
  if (loop.timerCount > 0) checker.fail(`${loop.timerCount} timers are left`);
  if (world.tree.groupCount > 0) checker.fail(`${world.tree.groupCount} groups are left`);
  if (threads.alive.length > 0) checker.fail(`${threads.alive.length} threads are left`);
}

/** The specs of derived streams; how they are read is no affair of their home's. */
function derivedOf(streams: readonly Stream[]): readonly string[] {
  const keys = new Set(streams.map(({ options }) => options.spec.key));
  keys.delete(CANONICAL.key);
  return [...keys];
}
