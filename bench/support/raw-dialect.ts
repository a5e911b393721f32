// The dialect of baselines that have no protocol of their own: [u16 topic][payload] to the server, the bare payload back.

import type { Dialect, EventSink } from './peer.js';

/** Stands where a topic stands: this message is about subscriptions. */
export const RAW_CONTROL = 0xffff;
const CONTROL_ANSWER_BYTES = 4;

class RawDialect implements Dialect {
  readonly path = '/';
  readonly subprotocol = null;
  readonly framesShareMessages = false;

  subscribe(topics: readonly number[]): Uint8Array {
    return new Uint8Array(Uint16Array.of(RAW_CONTROL, ...topics).buffer);
  }

  open(): null {
    return null;
  }

  publishAcknowledged(): null {
    return null;
  }

  publishBytes(payloadBytes: number): number {
    return 2 + payloadBytes;
  }

  writePublishHead(bytes: Uint8Array, offset: number, topic: number): number {
    bytes[offset] = topic & 0xff;
    bytes[offset + 1] = topic >>> 8;
    return offset + 2;
  }

  read(connection: number, _bytes: Uint8Array, view: DataView, start: number, end: number, sink: EventSink): void {
    if (end - start === CONTROL_ANSWER_BYTES) sink.acknowledged(connection, view.getUint16(start + 2, true));
    else sink.payload(connection, start, end);
  }
}

export function createRawDialect(): Dialect {
  return new RawDialect();
}
