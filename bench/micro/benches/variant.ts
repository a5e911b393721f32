// Derived streams that look into payloads: a filter, a projection; by themselves, and as a lane makes their frames.

import { pack } from 'msgpackr';
import { blankMessage } from '../../../dist/home/link.js';
import { SharedLog } from '../../../dist/log/shared-log.js';
import { allocateSharedLog } from '../../../dist/log/shared-memory.js';
import { EventView, eventTail } from '../../../dist/protocol/event.js';
import { decode } from '../../../dist/protocol/msgpack.js';
import { type KeySpec, stateLogSizes } from '../../../dist/topic/key-table.js';
import { Topic } from '../../../dist/topic/topic.js';
import { FieldScan } from '../../../dist/variant/field-scan.js';
import { compileFilter, type Filter } from '../../../dist/variant/filter.js';
import { CANONICAL, STATE, type ViewWishes, viewSpec } from '../../../dist/variant/stream-spec.js';
import { type Group, type TimeBench, verify, type Work } from '../bench.js';
import { VERSIONS, versionsOf } from './payloads.js';

/** The defaults of a hot topic's log. */
const LOG_SIZES = { dataBytes: 4 * 1024 * 1024, frames: 16_384 };
const TIME_MS = 1_700_000_000_000;
const SPEC = { alias: 77, topic: 'prices:AAPL', epoch: 'e', historyMessages: 100, historyBytes: 2 ** 20 };
const MASK = VERSIONS - 1;

const FILTER = `price > 100 && symbol == 'AAPL'`;
/** As the gateway has them: sorted. */
const FIELDS = ['ask', 'bid'];

/** A tick of four fields, half of which the filter lets through. */
const tick = (version: number): object => {
  const price = version % 4 === 2 ? 99.5 : 100.25 + version;
  return { symbol: version % 4 === 3 ? 'MSFT' : 'AAPL', price, size: 300, venue: 'XNAS' };
};
const isWanted = (version: number): boolean => version % 4 < 2;

/** Twenty fields: about 240 bytes of MessagePack. */
const wide = (version: number): object => {
  const others = Array.from({ length: 16 }, (_, field) => [
    `field${field}`,
    field % 2 === 0 ? version + field / 4 : 'text',
  ]);
  return {
    symbol: 'AAPL',
    bid: 180 + version / 8,
    ...Object.fromEntries(others),
    ask: 180.5 + version / 8,
    venue: 'XNAS',
  };
};

const encoded = (make: (version: number) => object): Uint8Array[] =>
  versionsOf((version) => new Uint8Array(pack(make(version))));

/** Looks into one payload, and evaluates a filter so many times. Counts right answers. */
class Filtering implements Work {
  readonly #payloads = encoded(tick);
  readonly #isWanted = versionsOf(isWanted);
  readonly #filter: Filter = compileFilter(FILTER);
  readonly #scan = new FieldScan(this.#filter.paths);
  readonly #evaluations: number;
  #at = 0;

  constructor(evaluations: number) {
    this.#evaluations = evaluations;
  }

  run(times: number): number {
    let right = 0;
    for (let time = 0; time < times; time++) {
      const payload = this.#payloads[this.#at];
      const wanted = this.#isWanted[this.#at];
      this.#at = (this.#at + 1) & MASK;
      this.#scan.scan(payload, 0, payload.length);
      for (let each = 0; each < this.#evaluations; each++) if (this.#filter.matches(this.#scan) === wanted) right++;
    }
    return right;
  }

  expected(times: number): number {
    return times * this.#evaluations;
  }
}

const KEYS = 1024;
const KEYED: KeySpec = {
  field: null,
  isSingle: false,
  onMissing: 'refuse',
  maxKeys: 10_000,
  onFull: 'refuse',
  ttlMs: 0,
  merges: false,
};

/** A keyed topic, without streams but its state: a message to each key in turn. */
class Keeping implements Work {
  readonly #topic: Topic;
  readonly #payloads = encoded(tick);
  readonly #tails = Array.from({ length: KEYS }, (_, key) => eventTail({ key: `symbol-${key}` }));
  readonly #message = { ...blankMessage(), timeMs: TIME_MS, monotonicMs: TIME_MS, tailElements: 1 };
  #at = 0;

  constructor(merges: boolean) {
    const keys = { ...KEYED, merges };
    this.#topic = new Topic({ ...SPEC, keys }, openLog());
    this.#topic.openStream(STATE, new SharedLog(allocateSharedLog(stateLogSizes(keys), 1)));
    this.run(3 * KEYS);
    const { seq, parts } = this.#topic.snapshot(CANONICAL, TIME_MS);
    verify(seq === 3 * KEYS && parts.length > 1, 'not the snapshot it should be');
  }

  run(times: number): number {
    const message = this.#message;
    const before = this.#topic.log.headSeq;
    for (let time = 0; time < times; time++) {
      const payload = this.#payloads[this.#at & MASK];
      message.tail = this.#tails[this.#at];
      this.#at = (this.#at + 1) & (KEYS - 1);
      message.bytes = payload;
      message.end = payload.length;
      this.#topic.publish(message, 0);
    }
    return this.#topic.log.headSeq - before;
  }

  expected(times: number): number {
    return times;
  }
}

/** A topic with one stream beside the canonical one. */
class Deriving implements Work {
  readonly #topic = new Topic(SPEC, openLog());
  readonly #payloads: Uint8Array[];
  readonly #message = { ...blankMessage(), timeMs: TIME_MS, monotonicMs: TIME_MS };
  #at = 0;

  constructor(make: (version: number) => object, wishes: ViewWishes | null) {
    this.#payloads = encoded(make);
    if (wishes !== null) this.#topic.openStream(viewSpec(wishes), openLog());
    this.run(2);
    if (wishes?.fields !== undefined) this.#verifyFields(wishes.fields);
  }

  run(times: number): number {
    const message = this.#message;
    const before = this.#topic.log.headSeq;
    for (let time = 0; time < times; time++) {
      const payload = this.#payloads[this.#at];
      this.#at = (this.#at + 1) & MASK;
      message.bytes = payload;
      message.end = payload.length;
      this.#topic.publish(message, 0);
    }
    return this.#topic.log.headSeq - before;
  }

  expected(times: number): number {
    return times;
  }

  #verifyFields(fields: readonly string[]): void {
    const [{ log }] = this.#topic.derived;
    const view = new EventView();
    const frame = new Uint8Array(log.sliceBytes(log.head, log.head + 1));
    log.copy(log.head, log.head + 1, frame, 0);
    verify(view.read(frame, 0, frame.length) && view.seq === 2, 'not the EVENT it should be');
    const value = decode(frame, view.payloadStart, view.payloadEnd) as object;
    verify(Object.keys(value).join() === fields.join(), 'other fields than those that were asked for');
  }
}

function openLog(): SharedLog {
  return new SharedLog(allocateSharedLog(LOG_SIZES, 1));
}

function bench(name: string, item: string, items: number, prepare: () => Work, against?: string): TimeBench {
  return { kind: 'time', name, item, items, ...(against === undefined ? {} : { against }), prepare };
}

const EVALUATIONS = 16;

export const group: Group = {
  name: 'variant',
  title: `derived streams and keys: filter \`${FILTER}\`, projection of 2 of 20 fields: by themselves, and in a topic beside its canonical stream`,
  benches: [
    bench('filter/scan-and-match', 'evaluation', 1, () => new Filtering(1)),
    bench(`filter/match=${EVALUATIONS}`, 'evaluation', EVALUATIONS, () => new Filtering(EVALUATIONS)),
    bench('publish/tick', 'message', 1, () => new Deriving(tick, null)),
    bench('publish/tick/keyed', 'message', 1, () => new Keeping(false), 'publish/tick'),
    bench('publish/tick/merging', 'message', 1, () => new Keeping(true), 'publish/tick'),
    bench(
      'publish/tick/filter',
      'message',
      1,
      () => new Deriving(tick, { codec: 'msgpack', filter: FILTER }),
      'publish/tick',
    ),
    bench('publish/wide', 'message', 1, () => new Deriving(wide, null)),
    bench(
      'publish/wide/fields',
      'message',
      1,
      () => new Deriving(wide, { codec: 'msgpack', fields: FIELDS }),
      'publish/wide',
    ),
  ],
};
