/** What `ringcast load` prints when it is over: first whether everything arrived, then the figures. */
import type { Colors } from 'picocolors/types.js';
import { formatDurationMs, formatSizeBytes } from '../config.js';
import type { LoadJob } from '../load/job.js';
import { LatencyHistogram, type Percentiles } from '../load/latency-histogram.js';
import type { LoadResult, ProcessHealth } from '../load/result.js';
import { parseTopics } from '../load/topics.js';
import { printable } from './printable.js';

const PROBLEMS_SHOWN_MAX = 5;

export interface LoadReport {
  readonly job: LoadJob;
  readonly machines: number;
  readonly processes: number;
  readonly result: LoadResult;
  /** Why it is not the whole run; empty: it is. */
  readonly partial: readonly string[];
}

/** All that was published arrived, once, in order and undamaged, and nothing went wrong besides. */
export function isFlawless({ job, result, partial }: LoadReport): boolean {
  const isVerified = job.rate === 0 || result.verification.complete;
  return isVerified && partial.length === 0 && result.connectionsLost === 0;
}

export function jobLines({ job, machines, processes }: Pick<LoadReport, 'job' | 'machines' | 'processes'>): string[] {
  const topics = (parseTopics(job.topics) as readonly string[]).length;
  const where =
    machines === 1 ? plural(processes, 'process') : `${machines} machines × ${plural(processes, 'process')}`;
  const each = `${plural(job.topicsPerConnection, 'topic')} each`;
  const warmup = job.warmupMs === 0 ? '' : `, after ${formatDurationMs(job.warmupMs)} of warm-up`;
  const publishing =
    job.rate === 0
      ? 'nothing is published'
      : `${whole(job.rate)} msg/s of ${whole(job.payloadBytes)} bytes by ${plural(job.publishers, 'publisher')}${job.burst === 1 ? '' : `, ${job.burst} at once`}`;
  return [
    `${job.url}, protocol ${job.protocol}, ${where}`,
    `${plural(job.connections, 'connection')}, ${each} of ${whole(topics)}${job.choice === 'random' ? ` at random (seed ${job.seed})` : ''}`,
    `${publishing}, ${formatDurationMs(job.durationMs)}${warmup}`,
  ];
}

export function reportLines(report: LoadReport, colours: Colors): string[] {
  const { job, result, partial } = report;
  const lines = partial.map((why) =>
    row('PARTIAL', colours.red(`these are not the results of the whole run: ${printable(why)}`)),
  );
  if (job.rate > 0) lines.push(...verificationLines(report, colours));
  lines.push(...connectionLines(report, colours), ...problemLines(result, colours));
  lines.push(...figureLines(report), ...healthLines(result, colours));
  return lines;
}

function verificationLines({ result }: LoadReport, colours: Colors): string[] {
  const { complete, expected, delivered, lost, doubled, reordered, corrupt, gapMessages } = result.verification;
  if (complete) {
    const all = `all ${whole(expected)} deliveries arrived, once each, in order, undamaged`;
    return [row('verified', expected === 0 ? colours.yellow('nothing was expected') : colours.green(all))];
  }
  const announced = gapMessages > 0 ? ` (the server announced gaps of ${whole(gapMessages)})` : '';
  const wrong = [
    lost > 0 ? `${whole(lost)} lost${announced}` : '',
    doubled > 0 ? `${whole(doubled)} doubled` : '',
    reordered > 0 ? `${whole(reordered)} out of order` : '',
    corrupt > 0 ? `${whole(corrupt)} damaged or not ours` : '',
  ].filter((text) => text !== '');
  const of = `${whole(delivered)} of ${whole(expected)} deliveries`;
  return [
    row('verified', colours.red(`WRONG: ${[...wrong, of].join(', ')}. The figures are those of an incomplete run`)),
  ];
}

function connectionLines({ result }: LoadReport, colours: Colors): string[] {
  const { connections, connectionsWanted, connectionsLost, subscriptions } = result;
  const lines: string[] = [];
  if (connections < connectionsWanted) {
    const fewer = `${whole(connections)} instead of ${whole(connectionsWanted)}, with ${whole(subscriptions)} subscriptions`;
    lines.push(row('connections', colours.yellow(fewer)));
  }
  if (connectionsLost > 0) {
    lines.push(row('connections', colours.red(`${whole(connectionsLost)} were ended by the server`)));
  }
  return lines;
}

function problemLines({ problems }: LoadResult, colours: Colors): string[] {
  const lines = problems.slice(0, PROBLEMS_SHOWN_MAX).map((text) => row('problem', colours.yellow(printable(text))));
  const hidden = problems.length - PROBLEMS_SHOWN_MAX;
  return hidden > 0 ? [...lines, row('', `… and ${hidden} more`)] : lines;
}

function figureLines({ job, machines, result }: LoadReport): string[] {
  const { seconds, measured, scheduled, published } = result;
  const perSecond = (value: number): string => whole(value / Math.max(1e-3, seconds));
  const network = `${formatSizeBytes(Math.round(measured.readBytes / Math.max(1e-3, seconds)))}/s`;
  const messages = `${perSecond(measured.messages)} WebSocket messages/s`;
  const lines: string[] = [];
  if (job.rate > 0) {
    const late = published < scheduled ? `; ${whole(published)} of ${whole(scheduled)} that were due in all` : '';
    lines.push(
      row(
        'published',
        `${perSecond(measured.published)}/s, ${whole(measured.published)} in ${seconds.toFixed(1)} s${late}`,
      ),
    );
  }
  lines.push(row('delivered', `${perSecond(measured.delivered)}/s, ${messages}, ${network}`));
  if (job.rate === 0) return lines;
  const latency = LatencyHistogram.decode(result.latencyHdr).percentiles();
  lines.push(row('latency', latency.count === 0 ? 'none measured' : percentileText(latency)));
  if (machines > 1) {
    const part = Math.min(100, (100 * result.timed) / Math.max(1, measured.delivered));
    lines.push(
      row('', `of the ${part.toFixed(0)} % of deliveries whose publisher is on the same machine: clocks differ`),
    );
  }
  return lines;
}

function percentileText(latency: Percentiles): string {
  const { p50Micros, p90Micros, p99Micros, p999Micros, maxMicros } = latency;
  return `p50 ${time(p50Micros)}   p90 ${time(p90Micros)}   p99 ${time(p99Micros)}   p99.9 ${time(p999Micros)}   max ${time(maxMicros)}`;
}

function healthLines({ health }: LoadResult, colours: Colors): string[] {
  const worst = (pick: (process: ProcessHealth) => number): number => Math.max(...health.map(pick));
  const heldUp = worst(({ heldUpPercent }) => heldUpPercent);
  const lines = [
    row(
      'generator',
      `CPU ${percent(worst(({ cpuPercent }) => cpuPercent))}, reading ${percent(worst(({ readerBusyPercent }) => readerBusyPercent))}, timers late ${ms(worst(({ readerLagP99Ms }) => readerLagP99Ms))}, publishes late ${ms(worst(({ publishLateP99Ms }) => publishLateP99Ms))} (p99; of the busiest process)`,
    ),
  ];
  if (heldUp > 1) lines.push(row('', `the server did not take what was published ${percent(heldUp)} of the time`));
  for (const { name, saturated } of health) {
    if (saturated.length === 0) continue;
    const why = `SATURATED (${name}): ${saturated.join(', ')}. Latencies contain waiting in the load generator; use more --processes, another machine, or less load`;
    lines.push(row('', colours.red(printable(why))));
  }
  return lines;
}

function row(name: string, text: string): string {
  return `${name.padEnd(11)} ${text}`;
}

export function whole(value: number): string {
  const digits = value > 0 && value < 10 && !Number.isInteger(value) ? 1 : 0;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

export function time(micros: number): string {
  if (micros < 1000) return `${micros} µs`;
  if (micros < 1_000_000) return `${Number((micros / 1000).toPrecision(3))} ms`;
  return `${Number((micros / 1e6).toPrecision(3))} s`;
}

function percent(value: number): string {
  return `${value.toFixed(0)} %`;
}

function ms(value: number): string {
  return time(Math.round(value * 1000));
}

function plural(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? '' : noun.endsWith('s') ? 'es' : 's'}`;
}
