/** Commands that outlive a connection: they connect again, later and later, and at random, so that many do not come at once. */
import { type Client, type ClosedInfo, RingcastError } from '../client/client.js';
import { ERROR_TABLE } from '../errors.js';
import { CommandFailure, describeFailure } from './failure.js';
import { connectToServer, type ServerOptions } from './server-options.js';

const DELAY_MIN_MS = 500;
const DELAY_MAX_MS = 30_000;

/** The connection has ended, and not because this command wanted it. */
export class ConnectionLost extends CommandFailure {
  readonly closeCode: number;
  /** What the server asked for when it announced its stop. */
  readonly reconnectDelayMs: number | null;

  constructor({ code, reason }: ClosedInfo, reconnectDelayMs: number | null = null) {
    super(`the connection was closed (${code})${reason === '' ? '' : `: ${reason}`}`);
    this.closeCode = code;
    this.reconnectDelayMs = reconnectDelayMs;
  }
}

export interface Reconnecting {
  readonly isWanted: boolean;
  readonly stop: AbortSignal;
  /** Told before each wait. */
  readonly onWait: (line: string) => void;
  readonly random?: () => number;
}

/**
 * Connects, and calls `use` with every connection until one of its promises resolves, or until `stop`. The first connection has
 * to succeed: who gave a wrong address learns it at once. `use` calls `settled` when the connection does what it is for.
 */
export async function withConnections(
  options: ServerOptions,
  { isWanted, stop, onWait, random = Math.random }: Reconnecting,
  use: (client: Client, settled: () => void) => Promise<void>,
): Promise<void> {
  let failures = 0;
  let isFirst = true;
  while (!stop.aborted) {
    try {
      await useOnce(options, stop, use, () => {
        failures = 0;
        isFirst = false;
      });
      return;
    } catch (error) {
      if (!isWanted || isFirst || !mayPass(error)) throw error;
      const delayMs = Math.round(waitMs(error, failures++, random()));
      onWait(`${describeFailure(error).replace(/\.$/, '')}; connects again in ${(delayMs / 1000).toFixed(1)} s`);
      await pause(delayMs, stop);
    }
  }
}

async function useOnce(
  options: ServerOptions,
  stop: AbortSignal,
  use: (client: Client, settled: () => void) => Promise<void>,
  settled: () => void,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    stop.addEventListener('abort', () => resolve(), { once: true });
  });
  const client = await connectToServer(options);
  try {
    await Promise.race([stopped, use(client, settled)]);
  } finally {
    await client.close();
  }
}

/** Doubled with each failure, and anywhere in the upper half of that. */
export function waitMs(error: unknown, failures: number, random: number): number {
  const asked = error instanceof ConnectionLost ? error.reconnectDelayMs : null;
  if (asked !== null && failures === 0) return Math.min(DELAY_MAX_MS, asked);
  return Math.min(DELAY_MAX_MS, DELAY_MIN_MS * 2 ** failures) * (0.5 + random / 2);
}

/** Whether the same may succeed later: what the table of errors says, and every end of a connection that is none of its. */
function mayPass(error: unknown): boolean {
  if (error instanceof ConnectionLost) {
    const entries = Object.values(ERROR_TABLE).filter(({ closeCode }) => closeCode === error.closeCode);
    return entries.length === 0 || entries.some(({ retry }) => retry);
  }
  if (error instanceof RingcastError) return ERROR_TABLE[error.code].retry;
  return error instanceof CommandFailure && error.cause instanceof RingcastError ? mayPass(error.cause) : false;
}

/** Waits, but not longer than until the signal. */
export function pause(durationMs: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    stop.addEventListener('abort', end);
  });
}
