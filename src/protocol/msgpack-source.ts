/** The bytes of a MessagePack value that skipValue() has found complete: whoever decodes them needs no bounds checks. */

const scratch = new DataView(new ArrayBuffer(8));

/** Owner: the decoder that extends it, for one value. */
export abstract class MsgpackSource {
  protected readonly bytes: Uint8Array;
  protected offset: number;

  /** A copy of memory that is shared: its writer goes on, and TextDecoder refuses it. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    const isOwn = bytes.buffer instanceof ArrayBuffer;
    this.bytes = isOwn ? bytes : bytes.slice(start, end);
    this.offset = isOwn ? start : 0;
  }

  /** A view. */
  protected take(lengthBytes: number): Uint8Array {
    const start = this.offset;
    this.offset = start + lengthBytes;
    return this.bytes.subarray(start, this.offset);
  }

  protected uint(lengthBytes: number): number {
    const bytes = this.bytes;
    const offset = this.offset;
    this.offset = offset + lengthBytes;
    if (lengthBytes === 1) return bytes[offset];
    const high = (bytes[offset] << 8) | bytes[offset + 1];
    return lengthBytes === 2 ? high : high * 0x1_0000 + ((bytes[offset + 2] << 8) | bytes[offset + 3]);
  }

  /** The body of a type from float32 (0xca) to int64 (0xd3). A bigint only where a number would not be exact. */
  protected numberOf(type: number): number | bigint {
    if (type >= 0xcc) {
      const lengthBytes = 1 << (type & 3);
      if (lengthBytes === 8) return this.#int64(type === 0xd3);
      const value = this.uint(lengthBytes);
      const unused = 32 - lengthBytes * 8;
      return type >= 0xd0 ? (value << unused) >> unused : value;
    }
    const lengthBytes = type === 0xca ? 4 : 8;
    const { bytes, offset } = this;
    for (let index = 0; index < lengthBytes; index++) scratch.setUint8(index, bytes[offset + index]);
    this.offset = offset + lengthBytes;
    return type === 0xca ? scratch.getFloat32(0) : scratch.getFloat64(0);
  }

  #int64(isSigned: boolean): number | bigint {
    scratch.setUint32(0, this.uint(4));
    scratch.setUint32(4, this.uint(4));
    const value = isSigned ? scratch.getBigInt64(0) : scratch.getBigUint64(0);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
}
