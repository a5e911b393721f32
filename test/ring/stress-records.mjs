// The records of the two-thread tests, plain JavaScript because the worker loads it too. Both sides know the seed, so
// both know what record n must look like; a checksum over the payload's bytes catches what was torn.

/** A multiplicative hash of two numbers, 32 bits. */
function mix(seed, n) {
  let x = (seed ^ Math.imul(n + 1, 0x9e3779b1)) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

function payloadBytesOf(random, payloadMaxBytes) {
  // Mostly small, some empty, one in 512 up to the largest that fits.
  if (random % 512 === 0) return (random >>> 9) % (payloadMaxBytes + 1);
  return (random >>> 9) % 97;
}

/** Writer: the thread that made it. Makes the records 0, 1, 2 … of a seed. */
export class RecordSource {
  count = 0;
  /** The record that was aborted last. */
  #abortedCount = -1;
  #seed;
  #payloadMaxBytes;

  constructor(seed, payloadMaxBytes) {
    this.#seed = seed;
    this.#payloadMaxBytes = payloadMaxBytes;
  }

  /** Commits the next record; false when the ring is full. */
  write(writer) {
    const random = mix(this.#seed, this.count);
    const payloadBytes = payloadBytesOf(random, this.#payloadMaxBytes);
    const start = writer.tryClaim(payloadBytes);
    if (start < 0) return false;
    const bytes = writer.bytes;
    let checksum = random;
    for (let i = start, byte = random; i < start + payloadBytes; i++, byte += 41) {
      bytes[i] = byte;
      checksum = (Math.imul(checksum, 31) + (byte & 0xff)) | 0;
    }
    writer.writeHeader(random, random >>> 16, random, payloadBytes, this.count, checksum, this.count + 0.5);
    // Now and then a writer thinks better of it; the next try makes the same record.
    if (random % 64 === 7 && this.#abortedCount !== this.count) {
      this.#abortedCount = this.count;
      writer.abort();
      return this.write(writer);
    }
    writer.commit();
    this.count++;
    return true;
  }
}

/** Writer: the thread that made it. Checks that the records 0, 1, 2 … of a seed come, each once, whole and in order. */
export class RecordCheck {
  count = 0;
  #seed;
  #payloadMaxBytes;

  constructor(seed, payloadMaxBytes) {
    this.#seed = seed;
    this.#payloadMaxBytes = payloadMaxBytes;
  }

  read(reader) {
    const { bytes, payloadStart, payloadEnd } = reader;
    const random = mix(this.#seed, this.count);
    let checksum = random;
    for (let i = payloadStart; i < payloadEnd; i++) checksum = (Math.imul(checksum, 31) + bytes[i]) | 0;
    const right =
      reader.request === this.count &&
      reader.time === this.count + 0.5 &&
      reader.alias === random &&
      reader.type === (random & 0xffff) &&
      reader.flags === random >>> 16 &&
      reader.origin === payloadEnd - payloadStart &&
      payloadEnd - payloadStart === payloadBytesOf(random, this.#payloadMaxBytes) &&
      reader.aux === checksum >>> 0;
    if (!right) {
      const { type, flags, alias, origin, request, aux, time, position } = reader;
      const record = JSON.stringify({ type, flags, alias, origin, request, aux, time, position });
      throw new Error(`record ${this.count} was expected, not ${record}`);
    }
    this.count++;
  }
}

/** Keeps the thread busy. */
export function dawdle(us) {
  const end = performance.now() + us / 1000;
  while (performance.now() < end);
}
