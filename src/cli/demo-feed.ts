/**
 * The feed behind `ringcast serve --demo`: a random walk of 50 share prices, about ten messages a second each. It knows
 * neither engine nor timers: `advance(nowMs)` publishes what has become due, so a test can run it on invented time.
 */

/** Ticker symbols with rough starting prices in dollars. The figures are invented from there on. */
const START_PRICES: readonly (readonly [symbol: string, price: number])[] = [
  ['AAPL', 230],
  ['MSFT', 420],
  ['NVDA', 135],
  ['AMZN', 195],
  ['GOOG', 170],
  ['META', 560],
  ['TSLA', 250],
  ['BRK.B', 460],
  ['AVGO', 170],
  ['LLY', 880],
  ['JPM', 220],
  ['V', 285],
  ['XOM', 118],
  ['UNH', 580],
  ['MA', 500],
  ['PG', 170],
  ['COST', 890],
  ['HD', 400],
  ['JNJ', 162],
  ['WMT', 82],
  ['NFLX', 720],
  ['BAC', 41],
  ['CRM', 290],
  ['ORCL', 172],
  ['KO', 70],
  ['MRK', 105],
  ['CVX', 150],
  ['AMD', 150],
  ['PEP', 170],
  ['ADBE', 500],
  ['TMO', 600],
  ['LIN', 470],
  ['ACN', 360],
  ['MCD', 300],
  ['CSCO', 54],
  ['ABT', 115],
  ['IBM', 220],
  ['GE', 185],
  ['QCOM', 170],
  ['TXN', 200],
  ['INTC', 23],
  ['CAT', 390],
  ['DIS', 95],
  ['VZ', 43],
  ['AMGN', 320],
  ['PFE', 29],
  ['GS', 520],
  ['UBER', 80],
  ['T', 22],
  ['BA', 155],
];

/** Mean time between two messages of one symbol; each gap is drawn from half to one and a half of it. */
const INTERVAL_MEAN_MS = 100;
/** Relative size of one step: about a hundredth of a percent. */
const STEP_RATIO = 0.0001;
/** After a pause longer than this (a suspended laptop) the feed goes on from now instead of catching up. */
const CATCH_UP_MAX_MS = 1_000;

export const DEMO_TOPIC_PREFIX = 'prices:';

export interface DemoPrice {
  readonly symbol: string;
  readonly price: number;
  /** Change since the feed began, in percent. */
  readonly change: number;
  readonly bid: number;
  readonly ask: number;
  /** Shares of the last trade. */
  readonly size: number;
}

export interface DemoFeedOptions {
  publish: (topic: string, price: DemoPrice) => void;
  /** Uniform numbers from 0 (included) to 1 (excluded). */
  random: () => number;
  /** Time of the first call, on the clock that `advance` is called with. */
  startMs: number;
}

interface Walk {
  readonly symbol: string;
  readonly topic: string;
  readonly startPrice: number;
  price: number;
  nextMs: number;
}

/** Writer and reader: whoever calls `advance`. */
export class DemoFeed {
  readonly topics: readonly string[];
  readonly #walks: Walk[];
  readonly #publish: DemoFeedOptions['publish'];
  readonly #random: () => number;
  #nowMs: number;

  constructor(options: DemoFeedOptions) {
    this.#publish = options.publish;
    this.#random = options.random;
    this.#nowMs = options.startMs;
    this.#walks = START_PRICES.map(([symbol, price]) => ({
      symbol,
      topic: DEMO_TOPIC_PREFIX + symbol,
      startPrice: price,
      price,
      nextMs: options.startMs + this.#random() * INTERVAL_MEAN_MS,
    }));
    this.topics = this.#walks.map((walk) => walk.topic);
  }

  /** Publishes everything due up to `nowMs`; returns how many messages that were. */
  advance(nowMs: number): number {
    const skipMs = Math.max(0, nowMs - this.#nowMs - CATCH_UP_MAX_MS);
    this.#nowMs = nowMs;
    let published = 0;
    for (const walk of this.#walks) {
      walk.nextMs += skipMs;
      while (walk.nextMs <= nowMs) {
        walk.nextMs += INTERVAL_MEAN_MS * (0.5 + this.#random());
        this.#publish(walk.topic, this.#step(walk));
        published += 1;
      }
    }
    return published;
  }

  #step(walk: Walk): DemoPrice {
    // The sum of three uniform numbers is near enough to a normal distribution; the pull keeps a long-running demo
    // from drifting to zero or to the skies.
    const noise = this.#random() + this.#random() + this.#random() - 1.5;
    const pull = (walk.startPrice - walk.price) * STEP_RATIO;
    walk.price = Math.max(0.01, walk.price * (1 + 2 * STEP_RATIO * noise) + pull);
    const price = cents(walk.price);
    const spread = Math.max(0.01, cents(price * STEP_RATIO));
    return {
      symbol: walk.symbol,
      price,
      change: cents((price / walk.startPrice - 1) * 100),
      bid: cents(price - spread),
      ask: cents(price + spread),
      size: 1 + Math.floor(this.#random() * 500),
    };
  }
}

function cents(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Small seeded generator (Marsaglia's xorshift with 13, 17, 5): the same seed gives the same walk everywhere. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4_294_967_296;
  };
}
