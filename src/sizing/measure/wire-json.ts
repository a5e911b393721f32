/** `ringcast.v1.json` as clients read it whose feed publishes bytes: payloads come as base64. */
import type { ReceiveBuffer } from '../../load/connection.js';
import type { EventSink } from '../../load/dialect.js';
import { RingcastJsonDialect, type RingcastJsonOptions } from '../../load/ringcast-json-dialect.js';

const EVENT_START = Buffer.from('{"type":"event"');
const PAYLOAD_START = Buffer.from('"payload":"');

/** Writer and reader: one thread. */
export class Base64JsonDialect extends RingcastJsonDialect {
  readonly #buffer: ReceiveBuffer;

  constructor(options: Omit<RingcastJsonOptions, 'counting'>, buffer: ReceiveBuffer) {
    super({ ...options, counting: true });
    this.#buffer = buffer;
  }

  /** Hot path. The payload takes the place of the text that it came in, which is longer. */
  override read(
    connection: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    sink: EventSink,
  ): void {
    const whole = this.#buffer.bytes;
    if (whole.compare(EVENT_START, 0, EVENT_START.length, start, start + EVENT_START.length) !== 0) {
      super.read(connection, bytes, view, start, end, sink);
      return;
    }
    const payload = whole.indexOf(PAYLOAD_START, start) + PAYLOAD_START.length;
    const text = whole.toString('latin1', payload, whole.indexOf('"', payload));
    sink.payload(connection, payload, payload + whole.write(text, payload, 'base64'));
  }
}
