// Delivery with everything around it replaced: the event loop, the transports, and topics that append where they stand.

import type { Consumer } from '#src/delivery/consumer.js';
import { Delivery } from '#src/delivery/delivery.js';
import type { SubscriptionOptions } from '#src/delivery/rows.js';
import { policyNumber } from '#src/delivery/slow-consumer.js';
import type { Stream, StreamOptions } from '#src/delivery/stream.js';
import { DELAY_OF_STREAM } from '#src/delivery/subscription-table.js';
import type { FrameLog } from '#src/log/frame-log.js';
import { PlainLog } from '#src/log/plain-log.js';
import { SharedLog } from '#src/log/shared-log.js';
import { allocateSharedLog } from '#src/log/shared-memory.js';
import { jsonEncoder } from '#src/protocol/encoder-json.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import type { ServerMessage } from '#src/protocol/messages.js';
import { encode } from '#src/protocol/msgpack.js';
import { Topic } from '#src/topic/topic.js';
import { CANONICAL, JSON_STREAM } from '#src/variant/stream-spec.js';
import { FakeScheduler } from '../support/fake-scheduler.js';
import { FakeSink } from '../support/fake-sink.js';
import { outgoing } from '../support/outgoing.js';

export interface LabStreamOptions extends Partial<StreamOptions> {
  /** A shared log of these sizes, whose writer the test can let run ahead of the reader. */
  readonly shared?: { dataBytes: number; frames: number };
  readonly firstSeq?: number;
}

const NO_LIMITS = {
  dataBytes: 2 ** 22,
  frames: 2 ** 13,
  retainMs: 3_600_000,
  historyMessages: 8000,
  historyBytes: 2 ** 22,
};

/** A topic whose home is the test, with the streams that delivery knows. */
export class LabTopic {
  readonly topic: Topic;
  readonly stream: Stream;
  readonly jsonStream: Stream;
  readonly #lab: DeliveryLab;

  constructor(lab: DeliveryLab, alias: number, { shared, firstSeq = 1, ...options }: LabStreamOptions) {
    this.#lab = lab;
    const name = options.topic ?? `topic-${alias}`;
    const spec = { alias, topic: name, epoch: 'e', historyMessages: 100, historyBytes: 2 ** 20 };
    const makeLog = (): [FrameLog, FrameLog] => {
      if (shared === undefined) {
        const log = new PlainLog(NO_LIMITS, firstSeq);
        return [log, log];
      }
      const memory = allocateSharedLog(shared, firstSeq);
      return [new SharedLog(memory), new SharedLog(memory)];
    };
    const [writer, reader] = makeLog();
    const [jsonWriter, jsonReader] = makeLog();
    this.topic = new Topic(spec, writer);
    this.topic.openStream(JSON_STREAM, jsonWriter);
    const common = {
      alias,
      topic: name,
      isHot: false,
      maxDelayMs: 0,
      maxLagMessages: 0,
      maxLagMs: 0,
      ...options,
    };
    this.stream = lab.delivery.addStream({ ...common, spec: CANONICAL, log: reader });
    this.jsonStream = lab.delivery.addStream({ ...common, spec: JSON_STREAM, log: jsonReader });
  }

  /** Appends without a word to delivery, as a lane does that has not reported yet. */
  append(value: unknown, origin = 0): number {
    return this.#append(encode(value), origin);
  }

  #append(payload: Uint8Array, origin = 0): number {
    const monotonicMs = this.#lab.scheduler.nowMs();
    return this.topic.publish(outgoing(payload, { monotonicMs, origin }), 0);
  }

  report(): void {
    this.stream.log.refresh();
    this.jsonStream.log.refresh();
    this.#lab.delivery.headMoved(this.stream);
    this.#lab.delivery.headMoved(this.jsonStream);
  }

  publish(value: unknown, origin = 0): number {
    const seq = this.append(value, origin);
    this.report();
    return seq;
  }

  /** Values that come out as EVENT frames of exactly this many bytes. */
  publishBytes(frameBytes: number): number {
    const payload = new Uint8Array(frameBytes - 21).fill(0xc0);
    const bodyBytes = payload.length - 5;
    payload[0] = 0xc6;
    new DataView(payload.buffer).setUint32(1, bodyBytes);
    const seq = this.#append(payload);
    this.report();
    return seq;
  }
}

export class LabConsumer {
  readonly sink = new FakeSink();
  readonly consumer: Consumer;
  readonly #lab: DeliveryLab;

  constructor(lab: DeliveryLab, isText: boolean) {
    this.#lab = lab;
    this.consumer = lab.delivery.addConsumer(this.sink, isText ? jsonEncoder : msgpackEncoder);
    this.sink.onEnd = () => this.close();
  }

  subscribe(topic: LabTopic, options: Partial<SubscriptionOptions> = {}): this {
    const stream = this.consumer.encoder.isText ? topic.jsonStream : topic.stream;
    this.#lab.delivery.subscribe(this.consumer, stream, {
      cursor: stream.log.headSeq + 1,
      policy: policyNumber('drop_oldest'),
      delayMs: DELAY_OF_STREAM,
      ...options,
    });
    return this;
  }

  unsubscribe(topic: LabTopic): boolean {
    const stream = this.consumer.encoder.isText ? topic.jsonStream : topic.stream;
    return this.#lab.delivery.unsubscribe(this.consumer, stream);
  }

  close(): void {
    this.#lab.delivery.removeConsumer(this.consumer);
  }

  /** The frames since the last call, in short: `1:5` is event 5 of alias 1, `1:gap 2-4 lapped` a gap. */
  take(): string[] {
    return this.sink.take().map(shortForm);
  }

  /** The same, message by message. */
  takeMessages(): string[][] {
    return this.sink.takeMessages().map((frames) => frames.map(shortForm));
  }

  takeJson(): string[] {
    return this.sink.takeJson().map((message) => {
      const { type, topic, seq, from_seq: fromSeq, to_seq: toSeq, reason } = message;
      return type === 'gap' ? `${topic}:gap ${fromSeq}-${toSeq} ${reason}` : `${topic}:${seq}`;
    });
  }
}

function shortForm(frame: ServerMessage): string {
  if (frame.type === 'event') return `${frame.alias}:${frame.seq}`;
  if (frame.type === 'gap') return `${frame.alias}:gap ${frame.fromSeq}-${frame.toSeq} ${frame.reason}`;
  return frame.type;
}

export class DeliveryLab {
  readonly scheduler = new FakeScheduler();
  readonly delivery: Delivery;
  readonly faults: unknown[] = [];
  /** Streams that have lost their last subscription. */
  readonly unused: Stream[] = [];
  #lastAlias = 0;

  constructor(budgetMs = 0.5) {
    this.delivery = new Delivery({ budgetMs }, this.scheduler, {
      beforeTurn: () => {},
      onFault: (fault) => this.faults.push(fault),
      onStreamUnused: (stream) => this.unused.push(stream),
      snapshotFor: () => {
        throw new Error('a lab has no snapshots');
      },
    });
  }

  topic(options: LabStreamOptions = {}): LabTopic {
    return new LabTopic(this, ++this.#lastAlias, options);
  }

  consumer(isText = false): LabConsumer {
    return new LabConsumer(this, isText);
  }

  settle(): number {
    return this.scheduler.settle();
  }
}
