// The raw numbers: every phase of every run, as it was measured.

import type { Dataset, SourcedRun } from '../dataset.js';
import { figure, plural } from '../format.js';
import { type Html, html } from '../html.js';
import type { Phase } from '../results-file.js';
import { type Column, details, table } from '../table.js';
import { completeness } from '../warnings.js';

const numeric = (...titles: string[]): Column[] => titles.map((title) => ({ title, isNumber: true }));

const RUN: Column[] = [{ title: 'server' }, { title: 'variant' }, { title: 'run', isNumber: true }, { title: 'phase' }];

const runCells = (dataset: Dataset, run: SourcedRun): string[] => [
  dataset.labelOf(run),
  run.variant,
  String(run.run + 1),
];

function eachPhase(runs: readonly SourcedRun[], rowsOf: (run: SourcedRun, name: string, phase: Phase) => string[][]) {
  return runs.flatMap((run) => Object.entries(run.phases).flatMap(([name, phase]) => rowsOf(run, name, phase)));
}

function latencies(dataset: Dataset, runs: readonly SourcedRun[]): Html {
  const rows = eachPhase(runs, (run, name, phase) =>
    Object.entries(phase.latency).map(([topicClass, latency]) => {
      const { p50Micros, p90Micros, p99Micros, p999Micros, maxMicros } = latency;
      const values = [p50Micros, p90Micros, p99Micros, p999Micros, maxMicros].map((micros) => figure(micros / 1000));
      return [...runCells(dataset, run), name, topicClass, figure(latency.count), ...values];
    }),
  );
  const columns = [...RUN, { title: 'topics' }, ...numeric('deliveries', 'p50', 'p90', 'p99', 'p99.9', 'max')];
  return table('Latency, ms', columns, rows);
}

function server(dataset: Dataset, runs: readonly SourcedRun[]): Html {
  const rows = eachPhase(runs, (run, name, phase) => [
    [
      ...runCells(dataset, run),
      name,
      figure(phase.seconds),
      figure(phase.published),
      figure(phase.deliveriesPerSecond),
      figure(phase.cpuMicrosPerDelivery),
      figure(phase.serverCpuPercent),
      figure(((phase.serverSystemMicros ?? Number.NaN) / phase.serverCpuMicros) * 100),
      figure(phase.rssBytes / 2 ** 20),
      figure((phase.kernelSocketPeakBytes ?? Number.NaN) / 2 ** 20),
    ],
  ]);
  const titles = [
    's',
    'published',
    'deliveries/s',
    'CPU µs/delivery',
    'CPU % of a core',
    'of it kernel %',
    'RSS MiB',
    'kernel sockets MiB, at most',
  ];
  return table('Server', [...RUN, ...numeric(...titles)], rows);
}

const VERIFIED: [string, (verification: Phase['verification']) => number][] = [
  ['expected', (v) => v.expected],
  ['delivered', (v) => v.delivered],
  ['lost', (v) => v.lost],
  ['doubled', (v) => v.doubled],
  ['out of order', (v) => v.reordered],
  ['foreign or corrupt', (v) => v.corrupt],
  ['announced as gaps', (v) => v.gapMessages],
];

function deliveries(dataset: Dataset, runs: readonly SourcedRun[]): Html {
  const rows = eachPhase(runs, (run, name, phase) => [
    [
      ...runCells(dataset, run),
      name,
      completeness(phase),
      ...VERIFIED.map(([, pick]) => figure(pick(phase.verification))),
    ],
  ]);
  const titles = [
    'expected',
    'delivered',
    'lost',
    'doubled',
    'out of order',
    'foreign or corrupt',
    'announced as gaps',
  ];
  return table('Verification of deliveries', [...RUN, { title: 'verdict' }, ...numeric(...titles)], rows);
}

function generator(dataset: Dataset, runs: readonly SourcedRun[]): Html {
  const rows = eachPhase(runs, (run, name, { generator: g }) => [
    [
      ...runCells(dataset, run),
      name,
      g.saturated ? 'SATURATED' : 'no',
      ...[
        g.cpuPercent,
        g.readerBusyPercent,
        g.readsPerSecond,
        g.readerLagP99Ms,
        g.publisherLateP99Ms,
        g.publisherLateMaxMs,
      ].map(figure),
    ],
  ]);
  const titles = ['CPU %', 'reader busy %', 'reads/s', 'lag p99 ms', 'publishes late p99 ms', 'late max ms'];
  return table('Load generator', [...RUN, { title: 'saturated' }, ...numeric(...titles)], rows);
}

function figures(dataset: Dataset, runs: readonly SourcedRun[]): Html | null {
  const rows = runs.flatMap((run) =>
    Object.entries(run.figures).map(([name, value]) => [name, ...runCells(dataset, run), figure(value)]),
  );
  if (rows.length === 0) return null;
  const columns: Column[] = [{ title: 'figure' }, ...RUN.slice(0, 3), ...numeric('value')];
  return table('Figures of the scenario', columns, rows);
}

function failed(dataset: Dataset, runs: readonly SourcedRun[]): Html | null {
  const rows = runs
    .filter((run) => run.failed !== null)
    .map((run) => [...runCells(dataset, run), run.failed!.split('\n')[0]]);
  return rows.length > 0 ? table('Failed runs', [...RUN.slice(0, 3), { title: 'why' }], rows) : null;
}

export function rawHtml(dataset: Dataset): Html {
  return html`<p>Every phase of every run, scenario by scenario. The results file has more: histograms and all settings.</p>
${dataset.scenarios.map((scenario) => {
  const all = dataset.runs.filter((run) => run.scenario === scenario);
  const runs = dataset.runsOf(scenario);
  const hasPhases = runs.some((run) => Object.keys(run.phases).length > 0);
  const ofPhases = hasPhases ? [server, latencies, deliveries, generator] : [];
  const parts = [failed(dataset, all), ...[...ofPhases, figures].map((part) => part(dataset, runs))];
  return details(html`<strong>${scenario}</strong>, ${plural(all.length, 'run')}`, parts);
})}`;
}
