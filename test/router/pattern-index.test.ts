// The index of patterns against trying them all.

import { expect, it } from 'vitest';
import { globMatcher, normalPattern } from '#src/protocol/topic-pattern.js';
import { PatternIndex } from '#src/router/pattern-index.js';
import { seededRandom } from '../support/seeded.js';

it('finds what trying all patterns finds, as they come and go', () => {
  const random = seededRandom(20261127);
  const text = (letters: string, most: number): string =>
    Array.from({ length: 1 + Math.floor(random() * most) }, () => letters[Math.floor(random() * letters.length)]).join(
      '',
    );
  const index = new PatternIndex();
  const items: { pattern: string; matches: (name: string) => boolean }[] = [];
  let found = 0;
  for (let round = 0; round < 3000; round++) {
    if (items.length > 0 && random() < 0.4) index.remove(items.splice(Math.floor(random() * items.length), 1)[0]);
    else {
      const pattern = normalPattern(`${text('ab*', 3)}*${text('ab*', 2)}`);
      const item = { pattern, matches: globMatcher(pattern) };
      items.push(item);
      index.add(item);
    }
    const name = text('ab', 5);
    const matching = index.matching(name);
    found += matching.length;
    expect(new Set(matching)).toEqual(new Set(items.filter(({ matches }) => matches(name))));
    expect(matching.length).toBe(new Set(matching).size);
  }
  expect(found).toBeGreaterThan(1000);
  for (const item of items) index.remove(item);
  expect(index.matching('a')).toEqual([]);
});

it('does not try those that begin or end otherwise', () => {
  const index = new PatternIndex();
  let tries = 0;
  const matches = (): boolean => {
    tries++;
    return true;
  };
  for (let user = 0; user < 1000; user++) {
    index.add({ pattern: `user:${user}:*`, matches });
    index.add({ pattern: `*:${user}`, matches });
  }
  expect(index.matching('user:7:inbox')).toHaveLength(1);
  expect(index.matching('prices:77')).toHaveLength(1);
  expect(index.matching('prices')).toHaveLength(0);
  expect(tries).toBe(2);
});
