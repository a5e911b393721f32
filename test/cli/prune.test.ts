// `ringcast prune` deletes what this machine cannot load, and nothing else.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { pruneBinaries } from '#src/cli/prune.js';
import { lines, runCli } from './run-cli.js';

const OURS = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'ringcast-prune-'));
  for (const name of ['uws_plan9_x64_115.node', 'uws_plan9_arm_1.node', OURS, 'index.mjs', 'other.node']) {
    writeFileSync(path.join(folder, name), 'x');
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

it('deletes binaries of other platforms, once it is not only asked which', () => {
  const all = readdirSync(folder);
  expect(pruneBinaries([folder], true)).toEqual([
    path.join(folder, 'uws_plan9_arm_1.node'),
    path.join(folder, 'uws_plan9_x64_115.node'),
    expect.stringMatching(/^2 binaries would be deleted: 2 B; 1 stay/),
  ]);
  expect(readdirSync(folder)).toEqual(all);
  expect(pruneBinaries([folder], false)).toEqual([expect.stringMatching(/^2 binaries deleted: 2 B/)]);
  expect(readdirSync(folder).sort()).toEqual(['index.mjs', 'other.node', OURS].sort());
});

it('deletes nothing where none would be left', () => {
  rmSync(path.join(folder, OURS));
  const all = readdirSync(folder);
  expect(() => pruneBinaries([folder], false)).toThrow(/there is no uws_.*nothing would be left/);
  expect(readdirSync(folder)).toEqual(all);
});

it('finds the packages that ringcast itself loads', async () => {
  const { code, stdout } = await runCli(['prune', '--dry-run']);
  expect(code).toBe(0);
  expect(lines(stdout).length).toBeGreaterThan(20);
  expect(stdout).not.toContain(OURS);
});
