/** Subscription plan: where a subscription begins and how it is read, made of what is asked for and what its topic's rule says. */

import type { SubscriptionOptions } from '../delivery/rows.js';
import { policyNumber } from '../delivery/slow-consumer.js';
import type { LogReading, Stream } from '../delivery/stream.js';
import { DELAY_OF_STREAM } from '../delivery/subscription-table.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import type { Recovery, TopicEntry, TopicSettings } from '../directory/topic-entry.js';
import { RingcastError } from '../errors.js';
import type { ReadOptions, SubscribeOptions } from '../protocol/messages.js';
import type { TopicSpec } from '../topic/topic.js';
import { parsePath } from '../variant/field-scan.js';
import { compileFilter } from '../variant/filter.js';
import { isBook, isChained, needsBase, type StreamSpec, type ViewWishes, viewSpec } from '../variant/stream-spec.js';
import { bookOptionsOf, bookStreamOf, refuseBookOptions } from './book-wishes.js';
import { unrecoverable } from './refusals.js';

export interface SubscriptionPlan {
  readonly spec: StreamSpec;
  readonly reading: LogReading;
  readonly policy: number;
  /** DELAY_OF_STREAM or ms. */
  readonly delayMs: number;
  /** Bytes per second; 0: any number. */
  readonly maxBandwidth: number;
  /** The seq wanted next. */
  readonly cursor: number;
  /** Begins with the newest message of each key. */
  readonly isSnapshot: boolean;
  /** Whether it goes on at the position that was asked for; undefined: none was. */
  readonly recovered: boolean | undefined;
  /** Nothing else will do. */
  readonly mustRecover: boolean;
}

/** What of a plan an UPDATE changes. */
export type Reading = Pick<SubscriptionPlan, 'spec' | 'reading' | 'policy' | 'delayMs' | 'maxBandwidth'>;

/** When it is asked: on the monotonic clock, and as subscribers know the time. */
export interface Moment {
  readonly monotonicMs: number;
  readonly timeMs: number;
}

/** @param reading how it is to be read, see `readingOf`. Throws RingcastError: BAD_REQUEST, UNRECOVERABLE_POSITION */
export function planOf(entry: TopicEntry, reading: Reading, options: SubscribeOptions, now: Moment): SubscriptionPlan {
  const recovery = recoveryOf(entry, options, now);
  const hasPast = recovery !== null || options.delta === true;
  const isABook = isBook(reading.spec);
  const isSnapshot = options.snapshot === true || isABook || (hasPast && needsBase(reading.spec));
  if (recovery === null) {
    const cursor = entry.cursorFor(options.lastN ?? 0);
    return { ...reading, cursor, isSnapshot, recovered: undefined, mustRecover: false };
  }
  const { cursor, isRecovered } = recovery;
  const onGap = options.onGap ?? (entry.spec.keys === undefined && !isABook ? 'history' : 'snapshot');
  if (!isRecovered && onGap === 'error') throw unrecoverable(entry);
  return {
    ...reading,
    cursor,
    isSnapshot: isSnapshot || (!isRecovered && onGap === 'snapshot'),
    recovered: isRecovered,
    mustRecover: onGap === 'error',
  };
}

/** A subscription that can begin now. */
export interface Start {
  readonly stream: Stream;
  readonly options: SubscriptionOptions;
  /** The last message before the first one that it gets; with a snapshot one that is in it. */
  readonly seq: number;
  readonly recovered: boolean | undefined;
}

export function beginOf(topics: TopicDirectory, entry: TopicEntry, plan: SubscriptionPlan): Start {
  const { spec, reading, policy, delayMs, maxBandwidth, cursor, isSnapshot } = plan;
  const { log } = entry;
  const live = topics.streamOf(entry, spec, reading, Math.max(cursor, log.tailSeq));
  const askedUntil = log.headSeq;
  if (isSnapshot) {
    const stream = topics.snapshotFor(live, plan.recovered === undefined ? 0 : cursor, plan.recovered);
    const options = { cursor: 1, policy, delayMs, maxBandwidth, askedUntil };
    // One that is there already is valid behind an earlier message.
    const seq = Math.min(askedUntil, stream.leastSeq);
    return { stream, options, seq, recovered: plan.recovered };
  }
  // A stream that somebody has begun before may not reach back as far as the topic.
  const recovered = plan.recovered === undefined ? undefined : plan.recovered && cursor >= live.log.tailSeq;
  if (recovered === false && plan.mustRecover) {
    topics.letEnd(live);
    throw unrecoverable(entry);
  }
  return { stream: live, options: { cursor, policy, delayMs, maxBandwidth, askedUntil }, seq: cursor - 1, recovered };
}

/** What of a topic decides how it is read. */
export interface Readable {
  readonly settings: Pick<TopicSettings, 'slowConsumerPolicy' | 'maxRate' | 'maxBandwidth'>;
  readonly spec: Pick<TopicSpec, 'keys' | 'book'>;
}

/**
 * How a subscription is read. Throws RingcastError BAD_REQUEST for wishes that contradict each other.
 * @param plain what who asks gets without wishes
 */
export function readingOf(entry: Readable, plain: StreamSpec, options: Wishes): Reading {
  const { settings } = entry;
  const policy = options.policy ?? settings.slowConsumerPolicy;
  const { maxAgeMs = 0 } = options;
  const maxRate = lowest(options.maxRate, settings.maxRate);
  if (maxRate !== undefined && (options.mode === 'every' || options.delta === true)) {
    const whose = options.maxRate === undefined ? 'the topic’s maxRate' : 'maxRate';
    const message = `${whose} (${maxRate}) leaves messages out: the mode every, and deltas, are not for it`;
    throw new RingcastError('BAD_REQUEST', message);
  }
  if (options.policy === 'conflate' && options.mode === 'every')
    throw new RingcastError('BAD_REQUEST', 'the policy conflate stands for the mode latest: not for every');
  const isLatest =
    options.mode === 'latest' || maxRate !== undefined || (options.mode === undefined && policy === 'conflate');
  if (options.delta === true && isLatest)
    throw new RingcastError('BAD_REQUEST', 'a delta follows the one before: it goes with the mode every');
  const spec = specOf(entry, plain, { ...options, maxRate }, isLatest);
  if (maxAgeMs > 0 && isChained(spec))
    throw new RingcastError('BAD_REQUEST', 'maxAgeMs leaves messages out, on which deltas, fields and track build');
  const delayMs = options.maxDelayMs ?? DELAY_OF_STREAM;
  const maxBandwidth = lowest(options.maxBandwidth || undefined, settings.maxBandwidth) ?? 0;
  const mode = isLatest ? 'latest' : 'every';
  return { spec, reading: { mode, maxAgeMs }, policy: policyNumber(policy), delayMs, maxBandwidth };
}

function specOf(entry: Readable, plain: StreamSpec, options: Wishes, isLatest: boolean): StreamSpec {
  if (entry.spec.book !== undefined) return bookStreamOf(plain.codec, options);
  refuseBookOptions(options);
  const view = viewOf(entry, plain.codec, options, isLatest);
  return Object.keys(view).length === 1 ? plain : viewSpec(view);
}

/** What is wished, as far as the topic's rule lets it be. */
function lowest(wished: number | undefined, allowed: number | undefined): number | undefined {
  return allowed === undefined || allowed === 0 ? wished : Math.min(allowed, wished ?? allowed);
}

/** What makes a stream, and how it is read. */
type Wishes = Omit<ReadOptions, 'maxRate'> & { maxRate?: number | undefined } & Pick<
    SubscribeOptions,
    'filter' | 'track' | 'fields' | 'delta' | 'deltaFullEvery' | 'depth' | 'tick' | 'checksum'
  >;

function viewOf(entry: Readable, codec: 'msgpack' | 'json', options: Wishes, isLatest: boolean): ViewWishes {
  const { filter, fields, track, delta, deltaFullEvery, maxRate, maxAgeMs = 0 } = options;
  if (track === true && filter === undefined) throw new RingcastError('BAD_REQUEST', 'track goes with a filter');
  if (deltaFullEvery !== undefined && delta !== true)
    throw new RingcastError('BAD_REQUEST', 'deltaFullEvery goes with delta');
  const view: ViewWishes = {
    codec,
    ...(filter === undefined ? {} : { filter: compileFilter(filter).normalised }),
    ...(track === true ? { track } : {}),
    ...(fields === undefined ? {} : { fields: normalFields(fields) }),
    ...(delta === true ? { delta } : {}),
    ...(deltaFullEvery === undefined ? {} : { deltaFullEvery }),
    ...(maxRate === undefined ? {} : { intervalMs: 1000 / maxRate }),
  };
  // Who does not get all that is published gets values: parts of them say nothing.
  const needsValues = entry.spec.keys?.merges === true && (isLatest || maxAgeMs > 0 || Object.keys(view).length > 1);
  return needsValues ? { ...view, isMerged: true } : view;
}

/** Sorted, each once, and none that lies in another. Throws BAD_REQUEST. */
function normalFields(fields: readonly string[]): string[] {
  for (const field of fields) parsePath(field);
  const sorted = [...new Set(fields)].sort();
  return sorted.filter((field) => !sorted.some((other) => field.startsWith(`${other}.`)));
}

/** Null: no position is asked for. */
function recoveryOf(entry: TopicEntry, { since, sinceTime, lastN }: SubscribeOptions, now: Moment): Recovery | null {
  if (since === undefined && sinceTime === undefined) return null;
  checkPositions({ since, sinceTime, lastN } as SubscribeOptions);
  if (since !== undefined) return entry.recoveryFrom(since);
  return entry.recoveryFromTime(now.monotonicMs - (now.timeMs - (sinceTime as number)));
}

/** Throws RingcastError BAD_REQUEST where a beginning is asked for twice. */
export function checkPositions({ since, sinceTime, lastN }: SubscribeOptions): void {
  if ([since, sinceTime, lastN].filter((wish) => wish !== undefined).length > 1)
    throw new RingcastError('BAD_REQUEST', 'of lastN, since and sinceTime only one can be asked for');
}

/** What somebody wanted who reads a stream; how else it is read is no part of it. */
export function wishesOf({ options: { spec } }: Stream): Wishes {
  if (isBook(spec)) return bookOptionsOf(spec);
  if (spec.kind !== 'view') return {};
  const { filter, track, fields, delta, deltaFullEvery, intervalMs } = spec.options as ViewWishes;
  const given = { filter, track, fields, delta, deltaFullEvery };
  const wishes = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Wishes;
  return intervalMs === undefined ? wishes : { ...wishes, maxRate: 1000 / intervalMs };
}
