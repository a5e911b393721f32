// What a scenario is: variants (each one server start and one run of the driver), a driver, and the bars it is held to.

import type { Bar } from './bars.js';
import type { Companion } from './generator/companion.js';
import type { Load } from './generator/load.js';
import type { ServerOptions } from './peer.js';
import type { Results } from './results.js';

export const RINGCAST = 'ringcast';
/** The same, taking orders. */
export const RINGCAST_LANES = 'ringcast-lanes';
export const UWS = 'uws-publish';
export const WS = 'ws';

export interface Size {
  smoke: boolean;
  /** Length of a measured phase; null leaves it to the scenario. */
  seconds: number | null;
  /** Recorded market data, for scenarios that replay it. */
  recordingFile?: string;
}

export interface Variant {
  name: string;
  /** Peers this variant is for, by default and when named. */
  peers: readonly string[];
  peersOnRequest?: readonly string[];
  server: ServerOptions;
  /** The most connections that the driver opens, and its publishing ones. */
  connections: number;
  publishers: number;
  /** The same of the companion, where the scenario has one. */
  companion?: { connections: number; publishers: number };
  /** Connections are encrypted. */
  tls?: true;
}

export interface Scenario {
  readonly name: string;
  /** One line: what happens, with its numbers. */
  readonly title: string;
  variants(size: Size): Variant[];
  /** Why it cannot run here, where it needs something that not every machine has; null: it can. */
  unavailable?(size: Size): string | null;
  /** Runs in the load generator. Leaves phases and figures in load.outcome. */
  drive(load: Load, variant: Variant, size: Size, companion: Companion): Promise<void>;
  /**
   * Runs in a second load generator, which `drive` starts: traffic beside what is measured. `told` says that all is connected
   * and subscribed, and resolves when the traffic is wanted. Its phases must have names of their own.
   */
  companion?(load: Load, variant: Variant, size: Size, told: () => Promise<void>): Promise<void>;
  bars(results: Results): Bar[];
}

const SMOKE_SECONDS = 0.3;

export function secondsOf(size: Size, full: number): number {
  return size.smoke ? SMOKE_SECONDS : (size.seconds ?? full);
}
