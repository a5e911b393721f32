// A subscriber on a slow link: it reads all the time, so and so many bytes a second, and answers each ping when it comes to it.
import { RawPeer } from './raw-peer.js';

const STEPS_PER_S = 20;
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

export class SlowReader {
  bytes = 0;
  pongs = 0;
  readonly #peer: RawPeer;
  readonly #frames = new FrameSplitter();

  private constructor(peer: RawPeer) {
    this.#peer = peer;
  }

  /** Payloads may be anything. */
  static async join(url: string, topic: string, bytesPerS: number): Promise<SlowReader> {
    const peer = await RawPeer.upgraded(`${url}/${topic}`);
    const reader = new SlowReader(peer);
    const { socket } = peer;
    reader.#frames.read(peer.received);
    socket.removeAllListeners('data');
    socket.pause().on('readable', () => {}); // from here on it is read by the timer alone
    const timer = setInterval(() => reader.#step(bytesPerS / STEPS_PER_S), 1000 / STEPS_PER_S);
    socket.on('close', () => clearInterval(timer));
    return reader;
  }

  #step(bytes: number): void {
    const { socket } = this.#peer;
    const chunk = socket.read(Math.min(bytes, socket.readableLength)) as Buffer | null;
    if (chunk === null) return;
    this.bytes += chunk.length;
    for (let pings = this.#frames.read(chunk); pings > 0; pings--) {
      this.pongs++;
      socket.write(PONG);
    }
  }
}

/** Finds the frames of a server in its bytes, whole or in pieces. */
class FrameSplitter {
  #head = Buffer.alloc(0);
  /** Of the frame that is being read. */
  #missingBytes = 0;

  /** How many pings were in it. */
  read(chunk: Buffer): number {
    let pings = 0;
    for (let at = 0; at < chunk.length; ) {
      if (this.#missingBytes > 0) {
        const skipped = Math.min(this.#missingBytes, chunk.length - at);
        this.#missingBytes -= skipped;
        at += skipped;
        continue;
      }
      this.#head = Buffer.concat([this.#head, chunk.subarray(at, ++at)]);
      const length = payloadLength(this.#head);
      if (length === null) continue;
      if ((this.#head.readUInt8(0) & 0x0f) === 9) pings++;
      this.#missingBytes = length;
      this.#head = Buffer.alloc(0);
    }
    return pings;
  }
}

/** Null: the head is not complete yet. */
function payloadLength(head: Buffer): number | null {
  if (head.length < 2) return null;
  const short = head.readUInt8(1);
  if (short < 126) return short;
  if (short === 126) return head.length < 4 ? null : head.readUInt16BE(2);
  return head.length < 10 ? null : Number(head.readBigUInt64BE(2));
}
