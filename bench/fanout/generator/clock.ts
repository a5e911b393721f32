// The one clock of the load generator: milliseconds of the machine's monotonic clock, the same in every thread.

const [seconds, nanoseconds] = process.hrtime();
const offsetMs = seconds * 1e3 + nanoseconds / 1e6 - performance.now();

/** Hot path: milliseconds with a resolution below a microsecond. */
export function clockMs(): number {
  return performance.now() + offsetMs;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
