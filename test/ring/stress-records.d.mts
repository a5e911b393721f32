// Types of stress-records.mjs.

import type { RingReader, RingWriter } from '#src/ring/ring.js';

export class RecordSource {
  constructor(seed: number, payloadMaxBytes: number);
  count: number;
  write(writer: RingWriter): boolean;
}

export class RecordCheck {
  constructor(seed: number, payloadMaxBytes: number);
  count: number;
  read(reader: RingReader): void;
}

export function dawdle(us: number): void;
