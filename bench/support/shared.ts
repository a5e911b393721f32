// What several scenarios have in common: payload size, figures picked from a run, a seeded choice.

import { sleep } from '../../dist/load/clock.js';
import { type Bar, completeBar, ratioBar } from './bars.js';
import type { Load, Schedule } from './generator/load.js';
import type { Percentiles, Results, RunResult } from './results.js';
import { RINGCAST, type Size, secondsOf, UWS } from './scenario.js';

export const PAYLOAD_BYTES = 64;
export const MEASURED = 'measured';

export function cpuPerDelivery(run: RunResult): number | undefined {
  return run.phases[MEASURED]?.cpuMicrosPerDelivery;
}

/** CPU per delivery against uws-publish, and all delivered. */
export function cpuBars(results: Results, scenario: string, variant: string, ratioMax: number): Bar[] {
  const value = results.spread(scenario, variant, RINGCAST, cpuPerDelivery);
  const baseline = results.spread(scenario, variant, UWS, cpuPerDelivery);
  const incomplete = (peer: string): number | null => results.incomplete(scenario, variant, peer);
  return [
    ratioBar({ scenario, label: 'server CPU per delivery', unit: 'µs', value }, baseline, ratioMax),
    completeBar(scenario, 'all delivered', incomplete(RINGCAST), incomplete(UWS)),
  ];
}

export function latencyOf(phase: string, topicClass: 'hot' | 'cold', figure: keyof Percentiles, unitMicros = 1) {
  return (run: RunResult): number | undefined => {
    const latency = run.phases[phase]?.latency[topicClass];
    return latency === undefined ? undefined : latency[figure] / unitMicros;
  };
}

export const range = (start: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => start + index);

/** Mulberry32: a small seeded generator of numbers in 0 … 1. */
export function seededRandom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Loads a phase of that name for so long. */
type Brisk = (name: string, seconds: number) => Promise<unknown>;

/**
 * Warm-up of scenarios in which a server does little: first with thousands of messages, until the code has been compiled, then at
 * the scenario's own rate until the garbage of the start has been collected (V8 does that some 8 s later). Without it a phase of
 * some seconds measures the start of a JavaScript process. All peers alike; verified like every phase.
 */
export async function warmUp(load: Load, size: Size, brisk: Brisk, own: Schedule): Promise<void> {
  // Whatever --seconds says: a shorter warm-up would be none.
  const fixed = { ...size, seconds: null };
  await brisk('brisk warm-up', secondsOf(fixed, 3));
  load.warmedUp('brisk warm-up');
  await load.schedules('warm-up', secondsOf(fixed, 10), [own]);
  load.warmedUp('warm-up');
}

/**
 * RSS after garbage collection, and after V8 has given the room for young objects back: that takes it some 10 s with little to do,
 * and is up to 32 MiB that have nothing to do with how many connections there are. The same for all peers.
 */
export async function settledRssBytes(load: Load, size: Size): Promise<number> {
  await sleep(size.smoke ? 10 : 14_000);
  await load.sampleServer(true);
  await sleep(size.smoke ? 10 : 300);
  return (await load.sampleServer(true)).rssBytes;
}
