/**
 * Durables: the named subscriptions of topics, and how far each has been processed. Who comes back under a name goes on there;
 * who is still there under it has to go. A position keeps its topic, so that what comes meanwhile has somewhere to be.
 */

import { Acking } from '../delivery/acking.js';
import type { Consumer } from '../delivery/consumer.js';
import type { Stream } from '../delivery/stream.js';
import { NONE } from '../delivery/subscription-table.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import type { TopicEntry } from '../directory/topic-entry.js';
import { RingcastError } from '../errors.js';
import type { Position, SubscribeOptions } from '../protocol/messages.js';
import type { StreamSpec } from '../variant/stream-spec.js';
import { beginOf, type Moment, planOf, readingOf, type Start } from './subscription-plan.js';

export interface DurablesOptions {
  /** Of all topics, and of one. */
  readonly maxDurables: number;
  readonly maxDurablesPerTopic: number;
  /** How long one is kept that nobody uses (ms). */
  readonly durableTtlMs: number;
  /** What a subscription may have unacknowledged: at most, and if it says nothing. */
  readonly maxUnacked: number;
}

type EndSubscription = (consumer: Consumer, entry: TopicEntry, stream: Stream) => void;

interface Durable {
  readonly address: string;
  /** The topic that it keeps. */
  entry: TopicEntry;
  /** Of the subscription, or the last one. */
  acking: Acking;
  /** Where that one began, until it has acknowledged something; null: as if it came for the first time. */
  before: Position | null;
  /** When a sweep found that nobody has it; NaN: somebody has. */
  unusedSinceMs: number;
}

/** What `sweep` looks at in one step. */
const DURABLES_PER_STEP = 500;

/** Writer and reader: the accept thread. */
export class Durables {
  readonly #options: DurablesOptions;
  readonly #topics: TopicDirectory;
  readonly #end: EndSubscription;
  readonly #byAddress = new Map<string, Durable>();
  readonly #countOfTopic = new Map<string, number>();
  #sweeping: Iterator<Durable> | null = null;

  /** @param end ends a subscription, and what else there is to that */
  constructor(options: DurablesOptions, topics: TopicDirectory, end: EndSubscription) {
    this.#options = options;
    this.#topics = topics;
    this.#end = end;
  }

  get count(): number {
    return this.#byAddress.size;
  }

  /**
   * Begins a subscription, durable or not. A durable one is its name's from then on: who had it so far is told.
   * Throws RingcastError: BAD_REQUEST, UNRECOVERABLE_POSITION, LIMIT_EXCEEDED; then nothing has changed.
   * @param subscribe makes it, and what this returns
   */
  begin<Subscription>(
    entry: TopicEntry,
    plain: StreamSpec,
    options: SubscribeOptions,
    now: Moment,
    subscribe: (start: Start) => Subscription,
  ): Subscription {
    const { durable: name, maxUnacked = this.#options.maxUnacked } = options;
    if (name === undefined && options.maxUnacked !== undefined)
      throw new RingcastError('BAD_REQUEST', 'maxUnacked goes with durable');
    if (name === undefined)
      return subscribe(beginOf(this.#topics, entry, planOf(entry, readingOf(entry, plain, options), options, now)));
    // A line feed is in no topic's name.
    const address = `${entry.spec.topic}\n${name}`;
    const known = this.#byAddress.get(address);
    this.#checkLimits(entry, known === undefined, maxUnacked);
    const position = known === undefined ? null : positionOf(known);
    const start = beginOf(
      this.#topics,
      entry,
      planOf(entry, readingOf(entry, plain, options), resumed(options, position), now),
    );
    const acking = new Acking(maxUnacked, ackedSeqOf(entry, start, position));
    const holder = known?.entry === entry ? known.acking.meter?.consumer : undefined;
    this.#take(known ?? this.#add(address, entry, acking), entry, acking, position);
    // First the new one: the stream must not be without subscribers in between.
    const subscription = subscribe({ ...start, options: { ...start.options, acking } });
    if (holder !== undefined) this.#endOther(entry, holder);
    return subscription;
  }

  #checkLimits({ spec: { topic } }: TopicEntry, isNew: boolean, unacked: number): void {
    const { maxDurables, maxDurablesPerTopic, maxUnacked } = this.#options;
    if (unacked > maxUnacked) throw tooMany('unacknowledged messages of a subscription', 'maxUnacked', maxUnacked);
    if (!isNew) return;
    if (this.count >= maxDurables) throw tooMany('durable subscriptions', 'maxDurables', maxDurables);
    if ((this.#countOfTopic.get(topic) ?? 0) >= maxDurablesPerTopic)
      throw tooMany('durable subscriptions of a topic', 'maxDurablesPerTopic', maxDurablesPerTopic);
  }

  #add(address: string, entry: TopicEntry, acking: Acking): Durable {
    const durable: Durable = { address, entry, acking, before: null, unusedSinceMs: Number.NaN };
    const { topic } = entry.spec;
    this.#byAddress.set(address, durable);
    this.#countOfTopic.set(topic, (this.#countOfTopic.get(topic) ?? 0) + 1);
    this.#topics.hold(entry);
    return durable;
  }

  #endOther(entry: TopicEntry, holder: Consumer): void {
    const stream = this.#topics.subscriptionOf(holder, entry);
    if (stream === undefined) return;
    const reason = 'another subscriber has come under the name of this durable subscription';
    holder.sink.reply(holder.encoder.revoked(entry.spec, 'CONFLICT', reason));
    this.#end(holder, entry, stream);
  }

  #take(durable: Durable, entry: TopicEntry, acking: Acking, before: Position | null): void {
    if (durable.entry !== entry) {
      this.#topics.hold(entry);
      this.#topics.release([durable.entry]);
      durable.entry = entry;
    }
    durable.acking = acking;
    durable.before = before;
    durable.unusedSinceMs = Number.NaN;
  }

  /** Forgets those that nobody has used for long, some of them. True: it has looked at all. Called once per second, and again until then. */
  sweep(nowMs: number): boolean {
    this.#sweeping ??= this.#byAddress.values();
    for (let left = DURABLES_PER_STEP; left > 0; left--) {
      const { value: durable, done } = this.#sweeping.next();
      if (done === true) {
        this.#sweeping = null;
        return true;
      }
      if (durable.acking.meter !== null) continue;
      if (Number.isNaN(durable.unusedSinceMs)) durable.unusedSinceMs = nowMs;
      else if (nowMs - durable.unusedSinceMs >= this.#options.durableTtlMs) this.#forget(durable);
    }
    return false;
  }

  #forget({ address, entry }: Durable): void {
    const { topic } = entry.spec;
    const others = (this.#countOfTopic.get(topic) as number) - 1;
    if (others > 0) this.#countOfTopic.set(topic, others);
    else this.#countOfTopic.delete(topic);
    this.#byAddress.delete(address);
    this.#topics.release([entry]);
  }
}

function positionOf({ acking, entry, before }: Durable): Position | null {
  return acking.ackedSeq === NONE ? before : { epoch: entry.spec.epoch, seq: acking.ackedSeq };
}

/** Where to begin is said for the first time only. */
function resumed(options: SubscribeOptions, position: Position | null): SubscribeOptions {
  if (position === null) return options;
  const { lastN, sinceTime, snapshot, ...others } = options;
  return { ...others, since: position };
}

/** What a subscriber has had before its first message; NONE: that is for it to say, when it has had the snapshot. */
function ackedSeqOf({ spec }: TopicEntry, { stream, seq }: Start, position: Position | null): number {
  if (position?.epoch === spec.epoch) return position.seq;
  return stream.options.successor === undefined ? seq : NONE;
}

function tooMany(what: string, key: string, limit: number): RingcastError {
  return new RingcastError('LIMIT_EXCEEDED', `no more than ${limit} ${what} (${key})`, { limit });
}
