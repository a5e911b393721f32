/** Seeded random numbers, so that a measurement can be repeated. */

/** Numbers from 0 up to, not including, 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` different numbers below `limit`, in random order. */
export function sample(random: () => number, count: number, limit: number): number[] {
  const moved = new Map<number, number>();
  const picked: number[] = [];
  for (let index = 0; index < Math.min(count, limit); index++) {
    const other = index + Math.floor(random() * (limit - index));
    picked.push(moved.get(other) ?? other);
    moved.set(other, moved.get(index) ?? index);
  }
  return picked;
}
