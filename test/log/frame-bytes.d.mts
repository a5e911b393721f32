// Types of frame-bytes.mjs.

export const HEAD_BYTES: number;

export class FrameMaker {
  constructor(frameMaxBytes: number);
  readonly bytes: Uint8Array;
  make(seq: number, frameBytes: number, salt?: number): void;
}

export function checkFrames(bytes: Uint8Array, end: number, fromSeq: number, untilSeq: number, salt?: number): void;
