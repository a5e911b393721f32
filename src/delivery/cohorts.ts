/**
 * Cohorts: subscriptions of one stream and one block that are up to date share one cursor, and one publish of their
 * transport reaches them all. Whoever cannot take what it is sent, is far behind or needs something of its own leaves, and
 * has a cursor of its own until it has caught up.
 *
 * A cohort is a row of its block in the subscription table: it is idle or pending, has a cursor and meets floors like any
 * subscription; `askedUntil` counts its members. Its number is its row. A member is in no list: its `cursor` is the cohort.
 */

import { BLOCK_CONNECTIONS, COHORT_MEMBERS_MIN } from '../limits.js';
import type { Loop } from '../time/loop.js';
import type { Block } from './block.js';
import { BLOCKED, CLOSED, type Consumer, NO_ECHO } from './consumer.js';
import {
  linkIdle,
  linkPending,
  linkToConnection,
  unlinkFromConnection,
  unlinkIdle,
  unlinkPending,
} from './row-lists.js';
import type { GroupSink, GroupTransport } from './sink.js';
import type { Stream } from './stream.js';
import { NONE, type SubscriptionTable } from './subscription-table.js';

/** Rows that are looked at between two looks at the clock: one takes some microseconds. */
const JOINS_PER_CLOCK_READ = 16;
/** As many members a block has on average where it is looked for enough: with less, chance seldom makes it four. */
const MEMBERS_MEAN_MIN = 2;

/** What cohorts ask of delivery. */
export interface CohortEvents {
  /** Another block, without connections. */
  addBlock(transport: GroupTransport): Block;
  /** A row has left its cohort and is behind: its consumer is to be flushed. */
  onPending(consumer: Consumer, stream: Stream): void;
  /** Publishes what a cohort has not got, at once. False: it has still not got all. */
  catchUp(block: Block, cohort: number): boolean;
}

/** Writer and reader: the accept thread. */
export class Cohorts {
  /** Rows of the table that are cohorts and no subscriptions. */
  count = 0;
  blockCount = 0;

  readonly #table: SubscriptionTable;
  readonly #streams: readonly (Stream | null)[];
  readonly #consumers: readonly (Consumer | null)[];
  readonly #events: CohortEvents;
  readonly #loop: Loop;
  /** Blocks with room, by their transport. */
  readonly #open = new Map<GroupTransport, Block[]>();
  #connections = 0;
  /** Rows that have become idle and may join, each once; those before `#nextCandidate` have been looked at. */
  readonly #candidates: number[] = [];
  #nextCandidate = 0;

  /** @param streams by slot, as is `consumers`: delivery's own */
  constructor(
    table: SubscriptionTable,
    streams: readonly (Stream | null)[],
    consumers: readonly (Consumer | null)[],
    events: CohortEvents,
    loop: Loop,
  ) {
    this.#table = table;
    this.#streams = streams;
    this.#consumers = consumers;
    this.#events = events;
    this.#loop = loop;
  }

  get hasWork(): boolean {
    return this.#candidates.length > 0;
  }

  // ---- blocks ------------------------------------------------------------------------------------------------------

  /** Gives a consumer whose sink is a GroupSink its place. */
  add(consumer: Consumer, transport: GroupTransport): void {
    const open = this.#open.get(transport) ?? [];
    this.#open.set(transport, open);
    let block = open.at(-1);
    if (block === undefined) {
      block = this.#events.addBlock(transport);
      this.blockCount++;
      open.push(block);
    }
    block.connections.push(consumer);
    consumer.block = block;
    this.#connections++;
    if (block.connections.length === BLOCK_CONNECTIONS) open.pop();
  }

  /** Frees the place of a consumer that has ended and has no rows any more. */
  remove(consumer: Consumer): void {
    const { block } = consumer;
    if (block === null) return;
    const { connections } = block;
    if (connections.length === BLOCK_CONNECTIONS) this.#open.get(block.transport)?.push(block);
    this.#connections--;
    const last = connections.pop() as Consumer;
    if (last !== consumer) connections[connections.indexOf(consumer)] = last;
  }

  // ---- joining -----------------------------------------------------------------------------------------------------

  /** A subscription has begun: whether it joins once it is up to date. */
  subscribed(consumer: Consumer, row: number): void {
    if (consumer.block !== null && this.#table.isOrdinary(row)) this.#table.setJoins(row, true);
  }

  /** The row of a new subscription is up to date: it joins at once where there is a cohort at its cursor. */
  begin(consumer: Consumer, stream: Stream, row: number): void {
    const table = this.#table;
    if (!table.joins(row)) return;
    const cohort = table.find((consumer.block as Block).slot, stream.slot);
    const isThere = cohort !== NONE && table.cursor[cohort] === table.cursor[row] && canJoin(consumer);
    if (isThere) this.#join(cohort, consumer, stream, row);
    else this.mayJoin(consumer, row);
  }

  /** The row, which joins, has become idle. */
  mayJoin(consumer: Consumer, row: number): void {
    if (!canJoin(consumer)) return;
    this.#table.setJoins(row, false);
    this.#candidates.push(row);
  }

  /** At the end of a turn, when all that was sent by itself is sent: lets those join that still may, until the deadline. */
  step(deadlineMs: number): void {
    const candidates = this.#candidates;
    while (this.#nextCandidate < candidates.length) {
      const row = candidates[this.#nextCandidate++];
      if (this.#isEligible(row) && !this.#hasJoined(row)) this.#table.setJoins(row, true);
      if (this.#nextCandidate % JOINS_PER_CLOCK_READ === 0 && this.#loop.nowMs() >= deadlineMs) return;
    }
    candidates.length = 0;
    this.#nextCandidate = 0;
  }

  /** The row may be another's by now: what counts is what it is. */
  #isEligible(row: number): boolean {
    const table = this.#table;
    const connection = table.connection[row];
    if (connection === NONE || table.isMember(row) || !table.isOrdinary(row)) return false;
    return this.#consumers[connection]?.block != null && !this.#streams[table.stream[row]]?.isRemoved;
  }

  /** False: it is to try again, when it is idle the next time. */
  #hasJoined(row: number): boolean {
    const table = this.#table;
    const consumer = this.#consumers[table.connection[row]] as Consumer;
    const stream = this.#streams[table.stream[row]] as Stream;
    if (table.isPending(row) || !canJoin(consumer)) return false;
    const block = consumer.block as Block;
    const cohort = table.find(block.slot, stream.slot);
    return cohort === NONE ? this.#hasFounded(block, stream, row) : this.#joinsAt(cohort, block, stream, row);
  }

  #joinsAt(cohort: number, block: Block, stream: Stream, row: number): boolean {
    const table = this.#table;
    if (table.cursor[cohort] < table.cursor[row] && !this.#events.catchUp(block, cohort)) return false;
    // Catching up may have ended the cohort, and this row may have news again.
    if (table.find(block.slot, stream.slot) !== cohort || table.isPending(row)) return false;
    if (table.cursor[cohort] !== table.cursor[row]) return false;
    this.#join(cohort, this.#consumers[table.connection[row]] as Consumer, stream, row);
    return true;
  }

  /** Founds a cohort of those who stand where this row does. With too few in the block it need not try again: the next one will. */
  #hasFounded(block: Block, stream: Stream, row: number): boolean {
    const table = this.#table;
    const equals: number[] = [];
    let others = 0;
    if (this.#isLikely(stream)) {
      for (const consumer of block.connections) {
        const other = table.find(consumer.slot, stream.slot);
        if (other === NONE || !table.isOrdinary(other) || consumer.publishesNoEcho) continue;
        const isEqual = table.cursor[other] === table.cursor[row] && !table.isPending(other) && canJoin(consumer);
        if (isEqual) equals.push(other);
        else others++;
      }
    }
    if (equals.length < COHORT_MEMBERS_MIN) return equals.length + others < COHORT_MEMBERS_MIN;
    const cohort = table.add(block.slot, stream.slot);
    table.cursor[cohort] = table.cursor[row];
    linkToConnection(table, block, cohort);
    linkIdle(table, stream, cohort);
    this.count++;
    for (const each of equals) this.#join(cohort, this.#consumers[table.connection[each]] as Consumer, stream, each);
    return true;
  }

  #isLikely({ subscriberCount }: Stream): boolean {
    if (subscriberCount < COHORT_MEMBERS_MIN) return false;
    return subscriberCount * BLOCK_CONNECTIONS >= MEMBERS_MEAN_MIN * this.#connections;
  }

  #join(cohort: number, consumer: Consumer, stream: Stream, row: number): void {
    const table = this.#table;
    unlinkIdle(table, stream, row);
    table.setMember(row, cohort);
    table.askedUntil[cohort]++;
    (consumer.sink as GroupSink).joinGroup(cohort);
  }

  // ---- leaving -----------------------------------------------------------------------------------------------------

  /** The row, a member, has a cursor of its own from here on: it is idle or pending, and joins again later. */
  leave(consumer: Consumer, row: number): void {
    const table = this.#table;
    const stream = this.#streams[table.stream[row]] as Stream;
    const cursor = table.cursorOf(row);
    this.part(consumer, row);
    table.cursor[row] = cursor;
    table.setJoins(row, true);
    if (cursor > stream.log.headSeq) {
      linkIdle(table, stream, row);
      return;
    }
    linkPending(table, consumer, stream.isHot, row);
    this.#events.onPending(consumer, stream);
  }

  /** All of a consumer's. */
  leaveAll(consumer: Consumer): void {
    if (consumer.block === null) return;
    const table = this.#table;
    for (let row = consumer.subscriptionHead; row !== NONE; row = table.nextOfConnection[row]) {
      if (table.isMember(row)) this.leave(consumer, row);
    }
  }

  /** All members leave, also those whose consumers have ended; so the cohort ends. */
  dissolve(block: Block, cohort: number): void {
    const table = this.#table;
    const stream = table.stream[cohort];
    for (const consumer of block.connections) {
      const row = table.find(consumer.slot, stream);
      if (row !== NONE && table.isMember(row)) this.leave(consumer, row);
    }
  }

  /** The row, a member, is in no list from here on; its cursor means nothing. */
  part(consumer: Consumer, row: number): void {
    const table = this.#table;
    const cohort = table.cursor[row];
    table.setIdle(row);
    if ((consumer.flags & CLOSED) === 0) (consumer.sink as GroupSink).leaveGroup(cohort);
    if (--table.askedUntil[cohort] === 0) this.#remove(cohort);
  }

  #remove(cohort: number): void {
    const table = this.#table;
    const block = this.#consumers[table.connection[cohort]] as Block;
    const stream = this.#streams[table.stream[cohort]] as Stream;
    if (table.isPending(cohort)) unlinkPending(table, block, cohort);
    else unlinkIdle(table, stream, cohort);
    unlinkFromConnection(table, block, cohort);
    table.remove(cohort);
    this.count--;
  }
}

/** Whether what it is sent can be what others are sent. */
function canJoin({ flags }: Consumer): boolean {
  return (flags & (BLOCKED | CLOSED | NO_ECHO)) === 0;
}
