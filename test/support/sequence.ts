// What every subscriber is promised: each message once, in order, or a gap that says exactly what is missing.
import type { Heard } from './wire.js';

/** Follows one subscription of one epoch. Throws at the first frame that breaks the promise. */
export class SequenceFollower {
  readonly topic: string;
  nextSeq: number;
  events = 0;
  lost = 0;
  gaps = 0;

  /** @param seq the one in the OK to SUBSCRIBE: the last message before the first that may come */
  constructor(topic: string, seq: number) {
    this.topic = topic;
    this.nextSeq = seq + 1;
  }

  follow(frame: Heard): void {
    if (frame.type === 'event') {
      if (frame.topic !== this.topic) return;
      if (frame.seq !== this.nextSeq) throw new Error(`${this.topic}: message ${frame.seq} instead of ${this.nextSeq}`);
      this.nextSeq++;
      this.events++;
    } else if (frame.type === 'gap') {
      if (frame.topic !== this.topic) return;
      const { fromSeq, toSeq } = frame;
      if (fromSeq !== this.nextSeq || toSeq < fromSeq) {
        throw new Error(`${this.topic}: gap ${fromSeq}–${toSeq} where ${this.nextSeq} was next`);
      }
      this.nextSeq = toSeq + 1;
      this.lost += toSeq - fromSeq + 1;
      this.gaps++;
    }
  }
}

/** Checks a whole record of what was heard about a topic. */
export function follow(topic: string, seq: number, heard: readonly Heard[]): SequenceFollower {
  const follower = new SequenceFollower(topic, seq);
  for (const frame of heard) follower.follow(frame);
  return follower;
}
