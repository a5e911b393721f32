/** `ringcast size`: measures this machine, or takes a saved calibration, and says what a workload needs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { alternatives } from '../sizing/advice.js';
import { CALIBRATION_TIMES, calibrate, defaultSettings } from '../sizing/calibrate.js';
import {
  type Calibration,
  calibrationText,
  calibrationWarnings,
  parseCalibration,
  thisMachine,
} from '../sizing/calibration.js';
import { Interrupted } from '../sizing/measure/children.js';
import { capacityOf, sizeOf } from '../sizing/model.js';
import { SizingError } from '../sizing/problems.js';
import type { Workload } from '../sizing/workload.js';
import { parseWorkload } from '../sizing/workload-file.js';
import { CommandFailure } from './failure.js';
import { addSizeOptions, conditionsOf, type SizeOptions, workloadOf } from './size-options.js';
import { type Answer, renderAnswer, renderCalibration } from './size-report.js';

const HELP = `
A workload's topics have the same rate and size, and each client subscribes to a random choice of them; hot ones are in
lanes. For anything else describe groups of topics and classes of clients in a file:

  maxDelayMs = 20                         # or "auto"; a group may have its own
  [[topics]]
  name = "quotes"
  count = 2000
  rate = 5                                # messages per second and topic
  bytes = 180                             # of a payload
  hot = true                              # in lanes
  burst = 10                              # so many messages of a topic come at once (default: 1)
  [[clients]]
  name = "desks"
  count = 500
  topics = { quotes = 100 }               # topics per client, by group
  json = true                             # they speak ringcast.v1.json
  reads = false                           # they have stopped reading
  [settings]                              # as in the server's configuration
  historyMessages = 100
  tls = true

Without a workload the machine is only calibrated: ringcast size --save this-machine.json

How it computes, and what it leaves out: bench/SIZING.md in ringcast's repository.`;

export function sizeCommand(): Command {
  const command = new Command('size')
    .description('say what a workload needs: cores, memory, network, latency, and what breaks first')
    .addHelpText('after', HELP)
    .action(size);
  return addSizeOptions(command);
}

async function size(options: SizeOptions): Promise<void> {
  try {
    await answer(options);
  } catch (error) {
    if (error instanceof SizingError) throw new CommandFailure(error.message);
    if (error instanceof Interrupted)
      throw new CommandFailure('interrupted: the calibration is incomplete, nothing was saved');
    throw error;
  }
}

async function answer(options: SizeOptions): Promise<void> {
  // First what can be wrong, then what takes two minutes.
  const settings = defaultSettings();
  const readWorkload = (path: string): Workload => parseWorkload(readText(path, 'workload'), path, settings);
  const workload = workloadOf(options, readWorkload, settings);
  const conditions = conditionsOf(options);
  if (workload === null && options.calibration !== undefined) {
    throw new CommandFailure(
      'there is nothing to compute: give a workload, by --clients and so on or by --workload <file>',
    );
  }
  const calibration = await calibrationFor(options);
  if (options.save !== undefined) {
    writeFileSync(options.save, calibrationText(calibration));
    console.error(`ringcast: the calibration is in ${options.save}`);
  }
  if (workload === null) {
    process.stdout.write(options.json ? calibrationText(calibration) : renderCalibration(calibration));
    return;
  }
  const result: Answer = {
    workload,
    conditions,
    sizing: sizeOf(workload, calibration, conditions),
    alternatives: alternatives(workload, calibration, conditions),
    capacity: capacityOf(workload, calibration, conditions),
    calibration,
  };
  process.stdout.write(options.json ? `${JSON.stringify(result, withoutInfinity, 2)}\n` : renderAnswer(result));
}

/** JSON has no Infinity. */
function withoutInfinity(_key: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? null : value;
}

async function calibrationFor(options: SizeOptions): Promise<Calibration> {
  if (options.calibration === undefined) return measured(options);
  const calibration = parseCalibration(readText(options.calibration, 'calibration'), options.calibration);
  for (const warning of calibrationWarnings(calibration.machine, thisMachine())) console.error(`ringcast: ${warning}`);
  return calibration;
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandFailure(`cannot read the ${what}: ${(error as Error).message}`);
  }
}

/** Ctrl-C ends the processes of the measurement and then the command. */
async function measured({ allowFewer }: SizeOptions): Promise<Calibration> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort();
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  const bar = new SingleBar({
    stream: process.stderr,
    format: 'calibrating {bar} {percentage} % {what}',
    noTTYOutput: false,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 30,
    gracefulExit: false,
  });
  let isStarted = false;
  try {
    return await calibrate({
      ...CALIBRATION_TIMES,
      rounds: 1,
      allowFewer: allowFewer === true,
      signal: controller.signal,
      progress: (done, total, what) => {
        if (!isStarted && !process.stderr.isTTY) console.error('ringcast: measuring this machine, about two minutes');
        if (!isStarted) bar.start(total, 0, { what });
        isStarted = true;
        bar.update(done, { what });
      },
    });
  } finally {
    if (isStarted) bar.stop();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}
