// Soak: 200 connections that subscribe, publish, stall, vanish and return at random. Afterwards nothing is left of them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineOptions } from '#src/index.js';
import { floodPayload } from '../support/flood.js';
import { announcedSeed, seededRandom } from '../support/seeded.js';
import { LEAVINGS, newTally, SoakClient, type SoakTally } from '../support/soak-client.js';
import { SoakServer } from '../support/soak-server.js';
import { until } from '../support/until.js';
import { CODECS } from '../support/wire.js';

const ACTORS = 180;
const STABLE = 20;
const WARM_UP_MS = 4000;
const SOAK_MS = 16_000;
const HISTORY_TOPICS = Array.from({ length: 20 }, (_, n) => `${n % 2 ? 'hot' : 'cold'}:${n}`);
/** Without history: nothing of them may be left once nobody uses them. */
const PASSING_TOPICS = Array.from({ length: 10 }, (_, n) => `passing:${n % 2 ? 'hot' : 'cold'}:${n}`);
const FLOOD_TOPICS = ['flood:hot', 'flood:cold'];
const MODEST_TOPICS = [...HISTORY_TOPICS, ...PASSING_TOPICS];
/** So many actors also watch the floods, and stall for long. */
const FLOODED_ACTORS = 24;
const FLOOD_BYTES = 56 * 1024;
/** More than a log holds. */
const LAPPING_MESSAGES = 50;
const FLOOD_LONGER_MAX_MS = 20_000;
const POLICIES = ['drop_oldest', 'drop_oldest', 'conflate', 'disconnect'] as const;

const OPTIONS: EngineOptions = {
  port: 0,
  lanes: 1,
  maxPayloadBytes: 64 * 1024,
  ringBytes: 1024 * 1024,
  hotLogBytes: 256 * 1024,
  hotLogFrames: 2048,
  coldLogMaxBytes: 256 * 1024,
  coldLogMaxFrames: 2048,
  historyBytes: 32 * 1024,
  // What only lags is gone when the test looks.
  retainMs: 2000,
  topics: [
    { match: 'hot:*', home: 'hot' },
    { match: 'passing:hot:*', home: 'hot', historyMessages: 0 },
    { match: 'passing:*', home: 'cold', historyMessages: 0 },
    { match: 'flood:hot', home: 'hot', historyMessages: 5 },
    { match: 'flood:cold', home: 'cold', historyMessages: 5 },
    // Pinned, so that the counts at the end are known. Topics that move by themselves are the chaos tests' subject.
    { match: '*', home: 'cold' },
  ],
};

/**
 * What a heap may have grown by after thousands of connections have come and gone: far less than one object each that
 * was kept by mistake, more than the engine's own caches and the noise of a collector.
 */
const HEAP_GROWTH_MAX_BYTES = 2 * 1024 * 1024;
/** Shared memory of hot logs counts until the collectors of both threads have run, and a lane's runs rarely. */
const BUFFERS_GROWTH_MAX_BYTES = 16 * 1024 * 1024;

/** Per cold topic that keeps history: 32 KiB of it, or one large message, in a log that doubles, and its index. */
const COLD_LOG_SETTLED_MAX_BYTES = 128 * 1024;
const COLD_LOGS = HISTORY_TOPICS.length / 2 + 1;

const pause = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs));

/** One that comes and goes. Its choices follow from the seed alone. */
class Actor {
  readonly #name: string;
  readonly #url: string;
  readonly #random: () => number;
  readonly #tally: SoakTally;
  readonly #isFlooded: boolean;
  #client: SoakClient | null = null;
  #visits = 0;

  constructor(number: number, url: string, seed: number, tally: SoakTally) {
    this.#isFlooded = number < FLOODED_ACTORS;
    this.#name = `actor ${number}`;
    this.#url = url;
    this.#random = seededRandom(seed + number * 7919);
    this.#tally = tally;
  }

  async run(endMs: number): Promise<void> {
    while (performance.now() < endMs) {
      await this.#step();
      await pause(5 + this.#below(150));
    }
    this.#client?.leave(this.#pick(LEAVINGS));
  }

  async #step(): Promise<void> {
    if (this.#client === null || this.#client.isGone) {
      const urlTopics = this.#below(3) === 0 ? [this.#pick(MODEST_TOPICS), this.#pick(HISTORY_TOPICS)] : [];
      const name = `${this.#name}, visit ${++this.#visits}`;
      this.#client = await SoakClient.open(name, this.#url, this.#pick(CODECS), this.#tally, urlTopics);
      if (this.#isFlooded) this.#subscribe(this.#client, this.#pick(FLOOD_TOPICS));
      return;
    }
    this.#act(this.#client, this.#below(100));
  }

  #act(client: SoakClient, dice: number): void {
    // A second or two under a flood is what it takes to fill the buffers between two sockets.
    if (client.isPaused && dice < (this.#isFlooded ? 3 : 40)) client.resume();
    else if (dice < 25) this.#subscribe(client, this.#pick(MODEST_TOPICS));
    else if (dice < 33) {
      const [first] = client.wanted;
      if (first !== undefined) client.unsubscribe(first);
    } else if (dice < 36) {
      for (const topic of client.wanted) this.#subscribe(client, topic);
    } else if (dice < 75) this.#publish(client);
    else if (dice < 79) client.send({ type: 'history', id: 'h', topic: this.#pick(FLOOD_TOPICS) });
    else if (dice < 81) client.sendBadFrame();
    else if (dice < 90) client.pause();
    else if (dice < (this.#isFlooded ? 92 : 96)) client.leave(this.#pick(LEAVINGS));
  }

  #subscribe(client: SoakClient, topic: string): void {
    const lastN = this.#below(3) === 0 ? this.#below(20) : 0;
    client.subscribe(topic, { lastN, policy: this.#pick(POLICIES) });
  }

  #publish(client: SoakClient): void {
    const topic = this.#pick(MODEST_TOPICS);
    for (let n = this.#below(10); n >= 0; n--) {
      client.send({ type: 'publish', topic, payload: { n, filler: 'x'.repeat(this.#below(500)) } });
    }
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#below(choices.length)];
  }
}

interface Round {
  readonly tally: SoakTally;
  readonly blockedMax: number;
}

/** Runs everybody for a time, checks the stable ones' sequences to the end, and lets all leave. */
async function playRound(server: SoakServer, seed: number, durationMs: number): Promise<Round> {
  const tally = newTally();
  const stable = await Promise.all(
    Array.from({ length: STABLE }, (_, n) => SoakClient.open(`stable ${n}`, server.url, CODECS[n % 2], tally)),
  );
  for (const [n, client] of stable.entries()) {
    for (let i = 0; i < 5; i++) client.subscribe(HISTORY_TOPICS[(n + i * 3) % HISTORY_TOPICS.length], {});
    client.subscribe(PASSING_TOPICS[n % PASSING_TOPICS.length], {});
    if (n < 4) client.subscribe(FLOOD_TOPICS[n % 2], {});
  }
  const deaf = await openDeaf(server, tally);
  const endMs = performance.now() + durationMs;
  const feed = await SoakClient.open('feed', server.url, 'msgpack', tally);
  const actors = Array.from({ length: ACTORS }, (_, n) => new Actor(n, server.url, seed, tally).run(endMs));
  const flooding = flood(server, feed, endMs);
  await Promise.all([...actors, flooding]);
  const blockedMax = await flooding;

  // Half of those that never read leave so; the others catch up.
  for (const [n, client] of deaf.entries()) n < deaf.length / 2 ? client.resume() : client.leave('reset');
  await untilCaughtUp(server, [...stable, ...deaf]);
  for (const client of [...stable, ...deaf, feed]) if (!client.isGone) client.leave('close');
  return { tally, blockedMax };
}

/** Subscribers of the floods, of every policy and codec, that do not read. */
async function openDeaf(server: SoakServer, tally: SoakTally): Promise<SoakClient[]> {
  const opening = Array.from({ length: 2 * POLICIES.length }, (_, n) =>
    SoakClient.open(`deaf ${n}`, server.url, CODECS[n % 2], tally),
  );
  const deaf = await Promise.all(opening);
  for (const [n, client] of deaf.entries()) {
    for (const topic of FLOOD_TOPICS) client.subscribe(topic, { policy: POLICIES[n % POLICIES.length] });
    client.pause();
  }
  return deaf;
}

/**
 * Large messages, several megabytes a second: who stalls on them is blocked soon, and lapped. Goes on beyond the end on a
 * machine that is too busy for that. Returns how many were blocked at most.
 */
async function flood(server: SoakServer, feed: SoakClient, endMs: number): Promise<number> {
  let blockedMax = 0;
  let lapping = 0;
  for (let n = 0; performance.now() < endMs + FLOOD_LONGER_MAX_MS; n++) {
    for (const topic of FLOOD_TOPICS) feed.send({ type: 'publish', topic, payload: floodPayload(n, FLOOD_BYTES) });
    await pause(10);
    if (n % 5 === 0) blockedMax = Math.max(blockedMax, (await server.stats()).blockedConnections);
    if (blockedMax > 0) lapping++;
    if (performance.now() > endMs && lapping > LAPPING_MESSAGES) break;
  }
  return blockedMax;
}

/** Every subscription of those that are still there has accounted for every message of its topic. */
async function untilCaughtUp(server: SoakServer, clients: readonly SoakClient[]): Promise<void> {
  for (const client of clients) {
    const { name } = client;
    await until(() => client.isGone || client.wanted.size === client.followers.size, `${name} is subscribed`);
    for (const [topic, follower] of client.followers) {
      const seq = (await server.topic(topic))?.seq ?? -1;
      await until(
        () => client.isGone || follower.nextSeq > seq,
        () => `${name}: ${topic} ${follower.nextSeq - 1} of ${seq}`,
      );
    }
  }
}

describe('soak', () => {
  const seed = announcedSeed('soak');
  let server: SoakServer;
  beforeAll(async () => {
    server = await SoakServer.start(OPTIONS);
  });
  afterAll(() => server.stop());

  /** Waits until nobody and nothing is left; what is left otherwise is in the failure. */
  async function untilEmpty(): Promise<void> {
    let left: Record<string, number> = {};
    const endMs = performance.now() + 10_000;
    do {
      const {
        connections,
        subscriptions,
        streams,
        readyConnections,
        waitingConnections,
        blockedConnections,
        pendingAcks,
      } = await server.stats();
      left = {
        connections,
        subscriptions,
        streams,
        readyConnections,
        waitingConnections,
        blockedConnections,
        pendingAcks,
      };
    } while (Object.values(left).some((count) => count !== 0) && performance.now() < endMs);
    expect(Object.entries(left).filter(([, count]) => count !== 0)).toEqual([]);
  }

  it('200 connections come, go and misbehave; then nothing is left of them', { timeout: 90_000 }, async () => {
    const warmUp = await playRound(server, seed, WARM_UP_MS);
    expect(warmUp.tally.problems.slice(0, 10)).toEqual([]);
    await untilEmpty();
    const before = await server.memory();

    const { tally, blockedMax } = await playRound(server, seed + 1, SOAK_MS);
    expect(tally.problems.slice(0, 10)).toEqual([]);
    await untilEmpty();
    const after = await settledMemory(before);
    const { events, gaps, lost, overloaded, connections, closeCodes } = tally;
    console.log(
      `soak: ${JSON.stringify({ connections, events, gaps, lost, overloaded, blockedMax, closeCodes })}, ` +
        `heap ${before.heapUsed} → ${after.heapUsed}, buffers ${before.arrayBuffers} → ${after.arrayBuffers} bytes`,
    );
    // It was a soak at all (how much of one depends on the machine):
    expect(connections).toBeGreaterThan(ACTORS + STABLE);
    expect(blockedMax).toBeGreaterThan(0);
    expect(gaps).toBeGreaterThan(0);

    const stats = await settledStats();
    expect(stats.topics).toBe(HISTORY_TOPICS.length + FLOOD_TOPICS.length);
    for (const name of PASSING_TOPICS) expect(await server.topic(name)).toBe(null);
    expect(stats.coldLogBytes).toBeLessThanOrEqual(COLD_LOGS * COLD_LOG_SETTLED_MAX_BYTES);
    expect(stats.hotTopics).toBe(HISTORY_TOPICS.length / 2 + 1);
    expect(stats.lanes.map(({ ringFillPercent }) => ringFillPercent)).toEqual([0]);
    expect(after.heapUsed - before.heapUsed).toBeLessThan(HEAP_GROWTH_MAX_BYTES);
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(BUFFERS_GROWTH_MAX_BYTES);
    expect(server.faults).toEqual([]);
  });

  /** Logs shrink a few seconds after the last message: waits for that, but not for ever. */
  async function settledStats() {
    const endMs = performance.now() + 10_000;
    for (;;) {
      const now = await server.stats();
      if (now.coldLogBytes <= COLD_LOGS * COLD_LOG_SETTLED_MAX_BYTES || performance.now() > endMs) return now;
      await pause(200);
    }
  }

  /** The same of the process's memory. */
  async function settledMemory(before: { heapUsed: number; arrayBuffers: number }) {
    const endMs = performance.now() + 10_000;
    for (;;) {
      const now = await server.memory();
      const isSettled =
        now.heapUsed - before.heapUsed < HEAP_GROWTH_MAX_BYTES &&
        now.arrayBuffers - before.arrayBuffers < BUFFERS_GROWTH_MAX_BYTES;
      if (isSettled || performance.now() > endMs) return now;
      await pause(200);
    }
  }
});
