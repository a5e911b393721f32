/**
 * Book fields: where a feed's messages say what of a book. Presets for some, a mapping for others. Pure; a message is a decoded
 * value that a stranger may have sent.
 */

import { decimalOf } from './decimal.js';
import type { Level, Levels } from './order-book.js';

/** A field, nested by dots; a number is the place in a list: `data.0.bids`. */
type Field = string;

/** Which fields of a message say what. Those that a feed has not are left out. */
export interface BookFields {
  /** Lists of levels: `[price, quantity, …]` or maps (see `price`, `quantity`). */
  readonly bids: Field;
  readonly asks: Field;
  /** Update ids of a difference: of its first and last update, and of the last one of the difference before. */
  readonly first?: Field | undefined;
  readonly last?: Field | undefined;
  readonly previous?: Field | undefined;
  /** CRC32 over the ten best levels. */
  readonly checksum?: Field | undefined;
  /** Names in levels that are maps. */
  readonly price?: string | undefined;
  readonly quantity?: string | undefined;
  /** What a snapshot has in other places; what is left out is where differences have it. */
  readonly snapshot?: SnapshotFields | undefined;
}

export interface SnapshotFields {
  readonly bids?: Field | undefined;
  readonly asks?: Field | undefined;
  /** The last update that is in it. */
  readonly last?: Field | undefined;
  /** It is one where this field has that value; without: where its own bids or asks are there. */
  readonly field?: Field | undefined;
  readonly value?: string | undefined;
}

/**
 * `ringcast` is what this server makes itself. Binance: "How to manage a local order book correctly" of its spot and futures
 * documentation, snapshots being what REST answers. Kraken: the channel `book` of its WebSocket API v2.
 */
export const BOOK_PRESETS = {
  ringcast: {
    ...{ bids: 'bids', asks: 'asks', first: 'first', last: 'last', previous: 'previous', checksum: 'checksum' },
    snapshot: { field: 'book', value: 'snapshot' },
  },
  binance: {
    ...{ bids: 'b', asks: 'a', first: 'U', last: 'u' },
    snapshot: { bids: 'bids', asks: 'asks', last: 'lastUpdateId' },
  },
  'binance-futures': {
    ...{ bids: 'b', asks: 'a', first: 'U', last: 'u', previous: 'pu' },
    snapshot: { bids: 'bids', asks: 'asks', last: 'lastUpdateId' },
  },
  kraken: {
    ...{ bids: 'data.0.bids', asks: 'data.0.asks', checksum: 'data.0.checksum', price: 'price', quantity: 'qty' },
    snapshot: { field: 'type', value: 'snapshot' },
  },
} as const satisfies Record<string, BookFields>;

export type BookPreset = keyof typeof BOOK_PRESETS;

/** What a message says of a book. */
export interface BookUpdate extends Levels {
  readonly isSnapshot: boolean;
  /** Update ids; null: it has none. */
  readonly first: number | null;
  readonly last: number | null;
  readonly previous: number | null;
  readonly checksum: number | null;
}

/** It is none of the book's: a heartbeat, say. */
export const NO_UPDATE = Symbol('no update');
/** It is one, but what it says cannot be told. */
export const BROKEN = Symbol('broken');

/** Levels of one message; no feed has as many, and what is one message for its sender is one turn here. */
const LEVELS_MAX = 100_000;

/** The names on the way to a field. */
type Path = readonly string[];

/** Where a difference, or a snapshot, has what; null: nowhere. */
interface Places {
  readonly bids: Path;
  readonly asks: Path;
  readonly first: Path | null;
  readonly last: Path | null;
  readonly previous: Path | null;
  readonly checksum: Path | null;
}

/** Bound to the fields of one feed: where they are is found out once, not per message. */
export class BookReader {
  readonly #difference: Places;
  readonly #snapshot: Places;
  /** It is a snapshot where one of these is there, or has that value. */
  readonly #marks: readonly Path[];
  readonly #markValue: string | undefined;
  readonly #hasMarkValue: boolean;
  readonly #price: string;
  readonly #quantity: string;

  constructor(fields: BookFields) {
    const { snapshot = {}, price = '0', quantity = '1' } = fields;
    const { bids, asks, last, field, value } = snapshot;
    this.#difference = placesOf(fields);
    const places = { ...fields, bids: bids ?? fields.bids, asks: asks ?? fields.asks, last: last ?? fields.last };
    this.#snapshot = { ...placesOf(places), first: null, previous: null };
    this.#hasMarkValue = field !== undefined;
    this.#markValue = value;
    this.#marks = (this.#hasMarkValue ? [field] : [bids, asks]).flatMap((mark) =>
      mark === undefined ? [] : [pathOf(mark)],
    );
    this.#price = price;
    this.#quantity = quantity;
  }

  /** Where nothing is found, what is wrapped as Binance's combined streams do it is looked at: `{stream, data: …}`. */
  read(message: unknown): BookUpdate | typeof NO_UPDATE | typeof BROKEN {
    const found = this.#read(message);
    if (found !== NO_UPDATE) return found;
    const inner = ownOf(message, 'data');
    return typeof inner === 'object' && inner !== null ? this.#read(inner) : NO_UPDATE;
  }

  #read(message: unknown): BookUpdate | typeof NO_UPDATE | typeof BROKEN {
    const isSnapshot = this.#isSnapshot(message);
    const places = isSnapshot ? this.#snapshot : this.#difference;
    const bids = at(message, places.bids);
    const asks = at(message, places.asks);
    // A side that has not changed may be left out.
    if (!Array.isArray(bids) && !Array.isArray(asks))
      return bids === undefined && asks === undefined ? NO_UPDATE : BROKEN;
    const read = { bids: this.#levels(bids), asks: this.#levels(asks) };
    const last = idAt(message, places.last);
    const first = idAt(message, places.first);
    const previous = idAt(message, places.previous);
    const checksum = idAt(message, places.checksum);
    if (read.bids === null || read.asks === null) return BROKEN;
    if (last === BROKEN || first === BROKEN || previous === BROKEN || checksum === BROKEN) return BROKEN;
    if (first !== null && last !== null && first > last) return BROKEN;
    return { isSnapshot, bids: read.bids, asks: read.asks, first, last, previous, checksum };
  }

  #isSnapshot(message: unknown): boolean {
    for (const mark of this.#marks) {
      const value = at(message, mark);
      if (this.#hasMarkValue ? value === this.#markValue : value !== undefined) return true;
    }
    return false;
  }

  /** Null: one of them is none. */
  #levels(list: unknown): Level[] | null {
    if (list === undefined || list === null) return [];
    if (!Array.isArray(list) || list.length > LEVELS_MAX) return null;
    const levels: Level[] = [];
    for (const item of list as unknown[]) {
      const isPair = Array.isArray(item);
      const price = decimalOf(isPair ? item[0] : ownOf(item, this.#price));
      const quantity = decimalOf(isPair ? item[1] : ownOf(item, this.#quantity));
      if (price === null || quantity === null || quantity.startsWith('-')) return null;
      // Mostly it is a level as it came: nothing to be made for it.
      const isLevel = isPair && item.length === 2 && item[0] === price && item[1] === quantity;
      levels.push(isLevel ? (item as unknown as Level) : [price, quantity]);
    }
    return levels;
  }
}

function placesOf({ bids, asks, first, last, previous, checksum }: BookFields): Places {
  const optional = (field: Field | undefined) => (field === undefined ? null : pathOf(field));
  return {
    ...{ bids: pathOf(bids), asks: pathOf(asks), first: optional(first), last: optional(last) },
    ...{ previous: optional(previous), checksum: optional(checksum) },
  };
}

function pathOf(field: Field): Path {
  return field.split('.');
}

function at(message: unknown, path: Path): unknown {
  let value = message;
  for (let index = 0; index < path.length; index++) value = ownOf(value, path[index]);
  return value;
}

/** Own properties only: names like `constructor` are fields like any other. */
function ownOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

/** A whole number, also as text. */
function idAt(message: unknown, path: Path | null): number | null | typeof BROKEN {
  const value = path === null ? undefined : at(message, path);
  if (value === undefined || value === null) return null;
  const id = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof id === 'number' && Number.isSafeInteger(id) && id >= 0 ? id : BROKEN;
}
