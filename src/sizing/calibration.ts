/** Calibration: what things cost on one machine, as a value and as a JSON file. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { z } from 'zod';
import { type Problem, problemsIn } from './problems.js';

export const CALIBRATION_FORMAT = 2;

const cost = z.number().nonnegative();

/** Units are in the names; where each is measured is in bench/SIZING.md. */
const coefficientsSchema = z.strictObject({
  /** CPU time of the accept thread (µs). */
  perWriteMicros: cost,
  /** More, for a write to one of very many connections: it finds nothing of its own in the caches. */
  perFarWriteMicros: cost,
  perRowMicros: cost,
  perByteNanos: cost,
  /** More, of frames that are larger than a slice: of the accept thread, and of the collectors. */
  perLargeByteNanos: cost,
  helperLargeByteNanos: cost,
  perMessageMicros: cost,
  perWakeUpMicros: cost,
  /** For the first of the writes that follow one another. */
  perFanOutMicros: cost,
  perHotWakeUpMicros: cost,
  /** Part of a core that an idle server takes. */
  idleCpu: cost,
  /** CPU time of a lane (µs). */
  laneMessageMicros: cost,
  laneWakeUpMicros: cost,
  /** CPU time of compilers and garbage collectors, as a part of the accept thread's. */
  helperShare: cost,
  /** Each delivery to a JSON client, each message that is transcoded for them, and its payload. */
  jsonEventMicros: cost,
  jsonMessageMicros: cost,
  jsonByteNanos: cost,
  /** With TLS, of each write, and of what the feed sends at once. */
  tlsRecordMicros: cost,
  tlsByteNanos: cost,
  /** How long a thread is busy with what woke it: what comes meanwhile needs no wake-up of its own (ms). */
  wakeUpMs: z.number().positive(),
  /** What messages wait for company where `maxDelayMs` is 0, and beyond `maxDelayMs` where it is not (ms). */
  undelayedMs: cost,
  delaySlackMs: cost,
  /** Part of `maxDelayMs` for which messages of a lane are really collected. */
  hotDelayShare: z.number().positive().max(2),
  /** From publishing to delivery with nothing else going on, 99th percentile (ms). */
  coldLatencyMs: cost,
  hotLatencyMs: cost,
  /** Memory of the process (bytes). */
  processBytes: cost,
  laneBytes: cost,
  /** More, where there are JSON clients. */
  jsonProcessBytes: cost,
  connectionBytes: cost,
  /** More, with TLS. */
  tlsConnectionBytes: cost,
  subscriptionBytes: cost,
  topicBytes: cost,
  /** Memory of the kernel: sockets and what belongs to them (bytes). */
  kernelConnectionBytes: cost,
});

const machineSchema = z.strictObject({
  cpu: z.string(),
  cores: z.int().positive(),
  memoryBytes: z.number().positive(),
  system: z.string(),
  node: z.string(),
  ringcast: z.string(),
});

const calibrationSchema = z.strictObject({
  kind: z.literal('ringcast-calibration'),
  format: z.literal(CALIBRATION_FORMAT),
  date: z.string(),
  machine: machineSchema,
  coefficients: coefficientsSchema,
  /** How uncertain each of them is, in its own unit: standard error or half the range of the repetitions. */
  spreads: z.record(z.string(), z.number()),
  /** Root mean square of how far the fitted CPU is off the measured, as a part of it. */
  fitResidual: z.number(),
  /** What could not be measured as it should have been. */
  remarks: z.array(z.string()),
});

export type Coefficients = Readonly<z.output<typeof coefficientsSchema>>;
export type CoefficientName = keyof Coefficients;
export type CalibratedMachine = Readonly<z.output<typeof machineSchema>>;
export type Calibration = Readonly<z.output<typeof calibrationSchema>>;

export function thisMachine(): CalibratedMachine {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    node: process.version,
    ringcast: version,
  };
}

export function calibrationText(calibration: Calibration): string {
  return `${JSON.stringify(calibration, null, 2)}\n`;
}

/** Throws SizingError that names the file and what is wrong with it. */
export function parseCalibration(text: string, path: string): Calibration {
  const fail = (problems: Problem[]) => problemsIn(path, problems);
  const whole = (message: string) => fail([{ line: null, field: '', message }]);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw whole(`is not JSON: ${(error as Error).message}`);
  }
  const kind = (value as { kind?: unknown } | null)?.kind;
  if (kind !== 'ringcast-calibration') throw whole('is no calibration; make one with ringcast size --save <file>');
  const format = (value as { format?: unknown }).format;
  if (format !== CALIBRATION_FORMAT) {
    throw whole(`has format ${JSON.stringify(format)}, this version reads ${CALIBRATION_FORMAT}; calibrate again`);
  }
  const parsed = calibrationSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw fail(
    parsed.error.issues.map(({ path: key, message }) => ({
      line: null,
      field: key.join('.'),
      message: message.replace(/^Invalid input: /, ''),
    })),
  );
}

/** What differs between the machine that was calibrated and this one. Empty: nothing that matters. */
export function calibrationWarnings(calibrated: CalibratedMachine, here: CalibratedMachine): string[] {
  const warnings: string[] = [];
  const differs = (what: string, there: unknown, now: unknown): void => {
    if (there !== now) warnings.push(`the calibration is of ${what} ${there}, this is ${now}`);
  };
  differs('the CPU', calibrated.cpu, here.cpu);
  differs('a machine with this number of cores:', calibrated.cores, here.cores);
  differs('Node.js', calibrated.node, here.node);
  differs('ringcast', calibrated.ringcast, here.ringcast);
  differs('the system', calibrated.system, here.system);
  return warnings;
}
