// The frames of the log's tests, plain JavaScript because the writer's thread loads it too. A frame tells its seq, its
// length and a checksum, so that a reader can tell a whole frame from a torn one without knowing what was written.

/** seq f64 · length u32 · checksum u32. */
export const HEAD_BYTES = 16;

/** Writer: the thread that made it. Makes frames in one scratch buffer. */
export class FrameMaker {
  bytes;
  #view;

  constructor(frameMaxBytes) {
    this.bytes = new Uint8Array(frameMaxBytes);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Fills `bytes` with the frame of `seq`, `frameBytes` long; `salt` makes two frames of the same seq differ. */
  make(seq, frameBytes, salt = 0) {
    const view = this.#view;
    const bytes = this.bytes;
    let checksum = (frameBytes ^ salt) | 0;
    for (let i = HEAD_BYTES, byte = seq % 251; i < frameBytes; i++, byte += 41) {
      bytes[i] = byte;
      checksum = (Math.imul(checksum, 31) + (byte & 0xff)) | 0;
    }
    view.setFloat64(0, seq);
    view.setUint32(8, frameBytes);
    view.setInt32(12, checksum);
  }
}

/** Checks that `bytes[0, end)` holds the whole frames fromSeq … untilSeq − 1 and nothing else. Throws otherwise. */
export function checkFrames(bytes, end, fromSeq, untilSeq, salt = 0) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  for (let seq = fromSeq; seq < untilSeq; seq++) {
    if (offset + HEAD_BYTES > end) throw new Error(`frame ${seq}: the slice ends before it`);
    const foundSeq = view.getFloat64(offset);
    const frameBytes = view.getUint32(offset + 8);
    if (foundSeq !== seq) throw new Error(`frame ${seq}: found ${foundSeq} in its place`);
    if (frameBytes < HEAD_BYTES || offset + frameBytes > end) throw new Error(`frame ${seq}: ${frameBytes} bytes long`);
    let checksum = (frameBytes ^ salt) | 0;
    for (let i = offset + HEAD_BYTES; i < offset + frameBytes; i++) checksum = (Math.imul(checksum, 31) + bytes[i]) | 0;
    if (checksum !== view.getInt32(offset + 12)) throw new Error(`frame ${seq}: torn`);
    offset += frameBytes;
  }
  if (offset !== end) throw new Error(`${end - offset} bytes behind frame ${untilSeq - 1}`);
}
