// Micro benches: what one operation of the inner parts costs, one table for each group.

import { figure, plural, spreadText, withUnit } from '../format.js';
import { groupBy } from '../groups.js';
import { html } from '../html.js';
import { pointOf } from '../merge.js';
import type { MicroResults } from '../results-file.js';
import type { Block, Section } from '../section.js';
import { table } from '../table.js';

type Bench = MicroResults['benches'][number];

/** A group's benches need not repeat its name. */
const nameOf = ({ id, group }: Bench): string => (id.startsWith(`${group}/`) ? id.slice(group.length + 1) : id);

function cells(bench: Bench) {
  if (bench.failed !== null)
    return [nameOf(bench), html`<span class="verdict missed">✗ failed</span>`, '', bench.failed];
  const { y, min, max, runs } = pointOf(0, bench.rounds.map(({ value }) => value).filter(Number.isFinite));
  if (y === null) return [nameOf(bench), 'not measured', '', ''];
  const perItem = bench.items > 1 ? `${withUnit(y / bench.items, bench.unit)} per ${bench.item}` : '';
  return [nameOf(bench), spreadText({ median: y, min, max }, bench.unit), perItem, plural(runs, 'round')];
}

function blocksOf({ benches, partial, file }: MicroResults, isOnly: boolean): Block[] {
  return [...groupBy(benches, ({ group }) => group)].map(([group, members], index) => ({
    heading: isOnly ? group : `${group}, ${file}`,
    warnings: partial && index === 0 ? ['The command was interrupted: rounds are missing.'] : [],
    figures: [],
    content: table(
      `${group}, ${figure(members.length)} benches`,
      [
        { title: 'bench' },
        { title: 'per operation', isNumber: true },
        { title: 'per item', isNumber: true },
        { title: '' },
      ],
      members.map(cells),
    ),
  }));
}

export const microSection = (files: readonly MicroResults[]): Section => ({
  id: 'micro',
  title: 'Micro benches',
  lead: 'Medians of the rounds, in brackets their range. Warm code and warm caches: which part is expensive, not what a server can do.',
  blocks: files.flatMap((file) => blocksOf(file, files.length === 1)),
  missing: 'No results of the micro benches (npm run bench) are among these.',
});
