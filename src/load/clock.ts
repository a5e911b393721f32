/** The one clock of load generators: milliseconds of the machine's monotonic clock, the same in every thread and process. */
const CALIBRATIONS = 200;

/** performance.now() starts at another zero in every thread. A reading that was interrupted would be off by milliseconds,
 * so the closest pair of many counts. */
function monotonicOffsetMs(): number {
  let offsetMs = 0;
  let closestMs = Number.POSITIVE_INFINITY;
  for (let index = 0; index < CALIBRATIONS; index++) {
    const beforeMs = performance.now();
    const [seconds, nanoseconds] = process.hrtime();
    const afterMs = performance.now();
    if (afterMs - beforeMs >= closestMs) continue;
    closestMs = afterMs - beforeMs;
    offsetMs = seconds * 1e3 + nanoseconds / 1e6 - (beforeMs + afterMs) / 2;
  }
  return offsetMs;
}

const offsetMs = monotonicOffsetMs();

/** Hot path: milliseconds with a resolution below a microsecond. */
export function clockMs(): number {
  return performance.now() + offsetMs;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
