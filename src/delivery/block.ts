/** Block: connections that are sent to together: one turn, one sweep. Delivery has it in its queues like a consumer. */

import { jsonEncoder } from '../protocol/encoder-json.js';
import { Consumer, IS_BLOCK } from './consumer.js';
import { type GroupTransport, SEND_REFUSED, type Sink } from './sink.js';

/** Nothing is sent to a block itself. */
const NO_SINK: Sink = { send: () => SEND_REFUSED, sendEach: () => SEND_REFUSED, reply: () => {}, end: () => {} };

/** Writer and reader: the accept thread. Its rows in the subscription table are cohorts. */
export class Block extends Consumer {
  readonly transport: GroupTransport;
  /** In no order. */
  readonly connections: Consumer[] = [];
  /** What was published to its cohorts since its connections were looked at, the first of it when, and in which turn the last. */
  unsweptBytes = 0;
  unsweptSinceMs = 0;
  publishedInTurn = 0;
  /** Connections that its last flush has published to, at most. */
  reached = 0;

  constructor(slot: number, number: number, transport: GroupTransport) {
    super(slot, number, NO_SINK, jsonEncoder);
    this.transport = transport;
    this.flags = IS_BLOCK;
  }
}
