// The dialect of baselines that have no protocol of their own: [u32 topic][payload] to the server, the bare payload back.
// [u32 RAW_SUBSCRIBE or RAW_UNSUBSCRIBE][u32 topic]… is answered by [u32 the same][u32 count]. Little-endian.

import type { Dialect, EventSink, OpenConnection } from './peer.js';

/** Stand where a topic stands: this message is about subscriptions. */
export const RAW_SUBSCRIBE = 0xffffffff;
export const RAW_UNSUBSCRIBE = 0xfffffffe;
/** No payload is so short. */
const CONTROL_ANSWER_BYTES = 8;

class RawDialect implements Dialect {
  readonly path = '/';
  readonly subprotocol = null;

  subscribe(connection: OpenConnection, topics: readonly number[]): void {
    connection.send(control(RAW_SUBSCRIBE, topics));
  }

  unsubscribe(connection: OpenConnection, topics: readonly number[]): void {
    connection.send(control(RAW_UNSUBSCRIBE, topics));
  }

  publishBytes(payloadBytes: number): number {
    return 4 + payloadBytes;
  }

  writePublish(bytes: Uint8Array, offset: number, topic: number): number {
    bytes[offset] = topic & 0xff;
    bytes[offset + 1] = topic >>> 8;
    bytes[offset + 2] = topic >>> 16;
    bytes[offset + 3] = topic >>> 24;
    return offset + 4;
  }

  read(connection: number, _bytes: Uint8Array, view: DataView, start: number, end: number, sink: EventSink): void {
    if (end - start === CONTROL_ANSWER_BYTES) sink.acknowledged(connection, view.getUint32(start + 4, true));
    else sink.payload(connection, start, end);
  }
}

function control(kind: number, topics: readonly number[]): Uint8Array {
  const words = new Uint32Array(1 + topics.length);
  words[0] = kind;
  words.set(topics, 1);
  return new Uint8Array(words.buffer);
}

/** The answer to a message about subscriptions. */
export function controlAnswer(kind: number, count: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(kind, count).buffer);
}

export function createRawDialect(): Dialect {
  return new RawDialect();
}
