/**
 * Cohorts: subscriptions of one stream and one block that are up to date share one cursor, and one publish of their
 * transport reaches them all. Whoever cannot take what it is sent, is far behind or needs something of its own leaves, and
 * has a cursor of its own until it has caught up.
 *
 * A cohort is a row of its block in the subscription table: it is idle or pending, has a cursor and meets floors like any
 * subscription; `askedUntil` counts its members. Its number is its row. A member is in no list: its `cursor` is the cohort.
 */

import { BLOCK_CONNECTIONS, COHORT_MEMBERS_MIN } from '../limits.js';
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
import { DELAY_OF_STREAM, NONE, type SubscriptionTable } from './subscription-table.js';

/** Rows that are looked at between two looks at the clock: one takes some microseconds. */
const JOINS_PER_CLOCK_READ = 16;
/** As many members a block has on average where it is looked for enough: with less, chance seldom makes it four. */
const MEMBERS_MEAN_MIN = 2;

export interface CohortEvents {
  /** A row has left its cohort and is behind: its consumer is to be flushed. */
  onPending(consumer: Consumer, stream: Stream): void;
  /** Publishes what a cohort has not got, at once. False: it has still not got all. */
  catchUp(block: Block, cohort: number): boolean;
}

/** Writer and reader: the accept thread. */
export class Cohorts {
  /** Rows of the table that are cohorts and no subscriptions. */
  count = 0;

  readonly #table: SubscriptionTable;
  readonly #streams: readonly (Stream | null)[];
  readonly #consumers: readonly (Consumer | null)[];
  readonly #addBlock: (transport: GroupTransport) => Block;
  readonly #events: CohortEvents;
  /** Blocks with room, by their transport. */
  readonly #open = new Map<GroupTransport, Block[]>();
  #connections = 0;
  /** Rows that have become idle and may join, of which those before `#nextCandidate` have been looked at. */
  #candidates: number[] = [];
  #nextCandidate = 0;

  /** @param streams by slot, as is `consumers`: delivery's own */
  constructor(
    table: SubscriptionTable,
    streams: readonly (Stream | null)[],
    consumers: readonly (Consumer | null)[],
    addBlock: (transport: GroupTransport) => Block,
    events: CohortEvents,
  ) {
    this.#table = table;
    this.#streams = streams;
    this.#consumers = consumers;
    this.#addBlock = addBlock;
    this.#events = events;
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
      block = this.#addBlock(transport);
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
    if (consumer.block !== null && this.#table.delayMs[row] === DELAY_OF_STREAM) this.#table.setJoins(row, true);
  }

  /** The row of a new subscription is up to date: it joins at once where there is a cohort at its cursor. */
  begin(consumer: Consumer, stream: Stream, row: number): void {
    const table = this.#table;
    if (!table.joins(row) || !canJoin(consumer)) return;
    const cohort = table.find((consumer.block as Block).slot, stream.slot);
    if (cohort !== NONE && table.cursor[cohort] === table.cursor[row]) this.#join(cohort, consumer, stream, row);
    else this.#candidates.push(row);
  }

  /** The row, which joins, has become idle. */
  mayJoin(consumer: Consumer, row: number): void {
    if (canJoin(consumer)) this.#candidates.push(row);
  }

  /** At the end of a turn, when all that was sent by itself is sent: lets those join that still may. `isLate` ends it. */
  step(isLate: () => boolean): void {
    const candidates = this.#candidates;
    while (this.#nextCandidate < candidates.length) {
      this.#settle(candidates[this.#nextCandidate++]);
      if (this.#nextCandidate % JOINS_PER_CLOCK_READ === 0 && isLate()) return;
    }
    candidates.length = 0;
    this.#nextCandidate = 0;
  }

  /** The row may be another's by now: what counts is what it is. */
  #settle(row: number): void {
    const table = this.#table;
    if (table.connection[row] === NONE || !table.joins(row) || table.isPending(row) || table.isMember(row)) return;
    const consumer = this.#consumers[table.connection[row]] as Consumer;
    const stream = this.#streams[table.stream[row]] as Stream;
    if (stream.isRemoved || !canJoin(consumer)) return;
    const block = consumer.block as Block;
    const cohort = table.find(block.slot, stream.slot);
    if (cohort === NONE) this.#found(block, stream, row);
    else this.#joinAt(cohort, block, consumer, stream, row);
  }

  #joinAt(cohort: number, block: Block, consumer: Consumer, stream: Stream, row: number): void {
    const table = this.#table;
    if (table.cursor[cohort] < table.cursor[row] && !this.#events.catchUp(block, cohort)) return;
    // Catching up may have ended the cohort, and this row may have news again.
    if (table.find(block.slot, stream.slot) !== cohort || table.isPending(row)) return;
    if (table.cursor[cohort] === table.cursor[row]) this.#join(cohort, consumer, stream, row);
  }

  /** Founds a cohort of those who stand where this row does. Too few: they wait for the next subscriber of the block. */
  #found(block: Block, stream: Stream, row: number): void {
    const table = this.#table;
    const equals: number[] = [];
    let others = 0;
    if (this.#isLikely(stream)) {
      for (const consumer of block.connections) {
        const other = table.find(consumer.slot, stream.slot);
        if (other === NONE || table.delayMs[other] !== DELAY_OF_STREAM || consumer.publishesNoEcho) continue;
        const isEqual = table.cursor[other] === table.cursor[row] && !table.isPending(other) && canJoin(consumer);
        if (isEqual) equals.push(other);
        else others++;
      }
    }
    if (equals.length < COHORT_MEMBERS_MIN) {
      if (equals.length + others < COHORT_MEMBERS_MIN) table.setJoins(row, false);
      return;
    }
    const cohort = table.add(block.slot, stream.slot);
    table.cursor[cohort] = table.cursor[row];
    linkToConnection(table, block, cohort);
    linkIdle(table, stream, cohort);
    this.count++;
    for (const each of equals) this.#join(cohort, this.#consumers[table.connection[each]] as Consumer, stream, each);
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
