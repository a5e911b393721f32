// All groups, in the order in which they are shown. A group's file has its name and exports it as `group`.

import type { Bench, Group } from './bench.js';
import { group as delivery } from './benches/delivery.js';
import { group as doorbell } from './benches/doorbell.js';
import { group as frameLog } from './benches/frame-log.js';
import { group as patterns } from './benches/patterns.js';
import { group as protocol } from './benches/protocol.js';
import { group as publishing } from './benches/publishing.js';
import { group as reference } from './benches/reference.js';
import { group as ring } from './benches/ring.js';
import { group as subscriptions } from './benches/subscriptions.js';
import { group as topic } from './benches/topic.js';
import { group as variant } from './benches/variant.js';

/** Runs with every selection: comparisons need it. */
export const REFERENCE = reference.name;

export const GROUPS: readonly Group[] = [
  ring,
  doorbell,
  frameLog,
  protocol,
  topic,
  variant,
  publishing,
  delivery,
  subscriptions,
  patterns,
  reference,
];

export interface Selected {
  readonly group: Group;
  readonly bench: Bench;
  /** What patterns are held against, and results are known by: `ring/push-drain/64B/batch=16`. */
  readonly id: string;
}

export const ALL: readonly Selected[] = GROUPS.flatMap((group) =>
  group.benches.map((bench) => ({ group, bench, id: `${group.name}/${bench.name}` })),
);

/** A part of the id, whatever the case; `*` stands for anything. A group's name means the whole group, and only it. */
function matcherOf(pattern: string): (selected: Selected) => boolean {
  if (GROUPS.some(({ name }) => name === pattern)) return ({ group }) => group.name === pattern;
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  const expression = new RegExp(parts.join('.*'), 'i');
  return ({ id }) => expression.test(id);
}

/** What the patterns ask for (all without any), and the reference group. Throws for a pattern that means nothing. */
export function select(patterns: readonly string[]): Selected[] {
  const matchers = patterns.map(matcherOf);
  const idle = patterns.filter((_, index) => !ALL.some(matchers[index]));
  if (idle.length > 0) {
    const names = GROUPS.map(({ name }) => name).join(', ');
    throw new Error(`no bench matches ${idle.join(', ')}; groups: ${names}; --list names all benches`);
  }
  const isWanted = (selected: Selected): boolean =>
    matchers.length === 0 || matchers.some((matches) => matches(selected));
  return ALL.filter((selected) => selected.group.name === REFERENCE || isWanted(selected));
}
