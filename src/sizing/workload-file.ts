/**
 * Workload files, TOML or JSON: several classes of clients, several groups of topics. Every field is checked, and what is
 * wrong is told with its line, its name and what is allowed.
 */
import { parse as parseToml, TomlError } from 'smol-toml';
import { z } from 'zod';
import { closest } from '../config/problems.js';
import { lineOfField } from './field-lines.js';
import { type Problem, problemsIn } from './problems.js';
import type { Workload, WorkloadSettings } from './workload.js';

const whole = (min: number, max: number) =>
  z.int(`must be a whole number from ${min} to ${max}`).min(min, bound(min, max)).max(max, bound(min, max));
const number = (min: number, max: number) =>
  z.number(bound(min, max)).min(min, bound(min, max)).max(max, bound(min, max));

function bound(min: number, max: number): string {
  return `must be a number from ${min} to ${max}`;
}

/** Limits beyond which a number is a mistake rather than a plan. */
export const LIMITS = {
  clients: [0, 1_000_000_000],
  topics: [1, 10_000_000],
  topicsPerClient: [0, 1_000_000],
  rate: [0, 10_000_000],
  bytes: [1, 64 * 1024 * 1024],
  maxDelayMs: [0, 1000],
  burst: [1, 10_000],
} as const;

/** A union of zod would only say of which of its branches a value is no member. */
function autoOr(what: string, [min, max]: readonly [number, number], isValid: (value: number) => boolean) {
  return z.custom<'auto' | number>(
    (value) => value === 'auto' || (typeof value === 'number' && value >= min && value <= max && isValid(value)),
    `must be "auto" or a ${what} from ${min} to ${max}`,
  );
}

const delaySchema = autoOr('number of ms', LIMITS.maxDelayMs, () => true);
const flag = z.boolean('must be true or false');
const nameSchema = z.string('must be a name').min(1, 'must be a name');

const topicSchema = z.strictObject({
  name: nameSchema,
  count: whole(...LIMITS.topics),
  rate: number(...LIMITS.rate),
  bytes: number(...LIMITS.bytes),
  hot: flag.default(false),
  maxDelayMs: delaySchema.optional(),
  burst: whole(...LIMITS.burst).default(1),
});

const clientSchema = z.strictObject({
  name: nameSchema,
  count: whole(...LIMITS.clients),
  topics: z.record(z.string(), number(...LIMITS.topicsPerClient), 'must be a table: topic group = topics per client'),
  json: flag.default(false),
  reads: flag.default(true),
});

const settingsSchema = z.strictObject({
  tls: flag.optional(),
  lanes: autoOr('whole number', [0, 64], Number.isInteger).optional(),
  historyMessages: whole(0, 4_194_304).optional(),
  historyBytes: whole(0, 2 ** 30).optional(),
  hotLogBytes: whole(8192, 2 ** 30).optional(),
  hotLogFrames: whole(16, 4_194_304).optional(),
  coldLogMaxBytes: whole(8192, 2 ** 30).optional(),
  coldLogMaxFrames: whole(16, 4_194_304).optional(),
  ringBytes: whole(8192, 2 ** 30).optional(),
});

const fileSchema = z.strictObject({
  maxDelayMs: delaySchema.default('auto'),
  topics: z.array(topicSchema, 'must be a list of topic groups').min(1, 'must have at least one topic group'),
  clients: z.array(clientSchema, 'must be a list of client classes').min(1, 'must have at least one client class'),
  settings: settingsSchema.prefault({}),
});

type FileContent = z.output<typeof fileSchema>;

const KNOWN_FIELDS: readonly string[] = Object.keys(fileSchema.shape);

/** By the part of a path that says in what a field is. */
const KNOWN_WITHIN: Readonly<Record<string, readonly string[]>> = {
  topics: Object.keys(topicSchema.shape),
  clients: Object.keys(clientSchema.shape),
  settings: Object.keys(settingsSchema.shape),
};

/** Throws SizingError with everything that is wrong. @param path says by its ending what is in it: `.json`, else TOML */
export function parseWorkload(text: string, path: string, defaults: WorkloadSettings): Workload {
  const content = path.endsWith('.json') ? parseJsonText(text, path) : parseTomlText(text, path);
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success)
    throw problemsIn(
      path,
      parsed.error.issues.flatMap((issue) => describe(issue, text, content)),
    );
  const problems = crossProblems(parsed.data, text);
  if (problems.length > 0) throw problemsIn(path, problems);
  return workloadOf(parsed.data, defaults);
}

function workloadOf({ topics, clients, settings, maxDelayMs }: FileContent, defaults: WorkloadSettings): Workload {
  return {
    topics: topics.map(({ name, count, rate, bytes, hot, maxDelayMs: own, burst }) => ({
      name,
      count,
      ratePerSecond: rate,
      bytes,
      home: hot ? 'hot' : 'cold',
      maxDelayMs: own ?? maxDelayMs,
      burst,
    })),
    clients: clients.map(({ count, ...each }) => ({ ...each, clients: count })),
    settings: { ...defaults, ...(withoutUndefined(settings) as Partial<WorkloadSettings>) },
  };
}

function withoutUndefined(settings: FileContent['settings']): object {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** What no field alone shows. */
function crossProblems({ topics, clients, settings }: FileContent, text: string): Problem[] {
  const problems: Problem[] = [];
  const add = (path: readonly (string | number)[], message: string): void => {
    problems.push({ line: lineOfField(text, path), field: fieldText(path), message });
  };
  const groups = new Map<string, number>();
  topics.forEach(({ name, count, hot }, index) => {
    if (groups.has(name)) add(['topics', index, 'name'], `is "${name}" a second time; names must differ`);
    groups.set(name, count);
    if (hot && settings.lanes === 0)
      add(['topics', index, 'hot'], 'is true, but settings.lanes is 0: there is no lane');
  });
  clients.forEach((each, index) => {
    for (const [name, count] of Object.entries(each.topics)) {
      const path = ['clients', index, 'topics', name];
      const available = groups.get(name);
      if (available === undefined) {
        const meant = closest(name, [...groups.keys()]);
        add(
          path,
          `is no topic group; there are ${[...groups.keys()].join(', ')}${meant === null ? '' : ` (did you mean ${meant}?)`}`,
        );
      } else if (count > available) {
        add(path, `is ${count}, but the group has only ${available} topics`);
      }
    }
  });
  return problems;
}

function parseJsonText(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const position = /position (\d+)/.exec(message)?.[1];
    const line = position === undefined ? null : text.slice(0, Number(position)).split('\n').length;
    throw problemsIn(path, [{ line, field: '', message: `not JSON: ${message}` }]);
  }
}

function parseTomlText(text: string, path: string): unknown {
  try {
    return parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // Its message goes on with a drawing of the place.
    const [reason] = error.message.split('\n');
    throw problemsIn(path, [
      { line: error.line, field: '', message: `not TOML: ${reason.replace(/^Invalid TOML document: /, '')}` },
    ]);
  }
}

function describe(issue: z.core.$ZodIssue, text: string, content: unknown): Problem[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys') {
    const known = path.length === 0 ? KNOWN_FIELDS : (KNOWN_WITHIN[String(path[0])] ?? KNOWN_FIELDS);
    return issue.keys.map((key) => {
      const meant = closest(key, known);
      const hint = meant === null ? `allowed are ${known.join(', ')}` : `did you mean ${meant}?`;
      return {
        line: lineOfField(text, [...path, key]),
        field: fieldText([...path, key]),
        message: `is unknown; ${hint}`,
      };
    });
  }
  const isMissing = path.length > 0 && valueAt(content, path) === undefined;
  const message = isMissing ? `is missing: it ${issue.message}` : plainMessage(issue.message);
  return [{ line: lineOfField(text, path), field: fieldText(path), message }];
}

function valueAt(content: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((node, part) => (node as Record<string | number, unknown> | undefined)?.[part], content);
}

/** Of issues that no field has a message for. */
function plainMessage(message: string): string {
  return message.replace(/^Invalid input: expected/, 'must be of type').replace(/, received/, ', is');
}

function fieldText(path: readonly (string | number)[]): string {
  return path.reduce<string>((before, part) => {
    if (typeof part === 'number') return `${before}[${part}]`;
    return before === '' ? part : `${before}.${part}`;
  }, '');
}
