// The size model: what comes out by hand, and that more load never needs less.
import { describe, expect, it } from 'vitest';
import { alternatives } from '#src/sizing/advice.js';
import type { Coefficients } from '#src/sizing/calibration.js';
import { seededRandom } from '#src/sizing/measure/random.js';
import { CONDITIONS_DEFAULT, type Conditions, capacityOf, processNeeds, sizeOf } from '#src/sizing/model.js';
import { activityOf, cpuOf, processCpu, wakeUpsOf, wakingEvents } from '#src/sizing/model-cpu.js';
import { coldLogBytes, hotLogBytes } from '#src/sizing/model-memory.js';
import { clientTraffic, writeIntervalSeconds } from '#src/sizing/model-writes.js';
import {
  type ClientClass,
  type SimpleWorkload,
  simpleWorkload,
  type TopicGroup,
  type Workload,
} from '#src/sizing/workload.js';
import { calibrationWith, coefficients, settings } from './fixture-calibration.js';

const group = (changed: Partial<TopicGroup> = {}): TopicGroup => ({
  ...{ name: 'all', count: 100, ratePerSecond: 10, bytes: 100, home: 'cold', maxDelayMs: 0 },
  ...changed,
});

describe('writes', () => {
  it('without other groups: one per 1/λ + d', () => {
    expect(writeIntervalSeconds([{ perSecond: 50, collectingMs: 20 }])).toBeCloseTo(0.04, 12);
    expect(writeIntervalSeconds([{ perSecond: 50, collectingMs: 0 }])).toBeCloseTo(0.02, 12);
    expect(writeIntervalSeconds([])).toBe(Number.POSITIVE_INFINITY);
  });

  it('groups with the same delay are one group', () => {
    const parts = [10, 15, 25].map((perSecond) => ({ perSecond, collectingMs: 20 }));
    expect(writeIntervalSeconds(parts)).toBeCloseTo(0.04, 12);
  });

  it('with two delays: as a simulation has it', () => {
    const arrivals = [
      { perSecond: 20, collectingMs: 5 },
      { perSecond: 100, collectingMs: 30 },
    ];
    const random = seededRandom(7);
    const exponential = (rate: number): number => -Math.log(1 - random()) / rate;
    let total = 0;
    const cycles = 200_000;
    for (let cycle = 0; cycle < cycles; cycle++) {
      total += Math.min(...arrivals.map(({ perSecond, collectingMs }) => exponential(perSecond) + collectingMs / 1000));
    }
    expect(writeIntervalSeconds(arrivals)).toBeCloseTo(total / cycles, 4);
  });

  it('a slice holds 15 KiB: larger messages take a write each, much data as many as it fills', () => {
    const traffic = (bytes: number, rate: number) =>
      clientTraffic(
        { name: 'c', clients: 1, topics: { all: 1 } },
        [group({ bytes, ratePerSecond: rate, maxDelayMs: 1000 })],
        0,
        coefficients,
      );
    expect(traffic(20_000, 10).writes).toBe(10);
    expect(traffic(5096, 100).writes).toBeCloseTo((5120 * 100) / 15_360, 6);
  });
});

describe('CPU', () => {
  it('is the sum of what is done times what it costs', () => {
    const workload: Workload = {
      topics: [group({ count: 1, ratePerSecond: 10, bytes: 76 })],
      clients: [{ name: 'c', clients: 1000, topics: { all: 1 } }],
      settings,
    };
    const c = { ...coefficients, undelayedMs: 0 };
    const { accept, activity, lanes } = cpuOf(activityOf(workload, 1, 0, c), c);
    // The mean client of a fan-out waits for 500 writes of 6 µs.
    const writes = 1000 / 0.103;
    expect(activity.writes).toBeCloseTo(writes, 6);
    expect(activity.bytes).toBeCloseTo(1_000_000, 6);
    const busy = writes * (6e-6 + 3e-6 / 2) + writes * 0.5e-6 + 1e6 * 1e-9 + 10 * 2e-6 + 0.005;
    const waking = (10 / 1.001) * (40e-6 + 20e-6) * (1 - busy);
    expect(accept).toBeCloseTo(busy + waking, 9);
    expect(lanes).toBe(0);
  });

  const many: Workload = {
    topics: [group({ count: 10, ratePerSecond: 50, bytes: 100 })],
    clients: [{ name: 'c', clients: 200, topics: { all: 5 } }],
    settings,
  };
  const withClients = (changed: Partial<ClientClass>): Workload => ({
    ...many,
    clients: many.clients.map((each) => ({ ...each, ...changed })),
  });
  const exact = { ...coefficients, undelayedMs: 0 };

  it('what comes while the same topic is being fanned out shares a write with it', () => {
    const fanOut = (clients: number) =>
      activityOf(
        {
          topics: [group({ count: 1, ratePerSecond: 20, home: 'hot' })],
          clients: [{ name: 'c', clients, topics: { all: 1 } }],
          settings,
        },
        1,
        0,
        { ...coefficients, undelayedMs: 0 },
      ).writes;
    // 5,000 writes of 6 µs are 30 ms: 15 of the 50 between two messages are collected.
    expect(fanOut(5000)).toBeCloseTo(5000 / 0.065, 6);
    expect(fanOut(10)).toBeCloseTo(200, 0);
  });

  it('a watchlist is written to with the first message for its block, if that has something for it', () => {
    const lists: Workload = {
      topics: [group({ count: 500, ratePerSecond: 5, maxDelayMs: 5 })],
      clients: [{ name: 'c', clients: 500, topics: { all: 100 } }],
      settings,
    };
    const { writes } = activityOf(lists, 1, 0, { ...exact, delaySlackMs: 0, perWriteMicros: 0 });
    // 500 messages a second of 2,500, which are due 5 ms after the first of them.
    expect(writes).toBeCloseTo((500 * (1 - 0.8 * Math.exp(-500 * 0.005))) / (0.005 + 1 / 2500), -2);
    const own = activityOf({ ...lists, topics: [group({ count: 50_000, ratePerSecond: 5, maxDelayMs: 5 })] }, 1, 0, {
      ...exact,
      delaySlackMs: 0,
      perWriteMicros: 0,
    });
    // Nobody shares a topic: each has its own delay.
    expect(own.writes).toBeCloseTo(500 / (0.005 + 1 / 500), -2);
  });

  it('the busier the thread, the longer it collects: it agrees with itself', () => {
    const busy = withClients({ clients: 2000 });
    const { accept, activity } = processCpu(busy, 1, exact);
    expect(accept).toBeGreaterThan(0.8);
    expect(activity.writes).toBeCloseTo(activityOf(busy, 1, accept, exact).writes, -1);
    expect(activity.writes).toBeLessThan(0.9 * activityOf(busy, 1, 0, exact).writes);
  });

  it('a burst is one write, one row and one wake-up, and all its messages', () => {
    const bursts: Workload = { ...many, topics: many.topics.map((each) => ({ ...each, burst: 10 })) };
    const activity = activityOf(bursts, 1, 0, exact);
    expect(activity).toMatchObject({ messages: 500, deliveries: 50_000, bytes: 50_000 * 124 });
    // 50 of 100 subscribers are written to before the mean one: 0.3 ms. Of the bursts that are due for its block half are a client's.
    expect(activity.writes).toBeCloseTo((200 * (1 - 0.5 * Math.exp(-25 * 0.0003))) / (0.02 + 0.0003), 6);
    expect(activity.rows).toBeCloseTo((200 * 25) / (1 + 5 * 0.0003), 6);
    expect(activity.wakeUps).toBeCloseTo(wakeUpsOf(50, exact.wakeUpMs), 6);
  });

  it('JSON clients cost something for each event, and for each message once', () => {
    const json = processCpu(withClients({ json: true }), 1, exact);
    expect(json.activity).toMatchObject({ texts: 50_000, transcoded: { messages: 500, bytes: 50_000 } });
    const part = json.parts.find(({ what }) => what === 'JSON');
    expect(part!.cpu).toBeCloseTo(50_000e-6 + 500 * 6e-6 + 50_000 * 10e-9, 9);
    // In lanes it is theirs to transcode.
    const hot = processCpu({ ...withClients({ json: true }), topics: [{ ...many.topics[0], home: 'hot' }] }, 1, exact);
    expect(hot.activity.transcoded.messages).toBe(0);
    expect(hot.activity.hotTranscoded.messages).toBe(500);
    expect(processCpu(withClients({ clients: 1, json: true, topics: { all: 3 } }), 1, exact).activity).toMatchObject({
      transcoded: { messages: 150 },
    });
  });

  it('TLS costs something for each write, each message in, and each of their bytes', () => {
    const { parts, activity } = processCpu({ ...many, settings: { ...settings, tls: true } }, 1, exact);
    const part = parts.find(({ what }) => what === 'TLS');
    expect(part!.cpu).toBeCloseTo((activity.writes + 500) * 3e-6 + (50_000 + 500) * 124 * 2e-9, 9);
  });

  it('nothing is written to those who do not read, but memory waits for them', () => {
    const workload = withClients({ reads: false });
    const { activity } = processCpu(workload, 1, exact);
    expect(activity).toMatchObject({ writes: 0, rows: 0, bytes: 0, deliveries: 0, messages: 500 });
    const of = (each: Workload) => processNeeds(each, 1, exact, { ...CONDITIONS_DEFAULT, roundTripMs: 0 });
    expect(of(workload).kernelBytes - of(many).kernelBytes).toBe(200 * 4 * 2 ** 20);
  });

  it('a delay ends on the way where messages wake the thread anyway', () => {
    expect(wakingEvents(0, 600)).toBe(600);
    expect(wakingEvents(1000, 600)).toBeCloseTo(1000 + 600 / Math.E, 9);
    for (let bursts = 0; bursts < 5000; bursts += 50) {
      expect(wakingEvents(bursts + 50, 1000)).toBeGreaterThan(wakingEvents(bursts, 1000));
    }
  });

  it('auto: the delay and the utilisation agree with each other', () => {
    const workload = (maxDelayMs: number | 'auto'): Workload => ({
      topics: [group({ home: 'hot', count: 1, ratePerSecond: 300, maxDelayMs })],
      clients: [{ name: 'c', clients: 500, topics: { all: 1 } }],
      settings,
    });
    const { accept } = processCpu(workload('auto'), 1, coefficients);
    expect(accept).toBeGreaterThan(0.5);
    expect(accept).toBeLessThan(1);
    const delayMs = ((accept - 0.5) / 0.5) * 5;
    // With that delay, fixed, it is as busy; the ends of fixed delays wake the thread a little more.
    expect(processCpu(workload(delayMs), 1, coefficients).accept).toBeCloseTo(accept, 1);
    expect(processCpu(workload(0), 1, coefficients).accept).toBeGreaterThan(accept);
  });
});

describe('memory', () => {
  it('a cold log doubles until it holds its history, or half a minute', () => {
    // 100 messages × (24 + 104) bytes = 12,800 → 16 KiB; 101 entries → 128 × 40 bytes.
    expect(coldLogBytes(group({ bytes: 104, ratePerSecond: 1 }), settings, Number.POSITIVE_INFINITY)).toBe(
      16_384 + 5120,
    );
    // 30 s × 13/s = 390 messages = 49,920 bytes → 64 KiB; 391 entries → 512 × 40 bytes.
    expect(coldLogBytes(group({ bytes: 104, ratePerSecond: 13 }), settings, Number.POSITIVE_INFINITY)).toBe(
      65_536 + 20_480,
    );
    expect(coldLogBytes(group({ ratePerSecond: 0 }), settings, Number.POSITIVE_INFINITY)).toBe(0);
    expect(coldLogBytes(group({ bytes: 10, ratePerSecond: 1 }), settings, 2)).toBe(0);
  });

  it('is told twice: early, and when every log is full', () => {
    const hot: Workload = {
      topics: [group({ home: 'hot', count: 500, ratePerSecond: 5, bytes: 64, maxDelayMs: 5 })],
      clients: [{ name: 'c', clients: 500, topics: { all: 100 } }],
      settings,
    };
    const { memoryBytes, earlyMemoryBytes } = processNeeds(hot, 1, coefficients, CONDITIONS_DEFAULT);
    const logs = 500 * (hotLogBytes(hot.topics[0], settings, Number.POSITIVE_INFINITY) - 50 * (88 + 40));
    const rings = 2 * settings.ringBytes - 10 * 2500 * (2 * 32 + 64);
    expect(memoryBytes - earlyMemoryBytes).toBeCloseTo(logs + rings, 0);
    expect(earlyMemoryBytes).toBeLessThan(0.2 * 2 ** 30);
  });

  it('JSON clients have logs of their own, and their transcoding a larger heap', () => {
    const needs = (json: boolean) =>
      processNeeds(
        { topics: [group({ count: 50 })], clients: [{ name: 'c', clients: 9, topics: { all: 2 }, json }], settings },
        1,
        coefficients,
        CONDITIONS_DEFAULT,
      ).memoryBytes;
    // 18 of the 50 topics have a JSON client at most; 30 s × 10/s × 246 bytes → 128 KiB, 301 entries → 512 × 40 bytes.
    expect(needs(true) - needs(false)).toBe(coefficients.jsonProcessBytes + 18 * (131_072 + 20_480));
  });

  it('a hot log fills with time up to its bounds', () => {
    const hot = group({ home: 'hot', bytes: 104, ratePerSecond: 100 });
    expect(hotLogBytes(hot, settings, 10)).toBe(1000 * 128 + 1000 * 40);
    expect(hotLogBytes(hot, settings, Number.POSITIVE_INFINITY)).toBe(4 * 2 ** 20 + 16_384 * 40);
  });
});

const SIMPLE: SimpleWorkload = {
  ...{ clients: 50_000, topicsPerClient: 40, topics: 2000, rate: 5, bytes: 180, hot: 20, maxDelayMs: 20, settings },
};

describe('the answer', () => {
  it('splits clients among processes until each accept thread has room', () => {
    const sizing = sizeOf(simpleWorkload(SIMPLE), calibrationWith(), CONDITIONS_DEFAULT);
    expect(sizing.process!.cpu.accept).toBeLessThanOrEqual(0.7);
    const fewer = { ...CONDITIONS_DEFAULT, processes: sizing.processes - 1 };
    expect(sizeOf(simpleWorkload(SIMPLE), calibrationWith(), fewer).process!.cpu.accept).toBeGreaterThan(0.7);
    expect(sizing.cores).toBeGreaterThanOrEqual(sizing.processes);
  });

  it('says so when the feed alone is too much for a process', () => {
    const flood = simpleWorkload({ ...SIMPLE, rate: 1000, topics: 20_000 });
    const sizing = sizeOf(flood, calibrationWith(), CONDITIONS_DEFAULT);
    expect(sizing).toMatchObject({ processes: Number.POSITIVE_INFINITY, process: null });
    expect(sizing.bottlenecks[0].what).toMatch(/feed/);
  });

  it('p99 is endless where the accept thread cannot keep up', () => {
    const one = { ...CONDITIONS_DEFAULT, processes: 1 };
    expect(sizeOf(simpleWorkload(SIMPLE), calibrationWith(), one).p99Ms).toBe(Number.POSITIVE_INFINITY);
  });

  it('what it says about one process and the machine fits the needs it computes', () => {
    const { clientsPerProcess, clientsPerMachine } = capacityOf(
      simpleWorkload(SIMPLE),
      calibrationWith(),
      CONDITIONS_DEFAULT,
    );
    const at = (clients: number) =>
      sizeOf(simpleWorkload({ ...SIMPLE, clients }), calibrationWith(), CONDITIONS_DEFAULT);
    expect(at(clientsPerProcess).processes).toBe(1);
    expect(at(clientsPerProcess + 1).processes).toBe(2);
    expect(at(clientsPerMachine).cores).toBeLessThanOrEqual(8);
    expect(at(clientsPerMachine + 1).cores).toBeGreaterThan(8);
  });

  it('a longer delay is the best advice where writes cost the most', () => {
    const [best] = alternatives(simpleWorkload(SIMPLE), calibrationWith({ perRowMicros: 0.05 }), CONDITIONS_DEFAULT);
    expect(best!.setting).toBe('maxDelayMs 100');
    expect(best!.cpuSaved).toBeGreaterThan(0.3);
    expect(best!.p99SavedMs).toBeLessThan(0);
  });

  it('nothing is advised that costs more and saves nothing', () => {
    for (const { cpuSaved, memorySaved, p99SavedMs } of alternatives(
      simpleWorkload(SIMPLE),
      calibrationWith(),
      CONDITIONS_DEFAULT,
    )) {
      expect(Math.max(cpuSaved, memorySaved, p99SavedMs)).toBeGreaterThan(0);
    }
  });
});

describe('more load never needs less', () => {
  const RUNS = 60;

  function randomCoefficients(random: () => number): Coefficients {
    const entries = Object.entries(coefficients).map(([name, value]) => [name, value * 10 ** (2 * random() - 1)]);
    const scaled = Object.fromEntries(entries) as unknown as Coefficients;
    return { ...scaled, hotDelayShare: 0.5 + random(), hotLatencyMs: scaled.coldLatencyMs + scaled.hotLatencyMs };
  }

  /** Several groups with delays and homes of their own, several classes. */
  function randomWorkload(random: () => number): Workload {
    const within = (low: number, high: number): number => low * (high / low) ** random();
    const topics = Array.from(
      { length: 1 + Math.floor(random() * 3) },
      (_, index): TopicGroup => ({
        name: `g${index}`,
        count: Math.ceil(within(1, 5000)),
        ratePerSecond: within(0.01, 500),
        bytes: Math.ceil(within(10, 30_000)),
        home: random() < 0.5 ? 'hot' : 'cold',
        maxDelayMs: random() < 0.4 ? 'auto' : random() < 0.3 ? 0 : Math.ceil(within(1, 200)),
        burst: random() < 0.7 ? 1 : Math.ceil(within(1, 100)),
      }),
    );
    const clients = Array.from({ length: 1 + Math.floor(random() * 2) }, (_, index) => ({
      name: `c${index}`,
      clients: Math.ceil(within(1, 100_000)),
      topics: Object.fromEntries(topics.map(({ name, count }) => [name, Math.min(count, Math.ceil(within(1, 200)))])),
      json: random() < 0.3,
      reads: random() < 0.8,
    }));
    return { topics, clients, settings: { ...settings, tls: random() < 0.3 } };
  }

  type Raise = (workload: Workload, factor: number) => Workload;
  const onGroups = (change: (group: TopicGroup, factor: number) => Partial<TopicGroup>): Raise => {
    return (workload, factor) => ({
      ...workload,
      topics: workload.topics.map((each) => ({ ...each, ...change(each, factor) })),
    });
  };
  const RAISES: Record<string, Raise> = {
    clients: (workload, factor) => ({
      ...workload,
      clients: workload.clients.map((each) => ({ ...each, clients: each.clients * factor })),
    }),
    'topics per client': (workload, factor) => ({
      ...workload,
      clients: workload.clients.map((each) => ({
        ...each,
        topics: Object.fromEntries(Object.entries(each.topics).map(([name, count]) => [name, count * factor])),
      })),
    }),
    rate: onGroups(({ ratePerSecond }, factor) => ({ ratePerSecond: ratePerSecond * factor })),
    'the rate of one group': (workload, factor) => ({
      ...workload,
      topics: workload.topics.map((each, index) =>
        index === 0 ? { ...each, ratePerSecond: each.ratePerSecond * factor } : each,
      ),
    }),
    bytes: onGroups(({ bytes }, factor) => ({ bytes: bytes * factor })),
  };

  /** Rounding of sums in another order is no decrease. */
  const notBelow = (more: number, less: number): boolean => more === less || more >= less * (1 - 1e-9);

  it.each(Object.keys(RAISES))('raising %s', (name) => {
    for (let run = 0; run < RUNS; run++) {
      const random = seededRandom(1000 + run);
      const calibration = { coefficients: randomCoefficients(random) };
      const workload = randomWorkload(random);
      const more = RAISES[name](workload, 1 + random() ** 3 * 4);
      const before = sizeOf(workload, calibration, CONDITIONS_DEFAULT);
      const after = sizeOf(more, calibration, CONDITIONS_DEFAULT);
      for (const figure of ['processes', 'cores', 'cpu', 'memoryBytes', 'earlyMemoryBytes', 'kernelBytes'] as const) {
        expect(notBelow(after[figure], before[figure]), `${figure}, seed ${1000 + run}`).toBe(true);
      }
      for (const figure of ['outBytesPerSecond', 'inBytesPerSecond'] as const) {
        if (after.process === null) continue; // without a number of processes the feed is told for one
        expect(notBelow(after.network[figure], before.network[figure]), `${figure}, seed ${1000 + run}`).toBe(true);
      }
      // More processes have less to do each, and answer sooner: latency is compared for one and the same number of them.
      const fixed: Conditions = { ...CONDITIONS_DEFAULT, processes: 3 };
      const [sooner, later] = [workload, more].map(
        (each) => processNeeds(each, 1 / 3, calibration.coefficients, fixed).p99Ms,
      );
      expect(notBelow(later!, sooner!), `p99, seed ${1000 + run}`).toBe(true);
    }
  });
});
