// Topic: publishing one message, by the number of streams that it is encoded for.

import { pack } from 'msgpackr';
import { blankMessage } from '../../../dist/home/link.js';
import type { FrameLog } from '../../../dist/log/frame-log.js';
import { SharedLog } from '../../../dist/log/shared-log.js';
import { allocateSharedLog } from '../../../dist/log/shared-memory.js';
import { EventView } from '../../../dist/protocol/event.js';
import { Topic } from '../../../dist/topic/topic.js';
import { JSON_STREAM } from '../../../dist/variant/stream-spec.js';
import { type Group, type TimeBench, verify, type Work } from '../bench.js';
import { PAYLOADS, type PayloadName, VERSIONS, versionsOf } from './payloads.js';

/** The defaults of a hot topic's log. */
const LOG_SIZES = { dataBytes: 4 * 1024 * 1024, frames: 16_384 };
const TIME_MS = 1_700_000_000_000;
const SPEC = { alias: 77, topic: 'prices:AAPL', epoch: 'e', historyMessages: 100, historyBytes: 2 ** 20 };
const MASK = VERSIONS - 1;

const openLog = (): FrameLog => new SharedLog(allocateSharedLog(LOG_SIZES, 1));

function lastFrame(log: FrameLog): Uint8Array {
  const { head } = log;
  const frame = new Uint8Array(log.sliceBytes(head, head + 1));
  log.copy(head, head + 1, frame, 0);
  return frame;
}

/** 1 stream: MessagePack only; 2: a JSON subscriber is there as well. */
class Publishing implements Work {
  readonly #topic = new Topic(SPEC, openLog());
  readonly #payloads: Uint8Array[];
  readonly #message = { ...blankMessage(), timeMs: TIME_MS, monotonicMs: TIME_MS };
  #at = 0;

  constructor(payload: PayloadName, streams: 1 | 2) {
    this.#payloads = versionsOf((version) => new Uint8Array(pack(PAYLOADS[payload](version))));
    if (streams === 2) this.#topic.openStream(JSON_STREAM, openLog());
    this.#verifyOne(payload);
  }

  run(times: number): number {
    const { log } = this.#topic;
    const message = this.#message;
    const before = log.headSeq;
    let last = before;
    for (let time = 0; time < times; time++) {
      const payload = this.#payloads[this.#at];
      this.#at = (this.#at + 1) & MASK;
      message.bytes = payload;
      message.end = payload.length;
      last = this.#topic.publish(message, 0);
    }
    return this.#topic.derived.every((stream) => stream.log.headSeq === last) ? last - before : -1;
  }

  expected(times: number): number {
    return times;
  }

  #verifyOne(payload: PayloadName): void {
    this.run(2);
    const view = new EventView();
    const frame = lastFrame(this.#topic.log);
    verify(view.read(frame, 0, frame.length) && view.seq === 2 && view.time === TIME_MS, 'not the EVENT it should be');
    const bytes = frame.subarray(view.payloadStart, view.payloadEnd);
    verify(Buffer.compare(bytes, this.#payloads[1]) === 0, 'the payload is another one');
    const [json] = this.#topic.derived;
    if (json === undefined) return;
    const event = JSON.parse(Buffer.from(lastFrame(json.log)).toString()) as { seq: number; message: object };
    const wanted = JSON.stringify({ payload: PAYLOADS[payload](1) });
    verify(event.seq === 2 && JSON.stringify(event.message) === wanted, 'not the JSON event it should be');
  }
}

function publish(payload: PayloadName, streams: 1 | 2): TimeBench {
  return {
    ...{ kind: 'time', name: `publish/${payload}/streams=${streams}`, item: 'message', items: 1 },
    prepare: () => new Publishing(payload, streams),
  };
}

export const group: Group = {
  name: 'topic',
  title: 'publish one message: 1 stream is MessagePack, 2 are MessagePack and JSON',
  benches: [publish('quote', 1), publish('quote', 2), publish('book', 1), publish('book', 2)],
};
