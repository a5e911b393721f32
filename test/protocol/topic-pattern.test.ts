/** Patterns of topic names: what they match, and which of them leaves nothing to another. */

import { describe, expect, it } from 'vitest';
import { addressProblem, isPattern, patternProblem, subscriptionProblem } from '#src/protocol/topic-name.js';
import { covers, globMatcher, normalPattern } from '#src/protocol/topic-pattern.js';
import { seededRandom } from './support.js';

describe('a pattern', () => {
  it('matches the whole name; * is any run of characters, also none', () => {
    const matches = globMatcher('prices:*');
    expect(['prices:', 'prices:AAPL', 'prices:a:b', 'prices:\n'].map(matches)).toEqual([true, true, true, true]);
    expect(['prices', 'Prices:AAPL', 'xprices:AAPL', ''].map(matches)).toEqual([false, false, false, false]);
    expect(['a', 'a/b', 'ab', 'b'].map(globMatcher('a*b'))).toEqual([false, true, true, false]);
    expect(globMatcher('*')('anything')).toBe(true);
  });

  it('takes every other character as it is', () => {
    const name = 'a.b+c?[d](e){f}^$|\\g/h-i';
    expect(globMatcher(name)(name)).toBe(true);
    expect(globMatcher('a.c')('abc')).toBe(false);
    expect(globMatcher('[ab]')('a')).toBe(false);
  });
});

describe('a pattern with several stars', () => {
  it('matches what a regular expression of the same meaning matches', () => {
    const names = ['', ...allTexts(['a', 'b'], 7)];
    for (const pattern of ['', ...allTexts(['a', 'b', '*'], 5)]) {
      const regExp = new RegExp(`^${pattern.replaceAll('*', '.*')}$`);
      const matches = globMatcher(pattern);
      const wrong = names.filter((name) => matches(name) !== regExp.test(name));
      expect(wrong, pattern).toEqual([]);
    }
  });

  it('refuses at once what a regular expression would ponder for years', () => {
    expect(globMatcher(`${'*a'.repeat(60)}b`)('a'.repeat(255))).toBe(false);
  });
});

describe('the grammar of patterns', () => {
  it.each<[pattern: string, yes: string[], no: string[]]>([
    ['prices:*', ['prices:', 'prices:AAPL', 'prices:AAPL:bid', 'prices:a/b'], ['prices', 'xprices:A']],
    ['prices:**', ['prices:', 'prices:AAPL', 'prices:AAPL:bid'], ['prices']],
    ['*', ['a', 'a:b', 'ä'], []],
    ['**', ['a', 'a:b:c'], []],
    ['*:AAPL', [':AAPL', 'prices:AAPL', 'a:b:AAPL'], ['AAPL', 'prices:AAPL2']],
    ['a:*:c', ['a::c', 'a:b:c', 'a:b:b:c'], ['a:c', 'a:b:c:d']],
    ['a*a', ['aa', 'aba'], ['a']],
    ['*b*', ['b', 'abc'], ['ac']],
    ['a?[b]*', ['a?[b]', 'a?[b]c'], ['ax[b]', 'ab']],
  ])('%s', (pattern, yes, no) => {
    expect(isPattern(pattern)).toBe(true);
    expect(yes.filter((name) => !globMatcher(pattern)(name))).toEqual([]);
    expect(no.filter(globMatcher(pattern))).toEqual([]);
    expect([...yes, ...no].map(globMatcher(normalPattern(pattern)))).toEqual([
      ...yes.map(() => true),
      ...no.map(() => false),
    ]);
  });

  it('are no names of topics; and what no topic can be called is no pattern', () => {
    for (const pattern of ['*', 'a*', 'a**b']) {
      expect(addressProblem(pattern)).toMatch(/star/);
      expect(subscriptionProblem(pattern)).toBeNull();
    }
    expect(patternProblem('$*')).toMatch(/reserved/);
    expect(subscriptionProblem('$stats')).toBeNull();
    expect(subscriptionProblem('a*\n')).toMatch(/control/);
    expect(subscriptionProblem(`${'a'.repeat(255)}*`)).toMatch(/256 bytes/);
  });
});

describe('covers', () => {
  it.each<[wide: string, narrow: string, does: boolean]>([
    ['*', 'a', true],
    ['*', '*', true],
    ['*', 'a*b', true],
    ['a', '*', false],
    ['a*', 'ab*', true],
    ['ab*', 'a*', false],
    ['*b', 'a*b', true],
    ['a*b', '*b', false],
    ['a*c', 'a*b*c', true],
    ['a*b*c', 'a*c', false],
    ['a**', 'a*', true],
    ['a*', 'a**', true],
    ['*a*', '*', false],
    ['a', 'a', true],
    ['a', 'b', false],
  ])('%j what fits %j: %j', (wide, narrow, does) => {
    expect(covers(wide, narrow)).toBe(does);
  });

  it('says of random patterns what trying all names up to six characters says', () => {
    // `c` stands for all characters that no pattern has.
    const names = allTexts(['a', 'b', 'c'], 6);
    const random = seededRandom(20261121);
    const text = () =>
      Array.from({ length: 1 + Math.floor(random() * 4) }, () => 'ab*'[Math.floor(random() * 3)]).join('');
    const seen = { true: 0, false: 0 };
    for (let round = 0; round < 300; round++) {
      const [wide, narrow] = [text(), text()];
      const [isWide, isNarrow] = [globMatcher(wide), globMatcher(narrow)];
      const expected = names.every((name) => !isNarrow(name) || isWide(name));
      expect(covers(wide, narrow), `${wide} ${narrow}`).toBe(expected);
      seen[`${expected}`]++;
    }
    expect(Math.min(seen.true, seen.false)).toBeGreaterThan(20);
  });
});

function allTexts(letters: readonly string[], maxLength: number): string[] {
  let longest = [''];
  const all: string[] = [];
  for (let length = 1; length <= maxLength; length++) {
    longest = longest.flatMap((start) => letters.map((letter) => start + letter));
    all.push(...longest);
  }
  return all;
}
