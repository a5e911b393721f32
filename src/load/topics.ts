/** Which topics there are, and which of them a connection subscribes to. */

const TOPICS_MAX = 10_000_000;
const RANGE = /\{(\d+)\.\.(\d+)\}/;

export const CHOICES = ['turn', 'random'] as const;
export type Choice = (typeof CHOICES)[number];

/**
 * Names of topics: a number n stands for `load:1` … `load:n`; otherwise names separated by commas, in which `{1..500}` counts, with
 * leading zeros if the first number has any. A text that is none of that is answered by what is wrong with it.
 */
export function parseTopics(spec: string): readonly string[] | { problem: string } {
  const names: string[] = [];
  for (const part of /^\d+$/.test(spec) ? [`load:{1..${spec}}`] : spec.split(',')) {
    if (part === '') return { problem: 'a topic name is empty' };
    const range = RANGE.exec(part);
    if (range === null) {
      names.push(part);
      continue;
    }
    const [whole, first, last] = range as unknown as [string, string, string];
    const count = Number(last) - Number(first) + 1;
    if (count < 1) return { problem: `${whole} is an empty range` };
    if (names.length + count > TOPICS_MAX) return { problem: `more than ${TOPICS_MAX} topics` };
    const digits = first.startsWith('0') ? first.length : 0;
    for (let index = 0; index < count; index++) {
      names.push(part.replace(whole, String(Number(first) + index).padStart(digits, '0')));
    }
  }
  if (new Set(names).size < names.length) return { problem: 'a topic is named twice' };
  return names;
}

/** The topics of one connection. The same for a seed, however connections are spread over processes. */
export function topicsOf(
  connection: number,
  perConnection: number,
  topics: number,
  how: Choice,
  seed: number,
): number[] {
  if (how === 'turn') {
    return Array.from({ length: perConnection }, (_, index) => (connection * perConnection + index) % topics);
  }
  const random = seededRandom((Math.imul(seed, 0x9e3779b1) ^ Math.imul(connection + 1, 0x85ebca6b)) | 0);
  const draw = (from: number): number => from + Math.floor(random() * (topics - from));
  if (perConnection * 3 < topics) {
    const chosen = new Set<number>();
    while (chosen.size < perConnection) chosen.add(draw(0));
    return [...chosen];
  }
  const all = Array.from({ length: topics }, (_, topic) => topic);
  for (let index = 0; index < perConnection; index++) {
    const other = draw(index);
    [all[index], all[other]] = [all[other], all[index]];
  }
  return all.slice(0, perConnection);
}

/** Mulberry32: numbers from 0 (included) to 1 (excluded). */
export function seededRandom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
