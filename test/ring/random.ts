// Seeded randomness for the tests of the ring: the same seed gives the same run. RINGCAST_TEST_SEED overrides it.

export function testSeed(name: string): number {
  const seed = Number(process.env.RINGCAST_TEST_SEED ?? 20261120) >>> 0;
  console.log(`${name}: RINGCAST_TEST_SEED=${seed}`);
  return seed;
}

/** A 32-bit xorshift generator: uniform enough to choose sizes and steps. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) >>> 0 || 1;
    for (let i = 0; i < 8; i++) this.u32();
  }

  u32(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  /** An integer, 0 ≤ result < limit. */
  below(limit: number): number {
    return this.u32() % limit;
  }

  chance(probability: number): boolean {
    return this.u32() < probability * 2 ** 32;
  }
}
