/** Publish messages of JSON: text around the payload, made once per topic. */

/** What lies before and behind the payload of a publish message. */
export interface PublishFrame {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** Called before every message: writes what each has of its own into head and tail. Absent: nothing. Hot path. */
  readonly renew?: () => void;
}

/** Writer and reader: one thread. */
export class PublishFrames {
  readonly #make: (topic: number) => PublishFrame;
  readonly #frames: PublishFrame[] = [];

  constructor(make: (topic: number) => PublishFrame) {
    this.#make = make;
  }

  #of(topic: number): PublishFrame {
    this.#frames[topic] ??= this.#make(topic);
    return this.#frames[topic];
  }

  /** Hot path. */
  bytes(payloadBytes: number, topic: number): number {
    const { head, tail } = this.#of(topic);
    return head.length + payloadBytes + tail.length;
  }

  /** Hot path: all but the payload; returns where that starts. */
  write(bytes: Uint8Array, offset: number, topic: number, payloadBytes: number): number {
    const frame = this.#of(topic);
    frame.renew?.();
    bytes.set(frame.head, offset);
    const payload = offset + frame.head.length;
    bytes.set(frame.tail, payload + payloadBytes);
    return payload;
  }
}
