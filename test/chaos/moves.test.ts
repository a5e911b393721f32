// Topics that are promoted and demoted hundreds of times while they are published to and read: nobody notices.
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { announcedSeed, seededRandom } from '../support/seeded.js';
import { CODECS } from '../support/wire.js';
import { startFaultyEngine } from './faulty-pool.js';
import { type HeardTopic, LoadProcess } from './load-process.js';
import { findProblems, longestPause, percentiles } from './verdict.js';

/** There and back. */
const ROUNDS = 200;
const TICK_MS = 4;
const READERS = 10;
const STAY_MAX_MS = 12;
/** Read in both dialects. */
const TO_AND_FRO = 'to and fro';
/** Read as MessagePack; its JSON stream begins and ends all the time. */
const ROUND_THE_LANES = 'round the lanes';
const TOPICS = [TO_AND_FRO, ROUND_THE_LANES];
/** Messages that a publisher sends at once. */
const BURST = 3;
const VISITORS = 3;

interface Move {
  readonly topic: string;
  readonly startMs: number;
  readonly endMs: number;
}

let load: LoadProcess | null = null;
afterEach(() => load?.end());

/** The longest pause between two messages that overlaps each move. */
function pausesAround(moves: readonly Move[], heard: Readonly<Record<string, HeardTopic>>): number[] {
  return moves.map(({ topic, startMs, endMs }) => longestPause(heard[topic], startMs, endMs).pauseMs);
}

it(`two topics move ${ROUNDS} times there and back under load: every message comes once, in order`, {
  timeout: 120_000,
}, async () => {
  const random = seededRandom(announcedSeed('moves'));
  load = new LoadProcess({
    tickMs: TICK_MS,
    subscribers: Array.from({ length: READERS }, (_, n) => ({
      codec: CODECS[n % 2],
      topics: CODECS[n % 2] === 'json' ? [TO_AND_FRO] : TOPICS,
    })),
    publishers: CODECS.map((codec, number) => ({
      number,
      codec,
      topics: Array.from({ length: BURST }, () => TOPICS)
        .flat()
        .map((topic) => ({ topic, everyTicks: 2, offset: number, onTicks: 2, offTicks: 0 })),
    })),
    visitors: Array.from({ length: VISITORS }, () => ({
      codec: 'json',
      visits: Array.from({ length: 100 }, () => ({
        topic: ROUND_THE_LANES,
        lastN: Math.floor(random() * 20),
        stayMs: random() * 30,
        awayMs: random() * 30,
      })),
    })),
  });
  const { engine, events } = await startFaultyEngine({ lanes: 2 });
  await load.connect(engine.url);
  await load.publish();

  const moves: Move[] = [];
  const move = async (topic: string, home: 'cold' | number): Promise<void> => {
    const startMs = Date.now();
    await engine.moveTopic(topic, home);
    moves.push({ topic, startMs, endMs: Date.now() });
    expect(engine.topicStats(topic)?.home).toBe(home);
    await pause(random() * STAY_MAX_MS);
  };
  const toAndFro = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++)
      for (const home of [round % 2, 'cold'] as const) await move(TO_AND_FRO, home);
  };
  const roundTheLanes = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) for (const home of [0, 1]) await move(ROUND_THE_LANES, home);
  };
  await Promise.all([toAndFro(), roundTheLanes()]);
  await load.stop();
  const heads = Object.fromEntries(TOPICS.map((topic) => [topic, engine.topicStats(topic)!.seq]));
  const report = await load.finish(heads);

  for (const topic of TOPICS) {
    const ofTopic = moves.filter((each) => each.topic === topic);
    const durations = ofTopic.map(({ startMs, endMs }) => endMs - startMs);
    console.log(
      `moves: ${topic}, ${heads[topic]} messages, ${ofTopic.length} moves: ${percentiles(durations)}\n` +
        `moves: longest pause between two messages around a move: ${percentiles(pausesAround(ofTopic, report.heard))}; ` +
        `in all: ${longestPause(report.heard[topic]).pauseMs} ms`,
    );
  }
  console.log(`moves: ${report.visits} JSON streams begun and ended`);
  const outcomes = Object.fromEntries(report.outcomes.map(({ number, outcomes }) => [number, outcomes]));
  expect(findProblems(report, outcomes, heads)).toEqual([]);
  expect(engine.stats()).toMatchObject({ pendingAcks: 0, movingTopics: 0, lostMessages: 0, overloadedMessages: 0 });
  expect(engine.stats().moves).toBe(moves.length);
  expect(events).toEqual([]);
});
