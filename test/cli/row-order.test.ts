// Rows of `ringcast top` stay where they are while figures vary, and move when they have changed for good.
import { describe, expect, it } from 'vitest';
import { RowOrder } from '#src/cli/row-order.js';
import { seededRandom } from '../support/seeded.js';

interface Row {
  readonly name: string;
  readonly score: number;
}

function screen() {
  const order = new RowOrder<Row>(({ name }) => name);
  return (rows: readonly Row[]): string[] => {
    const sorted = rows.toSorted((left, right) => right.score - left.score);
    return order.arrange(sorted, ({ score }) => score).map(({ name }) => name);
  };
}

const row = (name: string, score: number): Row => ({ name, score });

describe('rows', () => {
  it('begin in the order of their figures', () => {
    expect(screen()([row('b', 2), row('c', 1), row('a', 3)])).toEqual(['a', 'b', 'c']);
  });

  it('do not move while figures vary by a tenth around equal ones', () => {
    const random = seededRandom(7);
    const show = screen();
    const names = Array.from({ length: 50 }, (_, index) => `topic ${index}`);
    const vary = () => names.map((name) => row(name, 1000 * (0.9 + 0.2 * random())));
    const first = show(vary());
    for (let report = 0; report < 200; report++) expect(show(vary())).toEqual(first);
  });

  it('move to where they belong within ten reports when figures change for good', () => {
    const show = screen();
    show([row('a', 300), row('b', 200), row('c', 100)]);
    let shown: string[] = [];
    for (let report = 0; report < 10; report++) shown = show([row('a', 300), row('b', 200), row('c', 1000)]);
    expect(shown).toEqual(['c', 'a', 'b']);
  });

  it('come and go without moving the others', () => {
    const show = screen();
    show([row('a', 300), row('b', 200)]);
    expect(show([row('a', 300), row('b', 200), row('new', 250)])).toEqual(['a', 'b', 'new']);
    expect(show([row('a', 300), row('b', 200), row('new', 250), row('busy', 900)])).toEqual(['busy', 'a', 'b', 'new']);
    expect(show([row('b', 200), row('new', 250), row('busy', 900)])).toEqual(['busy', 'b', 'new']);
  });
});
