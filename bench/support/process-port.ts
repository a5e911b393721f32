// Messages between the main process and its children, and the job of a load generator.

import type { ServerSample } from './generator/load.js';
import type { Order, OrderResult } from './orders.js';
import type { Outcome } from './results.js';
import type { Size, Variant } from './scenario.js';

export interface GeneratorJob {
  part: 'load generator' | 'companion';
  suite: string;
  scenario: string;
  variant: string;
  peer: string;
  port: number;
  size: Size;
  /** Connections of the variant, where the machine allows fewer open files than it wants. */
  counts: Partial<Pick<Variant, 'connections' | 'companion'>>;
  /** The server's certificate, when it speaks TLS. */
  certFile: string | null;
  /** Differs between runs and between generators: chooses the source addresses. */
  addressSalt: number;
}

export type ToServer = { type: 'sample'; collectGarbage: boolean } | { type: 'order'; order: Order } | { type: 'stop' };
export type ServerMessage =
  | { type: 'ready'; port: number }
  | { type: 'sample'; sample: ServerSample }
  | { type: 'obeyed'; result: OrderResult };

/**
 * Only the measuring process gives orders, one at a time. It asks for a companion, and is told that it is ready; `publish` starts the
 * companion's traffic. Beside others it asks for its turn, is told that it has it, and says when it is over.
 */
export type GeneratorMessage =
  | { type: 'sample'; collectGarbage: boolean }
  | { type: 'order'; order: Order }
  | { type: 'start-companion' }
  | { type: 'ready' }
  | { type: 'publish' }
  | { type: 'turn' }
  | { type: 'turn-over' }
  | { type: 'outcome'; outcome: Outcome }
  | { type: 'failed'; error: string };
export type ToGenerator =
  | { type: 'sample'; sample: ServerSample }
  | { type: 'obeyed'; result: OrderResult }
  | { type: 'ready' }
  | { type: 'publish' }
  | { type: 'turn' }
  | { type: 'outcome'; outcome: Outcome };
