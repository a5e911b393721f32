// What is printed: every phase of every run as it ends, then the bars.

import type { Bar } from './bars.js';
import { type Machine, machineLines } from './machine.js';
import { type Percentiles, type Phase, type RunResult, type Spread, unannounced } from './results.js';

const NOT_MEASURED = '–';

/** Three significant digits, no exponent. */
export function number(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  if (value === 0) return '0';
  return String(+value.toPrecision(3));
}

function milliseconds(micros: number): string {
  return micros < 1000 ? `${number(micros)} µs` : `${number(micros / 1000)} ms`;
}

function latencyText(name: string, latency: Percentiles): string {
  const { p50Micros, p90Micros, p99Micros, p999Micros, maxMicros } = latency;
  const figures = [p50Micros, p90Micros, p99Micros, p999Micros, maxMicros].map(milliseconds).join(' / ');
  return `      ${name} latency p50/p90/p99/p99.9/max ${figures}`;
}

function verificationText(phase: Phase): string {
  const { verification: v, published } = phase;
  if (v.complete && v.expected === 0) return `${number(published)} published, nobody subscribed`;
  if (v.complete) return `all ${number(v.delivered)} delivered, in order`;
  if (phaseIsFine(phase)) return `${number(v.delivered)} of ${number(v.expected)} delivered, all others announced`;
  const parts = [`INCOMPLETE: ${number(v.delivered)} of ${number(v.expected)} delivered`];
  if (v.lost > 0) parts.push(`${number(v.lost)} lost`);
  if (v.doubled > 0) parts.push(`${number(v.doubled)} doubled`);
  if (v.reordered > 0) parts.push(`${number(v.reordered)} out of order`);
  if (v.corrupt > 0) parts.push(`${number(v.corrupt)} foreign or corrupt`);
  if (v.gapMessages > 0) parts.push(`${number(v.gapMessages)} announced as gaps`);
  return parts.join(', ');
}

/** Where more was offered than fits, messages may be skipped, if the server says so. */
function phaseIsFine({ verification: v, mayOverload }: Phase): boolean {
  return v.complete || (mayOverload === true && unannounced(v) + v.doubled + v.reordered + v.corrupt === 0);
}

function kernelText({ kernelSocketBytes, kernelSocketPeakBytes }: Phase): string {
  if (kernelSocketBytes === null || kernelSocketPeakBytes === null) return '';
  const [now, peak] = [kernelSocketBytes, kernelSocketPeakBytes].map((bytes) => number(bytes / 2 ** 20));
  return `, kernel sockets ${now} MiB (at most ${peak})`;
}

function sentText({ offered, published }: Phase): string {
  return offered === undefined || offered === published
    ? ''
    : `, ${number(published)} of ${number(offered)} messages could be sent`;
}

function phaseLines(name: string, phase: Phase): string[] {
  const { generator: g } = phase;
  const lines = [`    ${name}: ${verificationText(phase)}${sentText(phase)}`];
  const cpuMicros = phase.verification.delivered > 0 ? phase.cpuMicrosPerDelivery : undefined;
  const share = phase.serverSystemMicros / Math.max(1, phase.serverCpuMicros);
  const split = `${number(Math.round(share * 100))} % of it the kernel’s`;
  const perDelivery = cpuMicros === undefined ? '' : `CPU ${number(cpuMicros)} µs/delivery (${split}), `;
  const rate = phase.verification.expected > 0 ? `${number(phase.deliveriesPerSecond)} deliveries/s, ` : '';
  lines.push(
    `      ${rate}${perDelivery}` +
      `${number(phase.serverCpuPercent)} % of a core, RSS ${number(phase.rssBytes / 2 ** 20)} MiB${kernelText(phase)}`,
  );
  for (const [topicClass, latency] of Object.entries(phase.latency)) lines.push(latencyText(topicClass, latency));
  lines.push(
    `      generator: CPU ${number(g.cpuPercent)} %, reader busy ${number(g.readerBusyPercent)} %, ` +
      `${number(g.readsPerSecond)} reads/s, lag p99 ${number(g.readerLagP99Ms)} ms, ` +
      `publishes late p99 ${number(g.publisherLateP99Ms)} ms, max ${number(g.publisherLateMaxMs)} ms` +
      `${g.saturated ? '  ← SATURATED: latencies are partly its own' : ''}`,
  );
  return lines;
}

export function runLines(result: RunResult, runs: number): string[] {
  const run = runs > 1 ? `, run ${result.run + 1} of ${runs}` : '';
  const lines = [`  ${result.peer}, ${result.variant}${run}`];
  if (result.failed !== null) lines.push(`    FAILED: ${result.failed.split('\n')[0]}`);
  for (const [name, phase] of Object.entries(result.phases)) lines.push(...phaseLines(name, phase));
  for (const [name, value] of Object.entries(result.figures)) lines.push(`    ${name}: ${number(value)}`);
  for (const problem of result.problems) lines.push(`    PROBLEM: ${problem}`);
  return lines;
}

function spreadText(spread: Spread | null, unit: string): string {
  if (spread === null) return NOT_MEASURED;
  const range = spread.min === spread.max ? '' : ` (${number(spread.min)}–${number(spread.max)})`;
  return `${number(spread.median)}${range} ${unit}`;
}

function relationText(bar: Bar): string {
  if (bar.relation === null) return '';
  if (bar.relation.kind === 'ratio') return `${number(bar.relation.value)} ×`;
  return `${bar.relation.value < 0 ? '−' : '+'} ${number(Math.abs(bar.relation.value))} ${bar.unit}`;
}

function verdict({ met, value }: Bar): string {
  if (met !== null) return met ? 'met' : 'MISSED';
  return value === null ? 'not measured' : '';
}

function barCells(bar: Bar): string[] {
  return [
    bar.scenario,
    bar.label,
    spreadText(bar.value, bar.unit),
    bar.baseline === null ? '' : spreadText(bar.baseline, bar.unit),
    relationText(bar),
    bar.limit,
    verdict(bar),
  ];
}

const HEADINGS = ['scenario', 'figure', 'ringcast', 'baseline', 'relation', 'bar', ''];

export function barTable(bars: Bar[]): string[] {
  const rows = [HEADINGS, ...bars.map(barCells)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
}

export function markdownReport(machine: Machine, bars: Bar[], notes: string[]): string[] {
  const row = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  return [
    ...machineLines(machine).map((line) => `    ${line}`),
    '',
    row(HEADINGS),
    row(HEADINGS.map(() => '---')),
    ...bars.map((bar) => row(barCells(bar))),
    ...(notes.length > 0 ? ['', ...notes.map((note) => `- ${note}`)] : []),
  ];
}

/** What a reader of the table must know: runs that were incomplete, failed, or taken by a busy generator. */
export function notes(runs: readonly RunResult[]): string[] {
  const lines: string[] = [];
  for (const result of runs) {
    const where = `${result.scenario}, ${result.peer}, ${result.variant}, run ${result.run + 1}`;
    if (result.failed !== null) lines.push(`${where}: failed: ${result.failed.split('\n')[0]}`);
    for (const [name, phase] of Object.entries(result.phases)) {
      if (!phaseIsFine(phase)) lines.push(`${where}, ${name}: ${verificationText(phase)}`);
    }
    const saturated = Object.entries(result.phases).filter(([, phase]) => phase.generator.saturated);
    if (saturated.length > 0) {
      const names = saturated.map(([name]) => name).join(', ');
      lines.push(`${where}: the load generator was saturated in ${names}`);
    }
    for (const problem of result.problems.slice(0, 3)) lines.push(`${where}: ${problem}`);
  }
  return lines;
}
