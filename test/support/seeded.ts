// Seeded randomness for the integration tests: the same seed gives the same choices. RINGCAST_TEST_SEED overrides it.

export function announcedSeed(name: string): number {
  const seed = Number(process.env.RINGCAST_TEST_SEED ?? 20261121) >>> 0;
  console.log(`${name}: RINGCAST_TEST_SEED=${seed}`);
  return seed;
}

/** Uniform in [0, 1), from mulberry32 (Tommy Ettinger's generator of 32 bits of state). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
