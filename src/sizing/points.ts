/** Operating points of a calibration: small workloads, each of which costs mostly one of the things that are looked for. */
import type { ServerSettings } from './measure/job.js';
import type { ClientClass, TopicGroup } from './workload.js';

export interface Point {
  readonly name: string;
  readonly topics: readonly TopicGroup[];
  readonly clients: readonly ClientClass[];
}

/** The engine as it comes, but that delays are as the points want them. */
export const POINT_SERVER: ServerSettings = { lanes: 1, delaysMs: [0, 5, 20, 50], engine: {} };

const SMALL_BYTES = 64;
const LARGE_BYTES = 4096;

interface Shape {
  readonly clients: number;
  readonly perClient?: number;
  readonly topics?: number;
  readonly rate: number;
  readonly bytes?: number;
  readonly home?: 'cold' | 'hot';
  readonly delayMs?: number;
  readonly burst?: number;
  readonly json?: boolean;
}

function point(name: string, shape: Shape): Point {
  const { clients, perClient = 1, topics = 1, rate, bytes = SMALL_BYTES, home = 'cold', delayMs = 0 } = shape;
  const { burst = 1, json = false } = shape;
  return {
    name,
    topics: [{ name: 'all', count: topics, ratePerSecond: rate, bytes, home, maxDelayMs: delayMs, burst }],
    clients: clients === 0 ? [] : [{ name: 'all', clients, topics: { all: perClient }, json }],
  };
}

/** Thrown away: for compilers and caches. */
export const WARM_UP: readonly Point[] = [
  point('warm-up: watch lists', { clients: 200, perClient: 50, topics: 200, rate: 10, delayMs: 5 }),
  point('warm-up: a hot topic', { clients: 500, rate: 200, home: 'hot' }),
];

export const IDLE = point('nothing', { clients: 10, rate: 0 });

export const CPU_POINTS: readonly Point[] = [
  point('1,000 clients, each message a write', { clients: 1000, rate: 20 }),
  point('200 clients, each message a write', { clients: 200, rate: 100 }),
  point('50 clients, each message a write', { clients: 50, rate: 400 }),
  point('3,000 clients, 10 a topic', { clients: 3000, topics: 300, rate: 4 }),
  point('3,000 clients, short watch lists', { clients: 3000, topics: 300, perClient: 5, rate: 0.5, delayMs: 20 }),
  point('500 clients, 8 messages a write', { clients: 500, rate: 400, delayMs: 20 }),
  point('watch lists, 5 ms', { clients: 200, perClient: 50, topics: 200, rate: 5, delayMs: 5 }),
  point('watch lists, 20 ms', { clients: 200, perClient: 50, topics: 200, rate: 5, delayMs: 20 }),
  point('long watch lists, 50 ms', { clients: 400, perClient: 100, topics: 200, rate: 5, delayMs: 50 }),
  point('a hot topic, each message a write', { clients: 500, rate: 50, home: 'hot' }),
  point('a hot topic, 20 messages a write', { clients: 500, rate: 1000, home: 'hot', delayMs: 20 }),
  point('3,000 clients, a hot topic', { clients: 3000, rate: 8, home: 'hot' }),
  point('hot watch lists, 5 ms', { clients: 200, perClient: 60, topics: 300, rate: 6, home: 'hot', delayMs: 5 }),
  point('hot watch lists, 20 ms', { clients: 300, perClient: 80, topics: 200, rate: 4, home: 'hot', delayMs: 20 }),
  point('4 KiB messages', { clients: 100, rate: 100, bytes: LARGE_BYTES }),
  point('12 KiB messages', { clients: 100, rate: 30, bytes: 3 * LARGE_BYTES }),
  point('thousands of topics, 50 ms', { clients: 400, perClient: 100, topics: 5000, rate: 0.2, delayMs: 50 }),
  point('one client a topic', { clients: 100, topics: 100, rate: 5 }),
  point('one client a hot topic', { clients: 20, topics: 20, rate: 5, home: 'hot' }),
  point('500 messages/s in', { clients: 0, topics: 100, rate: 5 }),
  point('5,000 messages/s in', { clients: 0, topics: 100, rate: 50 }),
  point('20,000 messages/s in, 100 at once', { clients: 0, topics: 100, rate: 200, burst: 100 }),
  point('500 messages/s into a lane', { clients: 0, topics: 10, rate: 50, home: 'hot' }),
  point('5,000 messages/s into a lane', { clients: 0, topics: 10, rate: 500, home: 'hot' }),
];

/** Larger than a slice. */
export const LARGE_POINTS: readonly Point[] = [
  point('32 KiB messages', { clients: 100, rate: 10, bytes: 8 * LARGE_BYTES }),
];

/** What the points above cost is known when these are looked at: the rest is JSON's. */
export const JSON_POINTS: readonly Point[] = [
  point('JSON, each message a write', { clients: 200, rate: 100, json: true }),
  point('JSON watch lists, 20 ms', { clients: 200, perClient: 50, topics: 200, rate: 5, delayMs: 20, json: true }),
  point('JSON, one client a topic', { clients: 200, topics: 200, rate: 10, json: true }),
  point('JSON, 4 KiB messages', { clients: 20, topics: 20, rate: 20, bytes: LARGE_BYTES, json: true }),
];

/** In a server with TLS; the rest is TLS's. */
export const TLS_POINTS: readonly Point[] = [
  point('TLS, small messages', { clients: 400, rate: 20 }),
  point('TLS, 8 KiB messages', { clients: 100, rate: 30, bytes: 2 * LARGE_BYTES }),
];

/** Each in a server of its own, loaded enough that its heap is as large as in use. */
export const MEMORY_POINTS: readonly Point[] = [
  point('few of everything', { clients: 100, topics: 100, perClient: 10, rate: 20, delayMs: 5 }),
  point('many connections', { clients: 3000, topics: 100, rate: 2 }),
  point('many subscriptions', { clients: 200, topics: 1000, perClient: 500, rate: 0.5, delayMs: 20 }),
  point('many topics', { clients: 100, topics: 10_000, perClient: 10, rate: 0.1, delayMs: 5 }),
];

/** Transcoding leaves much for the collector: the heap is larger with it. */
export const JSON_MEMORY_POINT = point('JSON and its garbage', {
  ...{ clients: 200, topics: 200, perClient: 25, rate: 5, delayMs: 20, json: true },
});

/** In a server with TLS. */
export const TLS_MEMORY_POINT = point('many TLS connections', { clients: 1000, topics: 100, rate: 2 });

/** What the points ask of a process: its connections, the feed's, and what Node.js has open itself. */
export const OTHER_FILES = 100;

export function filesNeeded(): number {
  const clients = [...CPU_POINTS, ...MEMORY_POINTS].map((each) =>
    each.clients.reduce((sum, { clients }) => sum + clients, 0),
  );
  return Math.max(...clients) + OTHER_FILES;
}

/** The same with fewer clients where there are more than so many. */
export function withClientsUpTo(limit: number, given: Point): Point {
  const clients = given.clients.map((each) => ({ ...each, clients: Math.min(each.clients, limit) }));
  return { ...given, clients };
}
