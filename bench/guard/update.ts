// Writes what was measured into limits.ts.

import type { Machine } from '../support/machine.js';
import { median } from '../support/results.js';
import { UWS } from '../support/scenario.js';
import { logSpread } from './decision.js';
import type { CheckName, Measured } from './limits.js';
import { type Contestants, type Round, ratios } from './rounds.js';

const BEGIN = 'export const MEASURED: Measured = ';
const END = ';\n// End of what --update writes.\n';

const digits = (value: number): number => +value.toPrecision(3);

export function measuredBy(
  rounds: readonly Round[],
  checks: readonly CheckName[],
  { subject }: Contestants,
  { commit, date, node, cpu, cores }: Machine,
): Measured {
  const figures = checks.map((check) => {
    const values = ratios(rounds, check, subject, UWS);
    return [check, { ratio: digits(median(values)), spread: digits(logSpread(values)) }];
  });
  return { commit, date, node, cpu, cores, rounds: rounds.length, figures: Object.fromEntries(figures) };
}

const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;

/** As the formatter would write it, so that an update shows in a diff as what has changed. */
function literal({ figures, ...rest }: Measured): string {
  const fields = Object.entries(rest).map(
    ([name, value]) => `  ${name}: ${typeof value === 'string' ? quoted(value) : value},`,
  );
  const rows = Object.entries(figures).map(([check, { ratio, spread }]) => {
    const key = /^\w+$/.test(check) ? check : quoted(check);
    return `    ${key}: { ratio: ${ratio}, spread: ${spread} },`;
  });
  return ['{', ...fields, '  figures: {', ...rows, '  },', '}'].join('\n');
}

/** The text of limits.ts with other measured figures. */
export function withMeasured(source: string, measured: Measured): string {
  const start = source.indexOf(BEGIN);
  const end = source.indexOf(END, start);
  if (start < 0 || end < 0) throw new Error('limits.ts has lost the part that --update writes');
  return source.slice(0, start) + BEGIN + literal(measured) + source.slice(end);
}
