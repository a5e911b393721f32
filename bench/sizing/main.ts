// Is the size model right? Calibrates this machine, runs workloads on it, and holds the predictions against them. Rounds
// alternate between both, so that a change of the machine's mood meets all of it.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { CALIBRATION_TIMES, calibrate, remarksOn } from '../../dist/sizing/calibrate.js';
import type { Calibration } from '../../dist/sizing/calibration.js';
import { Interrupted } from '../../dist/sizing/measure/children.js';
import type { Measurement } from '../../dist/sizing/measure/session.js';
import { SizingError } from '../../dist/sizing/problems.js';
import { describeMachine, machineLines } from '../support/machine.js';
import { BARS, type Check, deviation, isWithin, measureWorkload, medianFigures, predict, type Times } from './check.js';
import { type CheckedWorkload, smaller, WORKLOADS } from './workloads.js';

const HELP = `npm run bench:sizing -- [options]    (about 9 minutes)

  --rounds n        how often calibration and workloads are gone through (default 2)
  --seconds n       measured time of each workload (default 6)
  --only text       only workloads whose name contains the text
  --smoke           a tenth of the clients, a second each: does it work?
  --json file       write predictions, measurements and the calibration
  --allow-fewer     with too few file descriptors: calibrate with fewer connections`;

/** The first seconds of a fresh process are spent compiling. */
const SETTLE_MS = 3000;

interface Options {
  rounds: number;
  times: Times;
  calibrationTimes: Times;
  workloads: readonly CheckedWorkload[];
  jsonFile: string | null;
  allowFewer: boolean;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1000))
    throw new SizingError(`--${name} must be a number above 0, at most 1000; got ${text}`);
  return value;
}

/** Null: help was asked for. */
function readOptions(args: string[]): Options | null {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '2' },
      seconds: { type: 'string', default: '6' },
      only: { type: 'string', default: '' },
      smoke: { type: 'boolean', default: false },
      json: { type: 'string' },
      'allow-fewer': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const chosen = WORKLOADS.filter(({ name }) => name.includes(values.only));
  if (chosen.length === 0) {
    throw new SizingError(`--only ${values.only}: there are ${WORKLOADS.map(({ name }) => `"${name}"`).join(', ')}`);
  }
  const { smoke } = values;
  return {
    rounds: smoke ? 1 : Math.ceil(positive('rounds', values.rounds)),
    times: smoke
      ? { settleMs: 300, measureMs: 700 }
      : { settleMs: SETTLE_MS, measureMs: 1000 * positive('seconds', values.seconds) },
    calibrationTimes: smoke ? { settleMs: 200, measureMs: 400 } : CALIBRATION_TIMES,
    workloads: smoke ? chosen.map(smaller) : chosen,
    jsonFile: values.json ?? null,
    allowFewer: values['allow-fewer'],
  };
}

/** What has been measured so far. */
class Measured {
  readonly byName = new Map<string, Measurement[]>();
  readonly notes: string[] = [];

  add(name: string, measurement: Measurement): void {
    const list = this.byName.get(name) ?? [];
    list.push(measurement);
    this.byName.set(name, list);
    for (const remark of remarksOn(measurement)) this.notes.push(`${name}: ${remark}`);
  }
}

async function run(options: Options, measured: Measured, signal: AbortSignal): Promise<Calibration> {
  const bar = new SingleBar({
    format: '{bar} {value}/{total} {what}',
    barsize: 20,
    clearOnComplete: true,
    gracefulExit: false,
  });
  const isShown = process.stdout.isTTY;
  let extra = 0;
  const show = (done: number, total: number, what: string): void => {
    const all = total + options.rounds * options.workloads.length;
    if (!isShown) return;
    if (done === 0) bar.start(all, 0, { what });
    bar.update(done + extra, { what });
  };
  const runWorkloads = async (): Promise<void> => {
    for (const { name, workload } of options.workloads) {
      if (isShown) bar.update({ what: name });
      measured.add(name, await measureWorkload(workload, options.times, signal));
      extra++;
    }
  };
  try {
    const { rounds, allowFewer } = options;
    return await calibrate({
      ...options.calibrationTimes,
      rounds,
      allowFewer,
      signal,
      afterRound: runWorkloads,
      progress: show,
    });
  } finally {
    bar.stop();
  }
}

function checksOf(options: Options, measured: Measured, calibration: Calibration): Check[] {
  return options.workloads
    .filter(({ name }) => measured.byName.has(name))
    .map(({ name, workload }) => ({
      name,
      predicted: predict(workload, calibration, options.times),
      measured: medianFigures(measured.byName.get(name)!),
    }));
}

const shown = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en-US') : String(+value.toPrecision(3));

function tableOf(checks: readonly Check[]): string {
  const figures = ['CPU, % of a core', 'RAM, MiB', 'p99, ms', 'writes, 1/s'];
  const table = new Table({
    head: ['workload', ...figures.flatMap((figure) => [`${figure}: predicted`, 'measured', 'off']), 'bars'],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const check of checks) {
    const cells = figures.flatMap((figure) => {
      const off = Math.round(100 * deviation(check, figure));
      return [shown(check.predicted[figure]), shown(check.measured[figure]), `${off > 0 ? '+' : ''}${off} %`];
    });
    table.push([check.name, ...cells, isWithin(check) ? 'met' : 'MISSED']);
  }
  return table.toString();
}

async function main(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (options === null) {
    console.log(HELP);
    return 0;
  }
  const machine = describeMachine('sizing', args);
  console.log(machineLines(machine).join('\n'));
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  const measured = new Measured();
  const calibration = await run(options, measured, controller.signal);
  const checks = checksOf(options, measured, calibration);
  const notes = [...calibration.remarks, ...measured.notes];
  console.log(`\n${tableOf(checks)}`);
  const bars = Object.entries(BARS).map(([figure, bar]) => `${figure.split(',')[0]} within ${100 * bar} %`);
  console.log(
    `Bars: ${bars.join(', ')}. Medians of ${options.rounds} rounds. CPU is that of all threads; RAM is the process and the kernel's sockets.`,
  );
  for (const note of notes) console.log(`- ${note}`);
  if (options.jsonFile !== null) {
    const content = {
      machine,
      kind: 'sizing',
      partial: controller.signal.aborted,
      workloads: checks,
      notes,
      calibration,
    };
    writeFileSync(options.jsonFile, `${JSON.stringify(content, null, 2)}\n`);
  }
  const lost = [...measured.byName.values()].flat().reduce((sum, one) => sum + one.lost, 0);
  if (controller.signal.aborted) return 130;
  return lost > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Interrupted ? 'interrupted: nothing to compare yet' : (error as Error).message);
  process.exitCode = error instanceof Interrupted ? 130 : 2;
}
