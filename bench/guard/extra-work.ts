// Copied into a slowed build: burns a stated time per delivered message. See slowed.ts. Imports nothing.

/** Nanoseconds per delivered message, by topic, as JSON; `*` is all other topics. */
const NANOS_VARIABLE = 'RINGCAST_SLOWED_NANOS';

const CALIBRATION_STEPS = 1_000_000;
const CALIBRATIONS = 12;

/** Keeps the compiler from leaving the work out. */
let residue = 1;

/** A chain of multiplications: each waits for the one before, so that a step takes the same time wherever it stands. */
function work(steps: number): void {
  let value = residue;
  for (let step = 0; step < steps; step++) value = Math.imul(value ^ step, 0x01000193);
  residue = value;
}

/** The shortest of several, the first of which are not compiled yet: others only ever make it longer. */
function nanosPerStep(): number {
  let shortestMs = Number.POSITIVE_INFINITY;
  for (let calibration = 0; calibration < CALIBRATIONS; calibration++) {
    const startMs = performance.now();
    work(CALIBRATION_STEPS);
    shortestMs = Math.min(shortestMs, performance.now() - startMs);
  }
  return (shortestMs * 1e6) / CALIBRATION_STEPS;
}

const nanosByTopic = JSON.parse(process.env[NANOS_VARIABLE] ?? '{}') as Record<string, number>;
const stepNanos = nanosPerStep();
const stepsOf = (nanos: number): number => nanos / stepNanos;
const otherSteps = stepsOf(nanosByTopic['*'] ?? 0);
const stepsByTopic = new Map(Object.entries(nanosByTopic).map(([topic, nanos]) => [topic, stepsOf(nanos)]));

/** Hot path, on purpose. */
export function extraWork(topic: string, messages: number): void {
  work(messages * (stepsByTopic.get(topic) ?? otherSteps));
}
