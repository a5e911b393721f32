// Is it always the same ones that get a message last? Statistics of the order in which the subscribers of a topic get its messages.

/** The order in which each message arrived: per message the subscribers, first to last, every one of them once. */
export type Orders = readonly (ArrayLike<number> & Iterable<number>)[];

export interface Fairness {
  subscribers: number;
  messages: number;
  /** Per subscriber its mean place, from 0 (always first) to 1 (always last). Nobody favoured: all near 0.5. */
  meanPlaces: Float64Array;
  /**
   * Kendall's coefficient of concordance W: 1 when all messages arrive in one order, about 1 ÷ messages when the orders have nothing to do
   * with each other. M. G. Kendall, B. Babington Smith: The Problem of m Rankings, 1939; without ties.
   */
  concordance: number;
  /** The mean of Spearman's rank correlation over all pairs of messages, which follows from W: (m W − 1) ÷ (m − 1). */
  meanCorrelation: number;
  /** Spearman's rank correlation of a message's order with that of the one before, on average. */
  successiveCorrelation: number;
  /** Share of messages in which the one that is last most often is last; 1 ÷ subscribers at best. */
  sameLastShare: number;
  /** The same among the last tenth: of the subscriber who is there most often; 0.1 at best. */
  sameLastTenthShare: number;
}

/** @param orders at least two messages and two subscribers, numbered from 0 */
export function fairnessOf(orders: Orders): Fairness {
  const messages = orders.length;
  const subscribers = orders[0]?.length ?? 0;
  if (messages < 2 || subscribers < 2) throw new RangeError('fairness needs two messages and two subscribers');
  const rankSums = new Float64Array(subscribers);
  const lastCounts = new Uint32Array(subscribers);
  const lastTenthCounts = new Uint32Array(subscribers);
  const tenth = Math.max(1, Math.round(subscribers / 10));
  let successiveSum = 0;
  let before: Float64Array | null = null;
  for (const order of orders) {
    const ranks = new Float64Array(subscribers).fill(Number.NaN);
    for (let place = 0; place < subscribers; place++) ranks[order[place]] = place;
    if (order.length !== subscribers || ranks.some(Number.isNaN)) throw new RangeError('an order is not complete');
    for (let subscriber = 0; subscriber < subscribers; subscriber++) rankSums[subscriber] += ranks[subscriber];
    lastCounts[order[subscribers - 1]]++;
    for (let place = subscribers - tenth; place < subscribers; place++) lastTenthCounts[order[place]]++;
    if (before !== null) successiveSum += rankCorrelation(before, ranks);
    before = ranks;
  }
  const concordance = concordanceOf(rankSums, messages);
  return {
    subscribers,
    messages,
    meanPlaces: rankSums.map((sum) => sum / messages / (subscribers - 1)),
    concordance,
    meanCorrelation: (messages * concordance - 1) / (messages - 1),
    successiveCorrelation: successiveSum / (messages - 1),
    sameLastShare: highest(lastCounts) / messages,
    sameLastTenthShare: highest(lastTenthCounts) / messages,
  };
}

/** Spearman's ρ of two rankings of the same n without ties: 1 − 6 Σ d² ÷ (n (n² − 1)). */
export function rankCorrelation(left: ArrayLike<number>, right: ArrayLike<number>): number {
  const count = left.length;
  let squares = 0;
  for (let index = 0; index < count; index++) squares += (left[index] - right[index]) ** 2;
  return 1 - (6 * squares) / (count * (count ** 2 - 1));
}

function concordanceOf(rankSums: Float64Array, messages: number): number {
  const subscribers = rankSums.length;
  const mean = (messages * (subscribers - 1)) / 2;
  const deviation = rankSums.reduce((sum, rankSum) => sum + (rankSum - mean) ** 2, 0);
  return (12 * deviation) / (messages ** 2 * (subscribers ** 3 - subscribers));
}

function highest(values: Uint32Array): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

/** Deliveries of one topic, in the order in which they were read. */
export interface Arrivals {
  count: number;
  connections: ArrayLike<number>;
  /** Tells the messages apart: no two have the same. */
  sentMs: ArrayLike<number>;
  arrivedMs: ArrayLike<number>;
}

export interface Spreads {
  orders: Uint32Array[];
  /** Of each message, from its first delivery to its last. */
  spreadsMs: number[];
}

/** Messages that did not come to all are left out. */
export function ordersOf({ count, connections, sentMs, arrivedMs }: Arrivals, subscribers: number): Spreads {
  const messages = new Map<number, { order: Uint32Array; places: number; firstMs: number; lastMs: number }>();
  for (let index = 0; index < count; index++) {
    const atMs = arrivedMs[index];
    let message = messages.get(sentMs[index]);
    if (message === undefined) {
      message = { order: new Uint32Array(subscribers), places: 0, firstMs: atMs, lastMs: atMs };
      messages.set(sentMs[index], message);
    }
    message.order[message.places++] = connections[index];
    message.lastMs = atMs;
  }
  const complete = [...messages.values()].filter(({ places }) => places === subscribers);
  return {
    orders: complete.map(({ order }) => order),
    spreadsMs: complete.map(({ firstMs, lastMs }) => lastMs - firstMs),
  };
}
