/** Measures this machine: runs the operating points and fits what things cost. */

import { openFilesMax } from '../config/open-files.js';
import { parseConfig } from '../config.js';
import { CALIBRATION_FORMAT, type Calibration, thisMachine } from './calibration.js';
import { fitCoefficients, type MemoryObservation, type Observation } from './fit.js';
import { Interrupted } from './measure/children.js';
import { type Measurement, MeasuringSession } from './measure/session.js';
import {
  CPU_POINTS,
  filesNeeded,
  IDLE,
  JSON_MEMORY_POINT,
  JSON_POINTS,
  LARGE_POINTS,
  MEMORY_POINTS,
  OTHER_FILES,
  POINT_SERVER,
  type Point,
  TLS_MEMORY_POINT,
  TLS_POINTS,
  WARM_UP,
  withClientsUpTo,
} from './points.js';
import { SizingError } from './problems.js';
import type { WorkloadSettings } from './workload.js';

export interface CalibrationOptions {
  /** How often the points are gone through. */
  readonly rounds: number;
  /** Of each point (ms). */
  readonly settleMs: number;
  readonly measureMs: number;
  /** With too few file descriptors: fewer clients instead of an error. */
  readonly allowFewer: boolean;
  readonly signal: AbortSignal;
  /** Runs between the rounds and after the last one, while nothing is measured. */
  readonly afterRound?: () => Promise<void>;
  readonly progress: (done: number, total: number, what: string) => void;
}

export const CALIBRATION_TIMES = { settleMs: 600, measureMs: 1600 };
const MIN_CLIENTS = 200;
const LOAD_SATURATED = 0.95;
/** The feed's lateness, 99th percentile, above which this machine was busy with something else (ms). */
const FEED_LATE_MS = 5;

/** Settings of the engine as it comes. */
export function defaultSettings(): WorkloadSettings {
  const { historyMessages, historyBytes, hotLogBytes, hotLogFrames, coldLogMaxBytes, coldLogMaxFrames, ringBytes } =
    parseConfig();
  return {
    tls: false,
    historyMessages,
    historyBytes,
    hotLogBytes,
    hotLogFrames,
    coldLogMaxBytes,
    coldLogMaxFrames,
    ringBytes,
    lanes: 'auto',
  };
}

/** How many clients a point may have. Throws SizingError where that are too few. */
export function clientsAllowed(files: number, allowFewer: boolean): number {
  const needed = filesNeeded();
  if (files >= needed) return Number.POSITIVE_INFINITY;
  const clients = files - OTHER_FILES;
  if (allowFewer && clients >= MIN_CLIENTS) return clients;
  const least = allowFewer ? MIN_CLIENTS + OTHER_FILES : needed;
  const hint = allowFewer ? '' : ', or measure with fewer connections: --allow-fewer';
  throw new SizingError(
    `calibrating takes ${least} open files per process, the limit is ${files}; raise it (ulimit -n ${least})${hint}`,
  );
}

export function requireLinux(platform: string = process.platform): void {
  if (platform === 'linux') return;
  throw new SizingError(
    'calibrating reads /proc, so it needs Linux; take a calibration of a Linux machine: ringcast size --calibration <file>',
  );
}

/** Throws SizingError where this machine cannot be measured, Interrupted when the signal says so. */
export async function calibrate(options: CalibrationOptions): Promise<Calibration> {
  requireLinux();
  const limit = clientsAllowed(openFilesMax() ?? Number.POSITIVE_INFINITY, options.allowFewer);
  const remarks: string[] = [];
  const machine = thisMachine();
  if (limit !== Number.POSITIVE_INFINITY)
    remarks.push(`measured with at most ${limit} clients: too few file descriptors`);
  if (machine.cores === 1) {
    remarks.push('one core: server and load took turns on it, so latencies contain waiting for the core');
  }
  const run = new CalibrationRun(options, limit, remarks);
  try {
    const observations = await run.observe();
    return {
      kind: 'ringcast-calibration',
      format: CALIBRATION_FORMAT,
      date: new Date().toISOString(),
      machine,
      ...fitCoefficients({ ...observations, settings: defaultSettings() }),
      remarks: [...remarks, ...run.disturbance()],
    };
  } finally {
    await run.close();
  }
}

/** Writer and reader: `calibrate`. */
class CalibrationRun {
  readonly #options: CalibrationOptions;
  readonly #limit: number;
  readonly #remarks: string[];
  readonly #total: number;
  #done = 0;
  #lateCount = 0;
  #latestFeedMs = 0;
  #session: MeasuringSession | null = null;

  constructor(options: CalibrationOptions, limit: number, remarks: string[]) {
    this.#options = options;
    this.#limit = limit;
    this.#remarks = remarks;
    const points = [
      ...CPU_POINTS,
      ...LARGE_POINTS,
      ...JSON_POINTS,
      ...TLS_POINTS,
      ...MEMORY_POINTS,
      JSON_MEMORY_POINT,
      TLS_MEMORY_POINT,
      IDLE,
    ];
    this.#total = WARM_UP.length + options.rounds * points.length + 1;
  }

  async observe() {
    const idle: Measurement[] = [];
    const cpu: Observation[] = [];
    const large: Observation[] = [];
    const json: Observation[] = [];
    const tls: Observation[] = [];
    const memory: MemoryObservation[] = [];
    const jsonMemory: MemoryObservation[] = [];
    const tlsMemory: MemoryObservation[] = [];
    const startedBytes = [await this.#started(0)];
    const runRound = async (round: number): Promise<void> => {
      const session = await this.#start(1);
      startedBytes.push({ lanes: 1, rssBytes: session.startedRssBytes });
      if (round === 0) for (const point of WARM_UP) await this.#measure(session, point);
      idle.push((await this.#measure(session, IDLE)).measured);
      for (const point of CPU_POINTS) cpu.push(await this.#measure(session, point));
      for (const point of LARGE_POINTS) large.push(await this.#measure(session, point));
      for (const point of JSON_POINTS) json.push(await this.#measure(session, point));
      await this.close();
      const encrypted = await this.#start(1, true);
      for (const point of TLS_POINTS) tls.push(await this.#measure(encrypted, point));
      await this.close();
      tlsMemory.push(await this.#measureMemory(TLS_MEMORY_POINT, true));
      jsonMemory.push(await this.#measureMemory(JSON_MEMORY_POINT));
      for (const point of MEMORY_POINTS) memory.push(await this.#measureMemory(point));
      await this.#options.afterRound?.();
    };
    for (let round = 0; round < this.#options.rounds; round++) {
      try {
        await runRound(round);
      } catch (error) {
        // One whole round is enough for an answer.
        if (!(error instanceof Interrupted) || memory.length < MEMORY_POINTS.length) throw error;
        this.#remarks.push(`PARTIAL: interrupted in round ${round + 1} of ${this.#options.rounds}`);
        break;
      }
    }
    return { idle, cpu, large, json, tls, memory, jsonMemory, tlsMemory, startedBytes };
  }

  async close(): Promise<void> {
    await this.#session?.close();
    this.#session = null;
  }

  async #start(lanes: number, tls = false): Promise<MeasuringSession> {
    this.#session = await MeasuringSession.start({ ...POINT_SERVER, lanes, tls }, this.#options.signal);
    return this.#session;
  }

  async #started(lanes: number) {
    this.#step('a server without lanes');
    const { startedRssBytes } = await this.#start(lanes);
    await this.close();
    return { lanes, rssBytes: startedRssBytes };
  }

  async #measureMemory(point: Point, tls = false): Promise<MemoryObservation> {
    const session = await this.#start(1, tls);
    const observation = await this.#measure(session, point);
    await this.close();
    return { ...observation, uptimeSeconds: (this.#options.settleMs + this.#options.measureMs) / 1000 };
  }

  async #measure(session: MeasuringSession, given: Point): Promise<Observation> {
    this.#step(given.name);
    const point = withClientsUpTo(this.#limit, given);
    const { settleMs, measureMs } = this.#options;
    const measured = await session.measure({ ...point, settleMs, measureMs });
    for (const remark of remarksOn(measured)) this.#remarks.push(`${point.name}: ${remark}`);
    this.#latestFeedMs = Math.max(this.#latestFeedMs, measured.feedLateMs);
    if (measured.feedLateMs > FEED_LATE_MS) this.#lateCount++;
    return { point, measured };
  }

  /** Where other programs took the CPU: told once, not per point. */
  disturbance(): string[] {
    if (this.#lateCount === 0) return [];
    return [
      `messages left up to ${this.#latestFeedMs.toFixed(0)} ms late at ${this.#lateCount} points: ` +
        'this machine was busy with something else; calibrate again when it is quiet',
    ];
  }

  #step(what: string): void {
    this.#options.progress(this.#done++, this.#total, what);
  }
}

/** What makes a measurement doubtful. */
export function remarksOn(measured: Measurement): string[] {
  const remarks: string[] = [];
  if (measured.lost > 0) remarks.push(`${measured.lost} deliveries were lost`);
  if (measured.loadCpu > LOAD_SATURATED) remarks.push('the load process was at its limit');
  return [...remarks, ...measured.problems];
}
