// What a command has measured, in memory and as JSON; and reading such a file, which may be anything.

import { readFileSync } from 'node:fs';
import { z } from 'zod';

export const FORMAT = 'ringcast micro benches 1';

const machine = z.object({
  cpu: z.string(),
  cores: z.number(),
  memoryGiB: z.number(),
  system: z.string(),
  node: z.string(),
  commit: z.string(),
  command: z.string(),
  date: z.string(),
});

/** One process that ran the bench. */
const round = z.object({
  /** ns per operation, or bytes per item. */
  value: z.number().nonnegative(),
  /** Of it: what the garbage collector took. 0 where it is not known. */
  gcNs: z.number(),
  samples: z.number().int().nonnegative(),
  /** Operations per sample. */
  times: z.number().int().positive(),
});

const bench = z.object({
  id: z.string(),
  group: z.string(),
  unit: z.enum(['ns', 'bytes']),
  item: z.string(),
  items: z.number().positive(),
  against: z.string().nullable(),
  isThreaded: z.boolean(),
  rounds: z.array(round),
  /** Why it was not measured to the end. */
  failed: z.string().nullable(),
});

const results = z.object({
  format: z.literal(FORMAT),
  machine,
  options: z.object({ patterns: z.array(z.string()), seconds: z.number(), rounds: z.number(), smoke: z.boolean() }),
  startedAt: z.string(),
  /** The command was interrupted: rounds are missing. */
  partial: z.boolean(),
  benches: z.array(bench),
});

export type Round = z.infer<typeof round>;
export type BenchResult = z.infer<typeof bench>;
export type Results = z.infer<typeof results>;

export const valuesOf = ({ rounds }: BenchResult): number[] => rounds.map(({ value }) => value);

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${file} is not JSON: name a file that npm run bench has written (bench/results/micro-….json)`);
  }
}

/** Throws one line that says what is wrong with the file. */
export function readResults(file: string): Results {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`cannot read ${file}: ${(error as Error).message}`);
  }
  const content = parse(file, text);
  const format = typeof content === 'object' && content !== null && 'format' in content ? content.format : undefined;
  if (format !== FORMAT) {
    const found =
      typeof format === 'string' ? `its format is "${format}", this version's is "${FORMAT}"` : 'it has no format';
    throw new Error(`${file} is not a results file of npm run bench: ${found}`);
  }
  const { success, data, error } = results.safeParse(content);
  if (success) return data;
  const [issue] = error.issues;
  throw new Error(`${file} is damaged: ${issue?.path.join('.')}: ${issue?.message}`);
}
