// Takes down single deliveries for a short time: who got a message of which topic, when it was sent, and when it arrived.

const RECORDS_MIN = 16_384;
/** More than any scenario's window yields; beyond it nothing is taken down, and `isFull` says so. */
const RECORDS_MAX = 4_194_304;

/** Writer: the tracker. Readers: scenarios, between reads of sockets. */
export class Recording {
  count = 0;
  readonly #stride: number;
  connections = new Uint32Array(RECORDS_MIN);
  topics = new Uint32Array(RECORDS_MIN);
  sentMs = new Float64Array(RECORDS_MIN);
  arrivedMs = new Float64Array(RECORDS_MIN);

  /** @param stride only every so-manieth connection is taken down: for windows that would yield too much */
  constructor(stride = 1) {
    this.#stride = stride;
  }

  get isFull(): boolean {
    return this.count === RECORDS_MAX;
  }

  /** Hot path: per delivery; allocates only to grow. */
  add(connection: number, topic: number, sentMs: number, arrivedMs: number): void {
    if (connection % this.#stride !== 0) return;
    const index = this.count;
    if (index === this.topics.length) {
      if (index === RECORDS_MAX) return;
      this.#grow();
    }
    this.connections[index] = connection;
    this.topics[index] = topic;
    this.sentMs[index] = sentMs;
    this.arrivedMs[index] = arrivedMs;
    this.count++;
  }

  #grow(): void {
    const length = this.count * 4;
    const { connections, topics, sentMs, arrivedMs } = this;
    this.connections = new Uint32Array(length);
    this.topics = new Uint32Array(length);
    this.sentMs = new Float64Array(length);
    this.arrivedMs = new Float64Array(length);
    this.connections.set(connections);
    this.topics.set(topics);
    this.sentMs.set(sentMs);
    this.arrivedMs.set(arrivedMs);
  }
}
