/** Updating: a subscription is read otherwise from where it stands. */

import type { Consumer } from '../delivery/consumer.js';
import type { Delivery } from '../delivery/delivery.js';
import type { Stream } from '../delivery/stream.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import type { TopicEntry } from '../directory/topic-entry.js';
import type { ReadOptions } from '../protocol/messages.js';
import { needsBase, needsPast } from '../variant/stream-spec.js';
import { type Reading, readingOf, wishesOf } from './subscription-plan.js';

export interface UpdatingParts {
  readonly topics: TopicDirectory;
  readonly delivery: Delivery;
}

/** What is not said stays as it is. False: there is no subscription. Throws RingcastError: BAD_REQUEST, LIMIT_EXCEEDED */
export function updateSubscription(
  { topics, delivery }: UpdatingParts,
  consumer: Consumer,
  entry: TopicEntry,
  changes: ReadOptions,
): boolean {
  const current = topics.subscriptionOf(consumer, entry);
  if (current === undefined) return false;
  const live = current.options.successor ?? current;
  const wishes = changed({ ...wishesOf(live), ...delivery.readingOf(consumer, current) }, changes);
  readOtherwise({ topics, delivery }, consumer, entry, current, readingOf(entry, consumer.spec, wishes));
  return true;
}

/** What is wished from here on. */
export function changed<Wishes extends ReadOptions>(wishes: Wishes, changes: ReadOptions): Wishes {
  const all = { ...wishes, ...changes };
  // A rate is a mode, and the other way round.
  if (changes.mode !== undefined && changes.maxRate === undefined) delete all.maxRate;
  if (changes.maxRate !== undefined && changes.mode === undefined) delete all.mode;
  // So is the policy that stands for one.
  const isByPolicy = wishes.policy === 'conflate' || changes.policy === 'conflate';
  if (changes.policy !== undefined && changes.mode === undefined && isByPolicy) delete all.mode;
  return all;
}

/** The last message before the next one that a subscription gets; of one that waits for a snapshot, one that is in it. */
export function positionOf(delivery: Delivery, consumer: Consumer, stream: Stream): number {
  return stream.options.successor === undefined ? delivery.cursorOf(consumer, stream) - 1 : stream.leastSeq;
}

/** A subscription goes on from where it stands, read so. Throws RingcastError LIMIT_EXCEEDED */
export function readOtherwise(
  { topics, delivery }: UpdatingParts,
  consumer: Consumer,
  entry: TopicEntry,
  current: Stream,
  { spec, reading, ...row }: Reading,
): void {
  const live = current.options.successor ?? current;
  const isAtSnapshot = current !== live;
  // One that waits for a snapshot has had no more than what is to be in that.
  const newest = current.successorCursor > 0 ? current.successorCursor : entry.log.headSeq + 1;
  const cursor = isAtSnapshot ? newest : delivery.cursorOf(consumer, current);
  const to = topics.streamOf(entry, spec, reading, cursor);
  if (to === live) {
    delivery.change(consumer, current, row);
    return;
  }
  // What such a stream says next is no use to who has not had what it said before.
  const needsSnapshot = isAtSnapshot || needsBase(spec) || (needsPast(spec) && cursor <= entry.log.headSeq);
  if (needsSnapshot) delivery.transfer(consumer, current, topics.snapshotFor(to, cursor), 1, row);
  else delivery.transfer(consumer, current, to, cursor, row);
}
