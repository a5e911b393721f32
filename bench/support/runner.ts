// One run: one server process, one load generator process (or two), one result.

import type { ChildProcess } from 'node:child_process';
import { certificate } from './certificate.js';
import { endChild, startChild } from './children.js';
import { generate, tell } from './generators.js';
import type { ServerOptions } from './peer.js';
import type { GeneratorJob, ServerMessage } from './process-port.js';
import type { Outcome, RunResult } from './results.js';
import type { Scenario, Size, Variant } from './scenario.js';
import { ALONE, type Turn } from './turns.js';

const RUN_MAX_MS = 180_000;
const START_MAX_MS = 15_000;
const NO_OUTCOME: Outcome = { phases: {}, figures: {}, problems: [] };

export interface RunPlan {
  suite: string;
  scenario: Scenario;
  variant: Variant;
  peer: string;
  run: number;
  size: Size;
  addressSalt: number;
  profile: 'server' | 'generator' | null;
  /** When the machine is this run's, in what the scenario does in turn. Absent: always. */
  turn?: Turn;
}

/** What the server is started with. */
export function serverOptionsOf({ server, tls }: Variant): ServerOptions {
  return tls ? { ...server, tls: certificate() } : server;
}

const profileFlags = (plan: RunPlan, part: 'server' | 'generator'): string[] =>
  plan.profile === part ? ['--cpu-prof', '--cpu-prof-dir', 'bench/results'] : [];

export async function runOnce(plan: RunPlan): Promise<RunResult> {
  const { scenario, variant, peer, run } = plan;
  const result = { scenario: scenario.name, variant: variant.name, peer, run };
  const serverFlags = ['--expose-gc', ...profileFlags(plan, 'server')];
  const generatorFlags = profileFlags(plan, 'generator');
  const server = startChild('./server-process.js', [peer, JSON.stringify(serverOptionsOf(variant))], serverFlags);
  try {
    const port = await within(START_MAX_MS, 'the server did not start', serverReady(server));
    const outcome = await within(
      RUN_MAX_MS,
      'the run took too long',
      generate(jobOf(plan, port), server, generatorFlags, plan.turn ?? ALONE),
    );
    return { ...result, ...outcome, failed: null };
  } catch (error) {
    return { ...result, ...NO_OUTCOME, failed: error instanceof Error ? error.message : String(error) };
  } finally {
    await endChild(server, () => tell(server, { type: 'stop' }));
  }
}

function countsOf({ connections, companion }: Variant): GeneratorJob['counts'] {
  return companion === undefined ? { connections } : { connections, companion };
}

const jobOf = (plan: RunPlan, port: number): GeneratorJob => ({
  part: 'load generator',
  suite: plan.suite,
  scenario: plan.scenario.name,
  variant: plan.variant.name,
  peer: plan.peer,
  port,
  size: plan.size,
  counts: countsOf(plan.variant),
  certFile: plan.variant.tls ? certificate().certFile : null,
  addressSalt: plan.addressSalt,
});

function serverReady(server: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('exit', (code, signal) => reject(new Error(`the server ended: ${code ?? signal}`)));
    server.once('message', (message: ServerMessage) => {
      if (message.type === 'ready') resolve(message.port);
    });
  });
}

async function within<T>(ms: number, problem: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${problem} (${ms / 1000} s)`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
