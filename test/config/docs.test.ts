// The README's configuration table is what `ringcast config --markdown` prints, so code and docs cannot drift apart.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { renderReference } from '#src/cli/config.js';
import { hasKeyTable, namesMissingIn, unknownVariablesIn } from './markdown-keys.js';

const readmeUrl = new URL('../../README.md', import.meta.url);
const readme = existsSync(readmeUrl) ? readFileSync(readmeUrl, 'utf8') : '';
const isWritten = hasKeyTable(readme);
if (!isWritten) console.log('skipped: README.md has no table from `ringcast config --markdown` yet');

describe('the reference of configuration keys', () => {
  it('mentions every key and every environment name', () => {
    expect(namesMissingIn(renderReference())).toEqual([]);
    expect(unknownVariablesIn(renderReference())).toEqual([]);
    expect(hasKeyTable(renderReference())).toBe(true);
  });

  it('is the same on every machine', () => {
    expect(renderReference()).toContain('| `lanes` | max(1, cores − 1), at most 8 |');
  });

  it('would be missed in a text without it', () => {
    expect(namesMissingIn(renderReference().replaceAll('maxLagMs', 'maxLag'))).toEqual(['maxLagMs']);
    expect(unknownVariablesIn('`RINGCAST_PROT=1`, `RINGCAST_PORT`')).toEqual(['RINGCAST_PROT']);
    expect(hasKeyTable('no table')).toBe(false);
  });

  it.skipIf(!isWritten)('is in the README, word by word', () => {
    expect(readme).toContain(renderReference().trim());
    expect(unknownVariablesIn(readme)).toEqual([]);
  });
});
