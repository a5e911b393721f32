/**
 * Row lists: moves a subscription's row between the idle list of its stream and the pending lists of its connection.
 * Whether the head of a stream moves or a consumer catches up, this is all that happens per subscriber.
 */

import type { Consumer } from './consumer.js';
import type { Stream } from './stream.js';
import { NONE, type SubscriptionTable } from './subscription-table.js';

/** The row becomes the first of all rows of its connection. */
export function linkToConnection(table: SubscriptionTable, consumer: Consumer, row: number): void {
  const first = consumer.subscriptionHead;
  table.nextOfConnection[row] = first;
  table.previousOfConnection[row] = NONE;
  if (first !== NONE) table.previousOfConnection[first] = row;
  consumer.subscriptionHead = row;
  consumer.subscriptionCount++;
}

export function unlinkFromConnection(table: SubscriptionTable, consumer: Consumer, row: number): void {
  const next = table.nextOfConnection[row];
  const previous = table.previousOfConnection[row];
  if (previous === NONE) consumer.subscriptionHead = next;
  else table.nextOfConnection[previous] = next;
  if (next !== NONE) table.previousOfConnection[next] = previous;
  consumer.subscriptionCount--;
}

/** Hot path. The row is in no list: it becomes the first of its stream's idle list. */
export function linkIdle(table: SubscriptionTable, stream: Stream, row: number): void {
  const first = stream.idleHead;
  table.next[row] = first;
  table.previous[row] = NONE;
  if (first !== NONE) table.previous[first] = row;
  stream.idleHead = row;
  table.setIdle(row);
}

/** Hot path. */
export function unlinkIdle(table: SubscriptionTable, stream: Stream, row: number): void {
  const next = table.next[row];
  const previous = table.previous[row];
  if (previous === NONE) stream.idleHead = next;
  else table.next[previous] = next;
  if (next !== NONE) table.previous[next] = previous;
}

/** Hot path. The row is in no list: it becomes the last of its connection's cold or hot pending list. */
export function linkPending(table: SubscriptionTable, consumer: Consumer, isHot: boolean, row: number): void {
  const last = isHot ? consumer.hotTail : consumer.coldTail;
  table.next[row] = NONE;
  table.previous[row] = last;
  if (last !== NONE) table.next[last] = row;
  else if (isHot) consumer.hotHead = row;
  else consumer.coldHead = row;
  if (isHot) consumer.hotTail = row;
  else consumer.coldTail = row;
  table.setPending(row, isHot);
}

/** Hot path. */
export function unlinkPending(table: SubscriptionTable, consumer: Consumer, row: number): void {
  const isHot = table.isHot(row);
  const next = table.next[row];
  const previous = table.previous[row];
  if (previous !== NONE) table.next[previous] = next;
  else if (isHot) consumer.hotHead = next;
  else consumer.coldHead = next;
  if (next !== NONE) table.previous[next] = previous;
  else if (isHot) consumer.hotTail = previous;
  else consumer.coldTail = previous;
}
