// Engines for tests: on a free port, closed after each test, and with every fault noticed.
import { afterEach } from 'vitest';
import { createEngine, type Engine, type EngineInput } from '#src/index.js';

const running: { engine: Engine; faults: unknown[]; areFaultsExpected: boolean }[] = [];

export interface StartedEngine {
  readonly engine: Engine;
  readonly url: string;
  /** What was emitted as 'fault'. */
  readonly faults: unknown[];
}

/** Limits small enough that a test can reach them; logs still hold two of the largest messages. */
export const SMALL_LOGS = {
  maxPayloadBytes: 64 * 1024,
  ringBytes: 1024 * 1024,
  hotLogBytes: 256 * 1024,
  coldLogMaxBytes: 256 * 1024,
  historyBytes: 64 * 1024,
} as const;

/** @param areFaultsExpected false: a 'fault' fails the test. */
export async function startEngine(input: EngineInput = {}, areFaultsExpected = false): Promise<StartedEngine> {
  const engine = createEngine({ port: 0, lanes: 1, shutdownTimeoutMs: 1000, maxConnections: 1000, ...input });
  const faults: unknown[] = [];
  engine.on('fault', (fault) => faults.push(fault));
  running.push({ engine, faults, areFaultsExpected });
  await engine.start();
  return { engine, url: engine.url, faults };
}

afterEach(async () => {
  const ended = running.splice(0);
  await Promise.all(ended.map(({ engine }) => engine.close()));
  for (const { faults, areFaultsExpected } of ended) {
    if (!areFaultsExpected && faults.length > 0) throw new Error('an engine had faults', { cause: faults[0] });
  }
});

/** Everything that must be zero when nobody is connected and nothing is under way. */
export function leftOvers(engine: Engine): Record<string, number> {
  const { connections, subscriptions, streams, readyConnections, waitingConnections, blockedConnections, pendingAcks } =
    engine.stats();
  const all = { connections, subscriptions, streams, readyConnections, waitingConnections, blockedConnections };
  return Object.fromEntries(Object.entries({ ...all, pendingAcks }).filter(([, value]) => value !== 0));
}
