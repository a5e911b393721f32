// Waiting for conditions: tests never sleep and hope.

const POLL_MS = 5;
const DEADLINE_DEFAULT_MS = 10_000;

/** Resolves when `condition` is true; rejects at the deadline with what was waited for. */
export async function until(
  condition: () => boolean,
  what: string | (() => string) = () => condition.toString(),
  deadlineMs = DEADLINE_DEFAULT_MS,
): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > endMs) {
      throw new Error(`after ${deadlineMs} ms still not: ${typeof what === 'string' ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The promise's value, or a rejection when it takes too long. */
export async function within<T>(promise: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`after ${deadlineMs} ms still not: ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
