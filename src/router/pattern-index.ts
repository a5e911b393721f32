/** Pattern index: which of many patterns match a name, found without trying them all. */

export interface Indexed {
  readonly pattern: string;
  matches(name: string): boolean;
}

/** What patterns with ends of these lengths have before their first star and behind their last one. */
interface Ends {
  readonly headLength: number;
  readonly tailLength: number;
  count: number;
}

/** Writer and reader: the accept thread. */
export class PatternIndex<Item extends Indexed> {
  /** By head and tail: only those can match a name that begins and ends so. */
  readonly #items = new Map<string, Set<Item>>();
  /** By their lengths: few, whatever the number of patterns. */
  readonly #ends = new Map<string, Ends>();

  add(item: Item): void {
    const { head, tail } = endsOf(item.pattern);
    const key = keyOf(head, tail);
    const items = this.#items.get(key) ?? new Set();
    this.#items.set(key, items.add(item));
    const [headLength, tailLength] = [head.length, tail.length];
    const lengths = `${headLength} ${tailLength}`;
    const ends = this.#ends.get(lengths) ?? { headLength, tailLength, count: 0 };
    ends.count++;
    this.#ends.set(lengths, ends);
  }

  remove(item: Item): void {
    const { head, tail } = endsOf(item.pattern);
    const key = keyOf(head, tail);
    const items = this.#items.get(key);
    if (items?.delete(item) !== true) return;
    if (items.size === 0) this.#items.delete(key);
    const lengths = `${head.length} ${tail.length}`;
    const ends = this.#ends.get(lengths) as Ends;
    if (--ends.count === 0) this.#ends.delete(lengths);
  }

  matching(name: string): Item[] {
    const found: Item[] = [];
    for (const { headLength, tailLength } of this.#ends.values()) {
      if (headLength + tailLength > name.length) continue;
      const key = keyOf(name.slice(0, headLength), name.slice(name.length - tailLength));
      for (const item of this.#items.get(key) ?? []) if (item.matches(name)) found.push(item);
    }
    return found;
  }
}

function endsOf(pattern: string): { head: string; tail: string } {
  const first = pattern.indexOf('*');
  return { head: pattern.slice(0, first), tail: pattern.slice(pattern.lastIndexOf('*') + 1) };
}

/** Neither end contains a star, nor does a name: no two pairs have one key. */
function keyOf(head: string, tail: string): string {
  return `${head}*${tail}`;
}
