// Results files made by a seeded generator: plausible, the same every time, and no recording of any machine.

import { LatencyHistogram } from '#src/load/latency-histogram.js';
import type { BenchResults, Phase, Run, SizingResults } from '../../../bench/report/results-file.js';
import { parseResults } from '../../../bench/report/results-file.js';
import type { Bar } from '../../../bench/support/bars.js';
import type { Series } from '../../../bench/support/results.js';
import { seededRandom } from '../../support/seeded.js';

const PEERS = ['uws-publish', 'ws', 'nats-server', 'ringcast'] as const;
type Peer = (typeof PEERS)[number];
const RUNS = 2;
const LOADS_PERCENT = [25, 50, 75, 90, 100, 110, 125, 150];
const CAPACITY: Record<Peer, number> = {
  ringcast: 740_000,
  'uws-publish': 660_000,
  'nats-server': 520_000,
  ws: 190_000,
};
const SLOWNESS: Record<Peer, number> = { ringcast: 1, 'uws-publish': 3, 'nats-server': 4, ws: 9 };

export const MACHINE = {
  cpu: 'Imaginary Processor 9000',
  cores: 8,
  memoryGiB: 32,
  system: 'Linux 6.1',
  node: 'v20.20.2',
  commit: '0123456789ab',
  command: 'npm run bench:fanout -- --runs 2 --json results.json --html report.html',
  date: '2026-11-21',
};

export class Fixture {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** A long tail: most values near the median, some far away. */
  histogram(medianMs: number, count = 4000): LatencyHistogram {
    const histogram = new LatencyHistogram();
    for (let n = 0; n < count; n++) histogram.record(medianMs * (0.4 + 0.6 / (1 - this.#random() * 0.9999) ** 0.35));
    return histogram;
  }

  #about(value: number): number {
    return value * (0.95 + 0.1 * this.#random());
  }

  phase(medianMs: number, cpuMicros: number, perSecond: number, topicClass = 'hot'): Phase {
    const histogram = this.histogram(medianMs);
    const delivered = perSecond * 6;
    return {
      seconds: 6,
      published: Math.round(delivered / 5000),
      deliveriesPerSecond: this.#about(perSecond),
      cpuMicrosPerDelivery: this.#about(cpuMicros),
      serverCpuMicros: cpuMicros * delivered,
      serverCpuPercent: (cpuMicros * perSecond) / 1e4,
      rssBytes: this.#about(150 * 2 ** 20),
      latency: { [topicClass]: { ...histogram.percentiles(), hdr: histogram.encode() } },
      verification: {
        complete: true,
        expected: delivered,
        delivered,
        lost: 0,
        doubled: 0,
        reordered: 0,
        corrupt: 0,
        gapMessages: 0,
      },
      generator: {
        cpuPercent: 60,
        readerBusyPercent: 55,
        readerLagP99Ms: 0.4,
        publisherLateP99Ms: 0.1,
        publisherLateMaxMs: 2,
        readsPerSecond: 90_000,
        saturated: false,
      },
    };
  }

  #run(scenario: string, variant: string, peer: string, run: number, rest: Partial<Run>): Run {
    return { scenario, variant, peer, run, failed: null, phases: {}, figures: {}, problems: [], ...rest };
  }

  #knee(peer: Peer, run: number): Run {
    const offered = LOADS_PERCENT.map((percent) => [percent, (CAPACITY[peer] * percent) / 100] as const);
    const x = { label: 'offered load', unit: '% of saturation' };
    const latency = (name: string, share: number): Series => ({
      x,
      y: { label: `${name} latency`, unit: 'ms', log: true },
      points: offered.map(([percent]) => [percent, this.#about(this.#queueing(percent, share) * SLOWNESS[peer])]),
    });
    const deliveries: Series = {
      x,
      y: { label: 'deliveries', unit: '/s' },
      points: offered.map(([percent, rate]) => [percent, this.#about(Math.min(rate, CAPACITY[peer]))]),
    };
    const phases = Object.fromEntries(
      LOADS_PERCENT.map((percent) => [
        `${percent} %`,
        this.phase(this.#queueing(percent, 1) * SLOWNESS[peer], SLOWNESS[peer], CAPACITY[peer]),
      ]),
    );
    return this.#run('knee', 'raised in steps', peer, run, {
      phases,
      series: {
        'deliveries by load': deliveries,
        'latency p50 by load': latency('p50', 1),
        'latency p99 by load': latency('p99', 6),
        'latency p99.9 by load': latency('p99.9', 14),
      },
    });
  }

  #queueing(percent: number, share: number): number {
    return percent < 100 ? (share * 0.3) / (1 - percent / 101) : share * 0.3 * (40 + (percent - 99) * 12);
  }

  #isolation(peer: Peer, run: number): Run {
    const x = { label: 'time', unit: 's' };
    const y = { label: 'p99 of cold topics', unit: 'ms', log: true };
    const over = (level: number): Series => ({
      x,
      y,
      points: Array.from({ length: 40 }, (_, n) => [n / 5, level * (0.7 + this.#random() * (n % 9 === 0 ? 2 : 0.6))]),
    });
    return this.#run('isolation', 'one hot topic', peer, run, {
      phases: {
        alone: this.phase(0.15, 14, 500, 'cold'),
        beside: this.phase(peer === 'ringcast' ? 0.3 : 6 * SLOWNESS[peer], 14, 500, 'cold'),
      },
      series: {
        'cold latency over time, alone': over(0.3),
        'cold latency over time, beside': over(peer === 'ringcast' ? 1.1 : 20 * SLOWNESS[peer]),
      },
    });
  }

  #saturation(peer: Peer, run: number): Run {
    const phases = { measured: this.phase(2 * SLOWNESS[peer], 1.2 * SLOWNESS[peer], CAPACITY[peer]) };
    return this.#run('saturation', 'closed loop', peer, run, { phases });
  }

  #sweeps(peer: Peer, run: number): Run[] {
    const connections = [1000, 2000, 5000, 10_000, 15_000];
    const rates = [100, 1000, 10_000, 100_000, 500_000];
    const memory: Series = {
      x: { label: 'connections', unit: '' },
      y: { label: 'RSS', unit: 'MiB' },
      points: connections.map((count) => [count, this.#about(60 + (count * SLOWNESS[peer]) / 900)]),
    };
    const cpu: Series = {
      x: { label: 'deliveries', unit: '/s', log: true },
      y: { label: 'server CPU', unit: '% of a core' },
      points: rates.map((rate) => [rate, this.#about(Math.min(180, 2 + rate * SLOWNESS[peer] * 1.3e-4))]),
    };
    const lag: Series = {
      x: { label: 'payload', unit: 'bytes', log: true },
      y: { label: 'CPU per delivery', unit: 'µs', log: true },
      points: [32, 256, 2048, 16_384, 65_536].map((bytes) => [bytes, this.#about(SLOWNESS[peer] + bytes / 4000)]),
    };
    return [
      this.#run('memory', 'idle', peer, run, {
        series: { 'memory by connections': memory },
        figures: { 'RSS per connection, bytes': this.#about(900 * SLOWNESS[peer]) },
      }),
      this.#run('coalescing', 'all rates', peer, run, { series: { 'CPU by rate': cpu } }),
      this.#run('payload', 'sizes', peer, run, { series: { 'CPU per delivery by payload': lag } }),
    ];
  }

  /** Runs that went wrong in every way that the report must tell of. */
  #spoil(runs: Run[]): void {
    const of = (scenario: string, peer: Peer) =>
      runs.filter((run) => run.scenario === scenario && run.peer === peer).map((run) => Object.values(run.phases));
    for (const [phase] of of('saturation', 'uws-publish')) phase!.generator.saturated = true;
    const [[incomplete]] = of('saturation', 'nats-server') as [[Phase]];
    Object.assign(incomplete.verification, {
      complete: false,
      lost: 1200,
      delivered: incomplete.verification.expected - 1200,
    });
    for (const run of runs.filter(({ scenario, peer }) => scenario === 'isolation' && peer === 'ws')) {
      Object.assign(run, { failed: 'the server ended: SIGSEGV\n  at nowhere', phases: {}, series: undefined });
    }
  }

  bench(): BenchResults {
    const runs: Run[] = [];
    for (let run = 0; run < RUNS; run++) {
      for (const peer of PEERS) {
        runs.push(this.#knee(peer, run), this.#isolation(peer, run), this.#saturation(peer, run));
        runs.push(...this.#sweeps(peer, run));
      }
    }
    this.#spoil(runs);
    return parse({
      machine: MACHINE,
      options: { smoke: false, runs: RUNS },
      partial: false,
      runs,
      bars: BARS,
      notes: ['a note'],
    });
  }
}

const parse = (content: object): BenchResults =>
  parseResults(JSON.parse(JSON.stringify(content)), 'results.json') as BenchResults;

const spread = (median: number) => ({ median, min: median * 0.9, max: median * 1.1 });
const common = { scenario: 'saturation', unit: 'µs', relation: null, baseline: null };

export const BARS: Bar[] = [
  {
    ...common,
    label: 'server CPU per delivery',
    value: spread(1.2),
    baseline: spread(3.6),
    relation: { kind: 'ratio', value: 1 / 3 },
    limit: '≤ 1 ×',
    met: true,
  },
  {
    ...common,
    label: 'p50, cold topic',
    value: spread(372),
    baseline: spread(306),
    relation: { kind: 'difference', value: 66 },
    limit: '≤ + 30 µs',
    met: false,
  },
  { ...common, scenario: 'ingest', label: 'accepted', unit: 'msg/s', value: null, limit: '≥ 400000 msg/s', met: null },
];

export const SIZING: SizingResults = parseResults(
  {
    machine: { ...MACHINE, command: 'npm run bench:sizing -- --json sizing.json' },
    kind: 'sizing',
    workloads: [
      {
        name: 'one hot topic',
        predicted: { 'CPU, % of a core': 55, 'RAM, MiB': 130 },
        measured: { 'CPU, % of a core': 50, 'RAM, MiB': 100 },
      },
      {
        name: 'watchlists',
        predicted: { 'CPU, % of a core': 81, 'RAM, MiB': 210, 'p99, ms': 7 },
        measured: { 'CPU, % of a core': 79, 'RAM, MiB': 220 },
      },
    ],
  },
  'sizing.json',
) as SizingResults;
