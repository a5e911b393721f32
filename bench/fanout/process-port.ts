// Messages between the main process and its two children, and the job of the load generator.

import type { ServerSample } from './generator/load.js';
import type { Outcome } from './results.js';
import type { Size } from './scenario.js';

export interface GeneratorJob {
  scenario: string;
  variant: string;
  peer: string;
  port: number;
  size: Size;
  /** Differs between runs: chooses the source addresses. */
  addressSalt: number;
}

export type ToServer = { type: 'sample'; collectGarbage: boolean } | { type: 'stop' };
export type ServerMessage = { type: 'ready'; port: number } | { type: 'sample'; sample: ServerSample };
export type ToGenerator = { type: 'sample'; sample: ServerSample };
export type GeneratorMessage =
  | { type: 'sample'; collectGarbage: boolean }
  | { type: 'outcome'; outcome: Outcome }
  | { type: 'failed'; error: string };
