// A build of ringcast that is slower on purpose, to see whether the guard notices. It lies in a temporary folder, is a copy of dist/,
// and does extra work in delivery's hot path, per delivered message: as much as makes its CPU per delivery grow by what is wanted.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { topicName } from '../support/peer.js';
import type { CheckName } from './limits.js';
import type { Costs } from './rounds.js';
import { TOPICS, topicOf } from './scenario.js';

export const SLOWED = 'ringcast-slowed';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Where loadPeer looks; compiled output, so nothing of it is in the repository. */
const PEER_FILE = fileURLToPath(new URL(`../peers/${SLOWED}.js`, import.meta.url));
const HOT_PATH = 'delivery/flusher.js';
const HOT_FUNCTION = /(\n {4}#advance\(consumer, stream, row, until, messages, bytes\) \{\n)/g;

/** The compiled hot path with a call of the extra work at the start of the function that every delivery goes through. */
export function slowedHotPath(code: string): string {
  const places = code.match(HOT_FUNCTION)?.length ?? 0;
  if (places !== 1) {
    throw new Error(`${HOT_PATH} has ${places} functions #advance: bench/guard/slowed.ts has to follow the code`);
  }
  const slowed = code.replace(HOT_FUNCTION, '$1        extraWork(stream.options.topic, messages);\n');
  return `import { extraWork } from './extra-work.js';\n${slowed}`;
}

/** Extra nanoseconds per delivery, by topic, as extra-work.ts wants them. */
export function extraNanos(costs: Costs, percent: number): Record<string, number> {
  return Object.fromEntries(
    Object.entries(costs).map(([check, micros]) => {
      const topic = topicOf(check as CheckName);
      return [topic === null ? '*' : topicName(TOPICS, topic), micros * 1000 * (percent / 100)];
    }),
  );
}

/** Makes the build and its peer. @returns what removes them */
export function makeSlowed(costs: Costs, percent: number): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'ringcast-slowed-'));
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true });
    rmSync(PEER_FILE, { force: true });
  };
  try {
    cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');
    const hotPath = join(folder, 'dist', HOT_PATH);
    writeFileSync(hotPath, slowedHotPath(readFileSync(hotPath, 'utf8')));
    cpSync(new URL('./extra-work.js', import.meta.url), join(folder, 'dist/delivery/extra-work.js'));
    writeFileSync(PEER_FILE, "export { peer } from '../guard/slowed-peer.js';\n");
  } catch (error) {
    remove();
    throw error;
  }
  process.env.RINGCAST_SLOWED_ENTRY = pathToFileURL(join(folder, 'dist/index.js')).href;
  process.env.RINGCAST_SLOWED_NANOS = JSON.stringify(extraNanos(costs, percent));
  return remove;
}
