// What a report is made of: the JSON files that the bench commands write, checked where they come in.

import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** JSON has no NaN: what could not be calculated comes as null. */
const number = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const texts = z.array(z.string());

const machine = z.object({
  cpu: z.string(),
  cores: number,
  memoryGiB: number,
  system: z.string(),
  node: z.string(),
  commit: z.string(),
  command: z.string(),
  date: z.string(),
});

const verification = z.object({
  complete: z.boolean(),
  expected: number,
  delivered: number,
  lost: number,
  doubled: number,
  reordered: number,
  corrupt: number,
  gapMessages: number,
});

const latency = z.object({
  count: number,
  p50Micros: number,
  p90Micros: number,
  p99Micros: number,
  p999Micros: number,
  maxMicros: number,
  hdr: z.string().optional(),
});

const phase = z.object({
  seconds: number,
  offered: number.optional(),
  published: number,
  mayOverload: z.literal(true).optional(),
  deliveriesPerSecond: number,
  cpuMicrosPerDelivery: number.optional(),
  serverCpuMicros: number,
  serverUserMicros: number.optional(),
  serverSystemMicros: number.optional(),
  serverCpuPercent: number,
  rssBytes: number,
  kernelSocketBytes: number.optional(),
  kernelSocketPeakBytes: number.optional(),
  latency: z.record(z.string(), latency),
  verification,
  generator: z.object({
    cpuPercent: number,
    readerBusyPercent: number,
    readerLagP99Ms: number,
    publisherLateP99Ms: number,
    publisherLateMaxMs: number,
    readsPerSecond: number,
    saturated: z.boolean(),
  }),
});

const axis = z.object({ label: z.string(), unit: z.string(), log: z.boolean().optional() });

const run = z.object({
  scenario: z.string(),
  variant: z.string(),
  peer: z.string(),
  run: z.number(),
  failed: z.string().nullable(),
  phases: z.record(z.string(), phase),
  figures: z.record(z.string(), number),
  series: z.record(z.string(), z.object({ x: axis, y: axis, points: z.array(z.tuple([number, number])) })).optional(),
  problems: texts,
});

const spread = z.object({ median: number, min: number, max: number }).nullable();

const bar = z.object({
  scenario: z.string(),
  label: z.string(),
  unit: z.string(),
  value: spread,
  baseline: spread,
  relation: z.object({ kind: z.enum(['ratio', 'difference']), value: number }).nullable(),
  limit: z.string(),
  met: z.boolean().nullable(),
});

const benchFile = z.object({
  machine,
  options: z.object({ smoke: z.boolean().optional(), runs: number.optional() }).optional(),
  partial: z.boolean().default(false),
  runs: z.array(run),
  bars: z.array(bar).default([]),
  notes: texts.default([]),
});

const sizingFile = z.object({
  machine,
  kind: z.literal('sizing'),
  partial: z.boolean().default(false),
  workloads: z.array(
    z.object({
      name: z.string(),
      predicted: z.record(z.string(), number),
      measured: z.record(z.string(), number),
    }),
  ),
  notes: texts.default([]),
});

/** What `npm run bench` writes: bench/micro/results.ts. */
const MICRO_FORMAT = 'ringcast micro benches 1';
const microFile = z.object({
  machine,
  format: z.literal(MICRO_FORMAT),
  options: z.object({ smoke: z.boolean() }),
  partial: z.boolean(),
  benches: z.array(
    z.object({
      id: z.string(),
      group: z.string(),
      unit: z.enum(['ns', 'bytes']),
      item: z.string(),
      items: z.number().positive(),
      rounds: z.array(z.object({ value: number })),
      failed: z.string().nullable(),
    }),
  ),
});

export type Run = z.infer<typeof run>;
export type Phase = z.infer<typeof phase>;
export type Bar = z.infer<typeof bar>;
export type BenchResults = z.infer<typeof benchFile> & { kind: 'bench'; file: string };
export type SizingResults = z.infer<typeof sizingFile> & { file: string };
export type MicroResults = z.infer<typeof microFile> & { kind: 'micro'; file: string };
export type ResultsFile = BenchResults | SizingResults | MicroResults;

/**
 * @param file only its name, for messages and for the report
 * @throws Error with one line that says where the content is not as expected
 */
export function parseResults(content: unknown, file: string): ResultsFile {
  const kind = kindOf(content, file);
  const parsed = { bench: benchFile, sizing: sizingFile, micro: microFile }[kind].safeParse(content);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = issue!.path.map(String).join('.') || 'the whole file';
    throw new Error(`${file} is not a results file of this suite (written with --json): ${place}: ${issue!.message}`);
  }
  return { ...parsed.data, kind, file } as ResultsFile;
}

function kindOf(content: unknown, file: string): ResultsFile['kind'] {
  const { kind, format } = (content ?? {}) as { kind?: unknown; format?: unknown };
  if (format === MICRO_FORMAT) return 'micro';
  if (kind === 'sizing') return 'sizing';
  const other = kind ?? format;
  if (other === undefined || other === 'bench') return 'bench';
  throw new Error(`${file}: results of the kind ${JSON.stringify(other)} are unknown to the report`);
}

/** @throws Error with one line that says what is wrong with the file */
export function readResultsFile(path: string): ResultsFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Error(`${path} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  return parseResults(content, path);
}
