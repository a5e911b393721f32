// What do subscribers notice of a move? While a stream goes on, its topic is moved from home to home. For each move: the
// longest silence that any subscriber heard around it, beyond the usual time between two deliveries. Windows in which nothing
// moved are measured alike: their silences are the machine's.

import { clockMs, sleep } from '../../../dist/load/clock.js';
import { type Bar, completeBar, maximumBar, plainFigure } from '../../support/bars.js';
import type { Load } from '../../support/generator/load.js';
import { Recording } from '../../support/generator/recording.js';
import { median } from '../../support/results.js';
import { RINGCAST_LANES, type Scenario, type Size, type Variant } from '../../support/scenario.js';
import { PAYLOAD_BYTES } from '../../support/shared.js';
import { quantile } from '../samples.js';
import { FirstArrivals, gapsMs } from '../windows.js';

const NAME = 'moves';
const SHORT = 'short history';
const FULL = 'full log';
const LOG_BYTES = 4 * 1024 * 1024;
const LOG_FRAMES = 16_384;
/** So large that a log is full of bytes before it is full of frames. */
const FULL_PAYLOAD_BYTES = 256;
const MAX_DELAY_MS = 5;
const TOPIC = 0;

/** A round: around once, and one window without a move, each time at another place. */
const MOVES = [
  { kind: 'cold → lane', home: 0 },
  { kind: 'lane → lane', home: 1 },
  { kind: 'lane → cold', home: 'cold' },
] as const;
const STILL = 'no move';
const KINDS = [...MOVES.map(({ kind }) => kind), STILL];
const ROUND_SECONDS = 0.3;
/** A slow machine may take so many times longer. */
const PATIENCE = 6;
/** Before the move, so that everybody has had a delivery, and after it. */
const LEAD_MS = 20;
const TRAIL_MS = 30;
const GIVE_UP_MS = 10_000;

const subscriberCount = (size: Size): number => (size.smoke ? 20 : 200);
const roundCount = (size: Size): number =>
  size.smoke ? 3 : size.seconds === null ? 110 : Math.ceil(size.seconds / ROUND_SECONDS);

const excess = (kind: string, figure: string): string => `${kind}: pause ${figure}, ms`;
const duration = (kind: string): string => `${kind}: takes p50, ms`;

/** What was seen of one kind of move. */
class Windows {
  /** The longest silence of each. */
  readonly longestMs: number[] = [];
  readonly tookMs: number[] = [];
}

export const moves: Scenario = {
  name: NAME,
  title: '1 topic × 200 subscribers, 1,000 messages a second; moved from cold to a lane, to another lane, to cold …',
  variants(size) {
    const variant = (name: string, payloadBytes: number, historyMessages: number): Variant => ({
      name,
      peers: [RINGCAST_LANES],
      server: {
        topics: { hot: 1, cold: 0 },
        payloadBytes,
        maxDelayMs: MAX_DELAY_MS,
        engine: {
          lanes: 2,
          rebalance: { ratio: 0 },
          topics: [{ match: 'hot:*', home: 'cold', historyMessages, historyBytes: LOG_BYTES }],
          hotLogBytes: LOG_BYTES,
          coldLogMaxBytes: LOG_BYTES,
          hotLogFrames: LOG_FRAMES,
          coldLogMaxFrames: LOG_FRAMES,
        },
      },
      connections: subscriberCount(size),
      publishers: 1,
    });
    return [variant(SHORT, PAYLOAD_BYTES, 100), variant(FULL, FULL_PAYLOAD_BYTES, LOG_FRAMES - 1)];
  },
  async drive(load, variant, size) {
    const { payloadBytes } = variant.server;
    if (variant.name === FULL) await load.order({ kind: 'fill', topics: 1, bytes: LOG_BYTES, payloadBytes });
    await load.connect(variant.connections);
    await load.subscribe(0, variant.connections, () => [TOPIC]);
    const stream = { firstTopic: TOPIC, topicCount: 1, perSecond: size.smoke ? 500 : 1000, burst: 1 };
    const phase = async (name: string, rounds: number): Promise<Moving> => {
      const moving = new Moving(load, variant.connections);
      const seconds = 5 + rounds * ROUND_SECONDS * PATIENCE;
      await load.schedules(name, seconds, [stream], () => moving.rounds(rounds));
      return moving;
    };
    await phase('warm-up', Math.ceil(roundCount(size) / 10));
    load.warmedUp('warm-up');
    const moving = await phase('moving', roundCount(size));
    Object.assign(load.outcome.figures, moving.figures());
  },
  bars(results) {
    const bars = (variant: string): Bar[] => {
      const pick = (name: string) => results.spread(NAME, variant, RINGCAST_LANES, (run) => run.figures[name]);
      const figures = MOVES.flatMap(({ kind }) => {
        const bar = (figure: string) => ({
          scenario: NAME,
          label: `${variant}, ${kind}: pause ${figure}`,
          unit: 'ms',
          value: pick(excess(kind, figure)),
        });
        const still = (figure: string) => pick(excess(STILL, figure));
        return [
          plainFigure(bar('p50'), still('p50')),
          { ...maximumBar(bar('p99'), 20), baseline: still('p99') },
          plainFigure(bar('max'), still('max')),
        ];
      });
      return [
        ...figures,
        completeBar(NAME, `${variant}: all delivered`, results.incomplete(NAME, variant, RINGCAST_LANES), null),
      ];
    };
    return [...bars(SHORT), ...bars(FULL)];
  },
};

/** Moves the topic about, and watches its subscribers. */
class Moving {
  readonly #load: Load;
  readonly #connections: number;
  readonly #recording = new Recording();
  readonly #windows = new Map<string, Windows>(KINDS.map((kind) => [kind, new Windows()]));
  /** Between two deliveries while nothing moved, the middle one of each window. */
  readonly #usualMs: number[] = [];

  constructor(load: Load, connections: number) {
    this.#load = load;
    this.#connections = connections;
  }

  async rounds(count: number): Promise<void> {
    const still = async () => ({ atMs: clockMs(), doneMs: clockMs() });
    for (let round = 0; round < count; round++) {
      for (const [index, { kind, home }] of MOVES.entries()) {
        await this.#watch(kind, () => this.#load.order({ kind: 'move', topic: TOPIC, home }));
        if (index === round % MOVES.length) await this.#watch(STILL, still);
      }
    }
  }

  async #watch(kind: string, act: () => Promise<{ atMs: number; doneMs: number }>): Promise<void> {
    const recording = this.#recording;
    const windows = this.#windows.get(kind)!;
    this.#load.beginRecording(recording);
    await sleep(LEAD_MS);
    const { atMs, doneMs } = await act();
    await sleep(TRAIL_MS);
    await new FirstArrivals(recording, 'connections', this.#connections, doneMs).complete(GIVE_UP_MS);
    this.#load.endRecording();
    const gaps = gapsMs(recording, this.#connections, atMs);
    windows.longestMs.push(gaps.reduce((longest, gap) => Math.max(longest, gap), 0));
    windows.tookMs.push(doneMs - atMs);
    if (kind === STILL) this.#usualMs.push(median(gaps));
  }

  figures(): Record<string, number> {
    const usualMs = median(this.#usualMs);
    const figures: Record<string, number> = { 'usual time between deliveries, ms': usualMs };
    for (const [kind, { longestMs, tookMs }] of this.#windows) {
      const pauses = longestMs.map((ms) => Math.max(0, ms - usualMs));
      figures[`${kind}: count`] = pauses.length;
      figures[excess(kind, 'p50')] = quantile(pauses, 0.5);
      figures[excess(kind, 'p99')] = quantile(pauses, 0.99);
      figures[excess(kind, 'max')] = quantile(pauses, 1);
      if (kind !== STILL) figures[duration(kind)] = quantile(tookMs, 0.5);
    }
    return figures;
  }
}
