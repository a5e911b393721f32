/**
 * The kinds of values that configuration keys have. A kind ties together how a value is checked, how it is read from
 * text (environment, flags), and how its range is told to people, so that the three cannot disagree.
 */
import { z } from 'zod';
import { formatDurationMs, formatSizeBytes, parseDurationMs, parseSizeBytes } from './units.js';

export type Unit =
  | 'ms'
  | 'bytes'
  | 'messages'
  | 'connections'
  | 'subscriptions'
  | 'topics'
  | 'streams'
  | 'requests'
  | 'threads'
  | 'deliveries/s'
  | 'moves/s'
  | '';

export interface Kind<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  /** The type as the documentation prints it. */
  readonly type: string;
  readonly unit: Unit;
  readonly range: string;
  /** Text of an environment variable or flag → what the schema takes; text that does not fit is left for the schema to refuse. */
  readonly fromText: (text: string) => unknown;
}

/** How a refused value is shown in a message: short, and recognisable. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'bigint' ? `${value}` : (JSON.stringify(value) ?? String(value));
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

const asIs = (text: string): unknown => text;
const asNumber = (text: string): unknown => (/^\s*-?\d+(\.\d+)?\s*$/.test(text) ? Number(text) : text);

/** A schema whose one check returns the value or throws the sentence that says what is wrong. */
function checked<Input, Output>(expected: string, read: (value: unknown) => Output | null) {
  return z.custom<Input>().transform((value, context): Output => {
    const output = read(value);
    if (output !== null) return output;
    const message =
      value === undefined ? `is missing; it must be ${expected}` : `must be ${expected}; got ${shown(value)}`;
    context.issues.push({ code: 'custom', message, input: value });
    return z.NEVER;
  });
}

function within(value: number | null, min: number, max: number, whole: boolean): number | null {
  if (value === null || !Number.isFinite(value) || value < min || value > max) return null;
  return whole && !Number.isInteger(value) ? null : value;
}

function isPowerOfTwo(value: number): boolean {
  return 2 ** Math.round(Math.log2(value)) === value;
}

/** A whole number of things. */
export function count(unit: Unit, min: number, max: number, options: { powerOfTwo?: boolean } = {}) {
  const range = `${min} – ${max}${options.powerOfTwo ? ', a power of two' : ''}`;
  const schema = checked<number, number>(`a whole number in the range ${range}`, (value) => {
    if (typeof value !== 'number' || within(value, min, max, true) === null) return null;
    return options.powerOfTwo && !isPowerOfTwo(value) ? null : value;
  });
  return { schema, type: 'integer', unit, range, fromText: asNumber } satisfies Kind;
}

/** A number that 0 switches off. */
export function offOrNumber(min: number, max: number) {
  const range = `0 (off), or ${min} – ${max}`;
  const schema = checked<number, number>(`0 (off) or a number in the range ${min} – ${max}`, (value) => {
    if (value === 0) return value;
    return typeof value === 'number' ? within(value, min, max, false) : null;
  });
  return { schema, type: 'number', unit: '', range, fromText: asNumber } satisfies Kind;
}

function readDurationMs(value: unknown): number | null {
  if (typeof value === 'string') return parseDurationMs(value);
  return typeof value === 'number' ? value : null;
}

const DURATION_HINT = '(a number of ms, or text with a unit: "500ms", "30s", "5m")';

/** Milliseconds, or text with a unit. */
export function duration(minMs: number, maxMs: number, options: { fraction?: boolean } = {}) {
  const range = `${formatDurationMs(minMs)} – ${formatDurationMs(maxMs)}`;
  const schema = checked<number | string, number>(`a duration in the range ${range} ${DURATION_HINT}`, (value) =>
    within(readDurationMs(value), minMs, maxMs, options.fraction !== true),
  );
  return { schema, type: 'duration', unit: 'ms', range, fromText: asIs } satisfies Kind;
}

/** `auto`, or a duration. */
export function autoOrDuration(minMs: number, maxMs: number) {
  const range = `auto, or ${formatDurationMs(minMs)} – ${formatDurationMs(maxMs)}`;
  const schema = checked<'auto' | number | (string & {}), 'auto' | number>(
    `"auto" or a duration in the range ${formatDurationMs(minMs)} – ${formatDurationMs(maxMs)} ${DURATION_HINT}`,
    (value) => (value === 'auto' ? value : within(readDurationMs(value), minMs, maxMs, true)),
  );
  return { schema, type: '"auto" or duration', unit: 'ms', range, fromText: asIs } satisfies Kind;
}

/** A duration that 0 switches off. */
export function offOrDuration(minMs: number, maxMs: number) {
  const bounds = `${formatDurationMs(minMs)} – ${formatDurationMs(maxMs)}`;
  const schema = checked<number | string, number>(
    `0 (off) or a duration in the range ${bounds} ${DURATION_HINT}`,
    (value) => {
      const durationMs = readDurationMs(value);
      return durationMs === 0 ? 0 : within(durationMs, minMs, maxMs, true);
    },
  );
  return { schema, type: 'duration', unit: 'ms', range: `0 (off), or ${bounds}`, fromText: asIs } satisfies Kind;
}

/** Bytes, or text with a unit. */
export function size(minBytes: number, maxBytes: number, options: { powerOfTwo?: boolean } = {}) {
  const range = `${formatSizeBytes(minBytes)} – ${formatSizeBytes(maxBytes)}${options.powerOfTwo ? ', a power of two' : ''}`;
  const hint = '(a number of bytes, or text with a unit: "64KiB", "1MiB")';
  const schema = checked<number | string, number>(`a size in the range ${range} ${hint}`, (value) => {
    const parsed = typeof value === 'string' ? parseSizeBytes(value) : value;
    if (typeof parsed !== 'number' || within(parsed, minBytes, maxBytes, true) === null) return null;
    return options.powerOfTwo && !isPowerOfTwo(parsed) ? null : parsed;
  });
  return { schema, type: 'size', unit: 'bytes', range, fromText: asIs } satisfies Kind;
}

/** One of a few words. */
export function choice<const Word extends string>(words: readonly Word[]) {
  const list = words.join(', ');
  const schema = checked<Word, Word>(`one of ${list}`, (value) => words.find((word) => word === value) ?? null);
  return { schema, type: 'word', unit: '', range: list, fromText: asIs } satisfies Kind;
}

export function flag() {
  const schema = checked<boolean, boolean>('true or false', (value) => (typeof value === 'boolean' ? value : null));
  const words: Readonly<Record<string, boolean>> = { true: true, false: false, 1: true, 0: false };
  const fromText = (word: string): unknown => words[word.trim().toLowerCase()] ?? word;
  return { schema, type: 'boolean', unit: '', range: 'true, false', fromText } satisfies Kind;
}

/** Text without white space at its ends. */
export function text(range: string) {
  const schema = checked<string, string>(`text without white space at its ends (${range})`, (value) =>
    typeof value === 'string' && value !== '' && value.trim() === value ? value : null,
  );
  return { schema, type: 'text', unit: '', range, fromText: asIs } satisfies Kind;
}

/** A list; as text either JSON, or, where the items are plain words, separated by commas. */
export function list<Item extends z.ZodType>(item: Item, type: string, range: string, comma: 'comma' | 'json') {
  const fromText = (value: string): unknown => {
    if (value.trimStart().startsWith('[')) {
      try {
        return JSON.parse(value);
      } catch {
        return value; // refused by the schema, which shows the text
      }
    }
    return comma === 'comma' ? value.split(',').map((part) => part.trim()) : value;
  };
  const expected =
    comma === 'comma' ? 'a list (as text: names separated by commas, or JSON)' : 'a list (as text: JSON)';
  const schema = z.array(item, { error: (issue) => `must be ${expected}; got ${shown(issue.input)}` });
  return { schema, type, unit: '', range, fromText } satisfies Kind;
}
