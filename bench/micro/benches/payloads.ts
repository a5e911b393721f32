// Payloads as market data has them. Each comes in many different versions: a reader that always sees the same bytes has
// its branches predicted and its caches warm.

/** Power of two. */
export const VERSIONS = 64;

export interface Quote {
  symbol: string;
  bid: number;
  ask: number;
  bidSize: number;
  askSize: number;
  venue: string;
}

/** Best bid and ask: about 60 bytes of MessagePack. */
function quote(version: number): Quote {
  const cents = 18_000 + version * 7;
  return {
    symbol: 'AAPL',
    bid: cents / 100,
    ask: (cents + 1 + (version & 3)) / 100,
    bidSize: 100 + version * 10,
    askSize: 2000 - version * 20,
    venue: version & 1 ? 'XNAS' : 'ARCX',
  };
}

/** Twenty levels on either side: about 500 bytes of MessagePack. */
function book(version: number): object {
  const levels = (sign: number): [number, number][] =>
    Array.from({ length: 20 }, (_, level) => [(18_000 + version + sign * level) / 100, 100 * (level + 1) + version]);
  return { symbol: 'AAPL', bids: levels(-1), asks: levels(1) };
}

export const PAYLOADS = { quote, book } as const;
export type PayloadName = keyof typeof PAYLOADS;

export function versionsOf<T>(make: (version: number) => T): T[] {
  return Array.from({ length: VERSIONS }, (_, version) => make(version));
}
