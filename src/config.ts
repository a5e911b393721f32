/**
 * The configuration's entry: checks what it is given against the one schema (config/schema.ts), merges file,
 * environment and flags in that rising order, and says of each value where it came from.
 *
 * Unknown keys are errors, everything that is wrong is told at once, and what comes out is frozen.
 */
import { readFileSync } from 'node:fs';
import { CROSS_CHECKS } from './config/cross-checks.js';
import { type Environment, readEnvironment } from './config/environment.js';
import { type ConfigProblem, configError, unknownName } from './config/problems.js';
import {
  configKeys,
  engineSchema,
  type RuleInput,
  type RuleOutput,
  type SchemaInput,
  type SchemaOutput,
  topicRuleKeys,
} from './config/schema.js';

export { CONNECTION_BYTES, MEMORY_BOUND_MEANING, type MemoryBound, memoryBound } from './config/memory-bound.js';
export { openFilesMax } from './config/open-files.js';
export { type ConfigKey, configKeys, topicRuleKeys } from './config/schema.js';
export { formatDurationMs, formatSizeBytes } from './config/units.js';
export { configWarnings } from './config/warnings.js';

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;

/** A complete, checked configuration. Durations are milliseconds and sizes bytes, as the names say. */
export type EngineConfig = Frozen<SchemaOutput>;

/** How topics whose name fits `match` differ from the rest. */
export type TopicRule = Frozen<RuleOutput>;

/** What `createEngine` and a configuration file take: every key is optional, durations and sizes may be text with units. */
export type EngineOptions = Frozen<Omit<SchemaInput, 'topics'>> & {
  /** An array is shorthand for `{ rules: [...] }`. */
  readonly topics?: Frozen<NonNullable<SchemaInput['topics']>> | readonly Frozen<RuleInput>[] | undefined;
};

/** `default`, `file <path>`, `environment <NAME>` or `flag --<name>`, per key of `configKeys`. */
export type ConfigSources = Readonly<Record<string, string>>;

export interface ResolvedConfig {
  readonly config: EngineConfig;
  readonly sources: ConfigSources;
  /** Lines about the environment: what was used of it, and what was not although it looks meant. */
  readonly notices: readonly string[];
}

export interface ConfigLayers {
  /** Path of a JSON file. */
  readonly file?: string | undefined;
  readonly env: Environment;
  /** By key name (`topics.autoCreate`); text is read as in the environment. Undefined values count as not given. */
  readonly flags: Readonly<Record<string, unknown>>;
}

type Tree = Record<string, unknown>;

/** Throws RingcastError BAD_REQUEST with everything that is wrong. */
export function parseConfig(input: unknown = {}): EngineConfig {
  const { config, problems } = check(input, {}, '');
  if (config === null) throw configError(problems);
  return config;
}

/** Like `parseConfig`, of three layers: file < environment < flags. */
export function resolveConfig({ file, env, flags }: ConfigLayers): ResolvedConfig {
  const problems: ConfigProblem[] = [];
  const sources: Record<string, string> = Object.fromEntries(configKeys.map(({ name }) => [name, 'default']));
  const tree = file === undefined ? {} : readConfigFile(file);
  for (const { name } of configKeys) {
    if (file !== undefined && valueAt(tree, name) !== undefined) sources[name] = `file ${file}`;
  }

  const byName = new Map(configKeys.map((key) => [key.name, key]));
  const { settings, notices } = readEnvironment(env, configKeys);
  for (const [name, { variable, text }] of settings) {
    setAt(tree, name, byName.get(name)!.fromText(text));
    sources[name] = `environment ${variable}`;
  }

  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const key = byName.get(name);
    if (key === undefined) {
      problems.push({ key: name, source: 'flag', message: unknownName('flag', name, [...byName.keys()]) });
      continue;
    }
    setAt(tree, name, typeof value === 'string' ? key.fromText(value) : value);
    sources[name] = `flag ${key.flag}`;
  }

  // Only a file can bring in keys that no schema key, variable or flag has set.
  const checked = check(tree, sources, file === undefined ? '' : `file ${file}`);
  problems.push(...checked.problems);
  if (checked.config === null || problems.length > 0) throw configError(problems);
  return { config: checked.config, sources: Object.freeze(sources), notices };
}

function readConfigFile(path: string): Tree {
  const fail = (message: string) => configError([{ key: '', source: `file ${path}`, message }]);
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    throw fail(`cannot be read (${error instanceof Error && 'code' in error ? error.code : error})`);
  }
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw fail(`is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (!isTree(value)) throw fail('must hold one JSON object');
  return withoutShorthand(value) as Tree;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A copy, as far as it is written to, with `topics: [...]` as `topics: { rules: [...] }`. */
function withoutShorthand(input: unknown): unknown {
  if (!isTree(input)) return input;
  const copy = { ...input };
  for (const [name, value] of Object.entries(copy)) if (isTree(value)) copy[name] = { ...value };
  if (Array.isArray(copy.topics)) copy.topics = { rules: copy.topics };
  return copy;
}

function valueAt(tree: Readonly<Tree>, name: string): unknown {
  return name.split('.').reduce<unknown>((node, part) => (isTree(node) ? node[part] : undefined), tree);
}

/** The value of one of `configKeys`, nested ones included. */
export function configValue(config: EngineConfig, name: string): unknown {
  return valueAt(config, name);
}

function setAt(tree: Tree, name: string, value: unknown): void {
  const parts = name.split('.');
  const last = parts.pop() as string;
  let node = tree;
  for (const part of parts) {
    if (!isTree(node[part])) node[part] = {};
    node = node[part] as Tree;
  }
  node[last] = value;
}

/** Either a configuration, or problems. */
function check(
  input: unknown,
  sources: ConfigSources,
  unknownKeySource: string,
): { config: EngineConfig | null; problems: ConfigProblem[] } {
  const given = withoutShorthand(input);
  if (!isTree(given)) {
    return { config: null, problems: [{ key: '', source: '', message: 'must be an object' }] };
  }
  const first = engineSchema.safeParse(given);
  const problems = first.success
    ? []
    : first.error.issues.flatMap((issue) => describeIssue(issue, sources, unknownKeySource));

  // Checks between keys run also when other keys are wrong, so that nobody has to repair a file in several rounds.
  const wrongKeys = new Set(first.success ? [] : first.error.issues.flatMap(({ path }) => path.slice(0, 1)));
  const rest = Object.entries(given).filter(
    ([name]) => !wrongKeys.has(name) && Object.hasOwn(engineSchema.shape, name),
  );
  const config = first.success ? first.data : engineSchema.parse(Object.fromEntries(rest));
  for (const { reads, check: findProblems } of CROSS_CHECKS) {
    if (reads.some((name) => wrongKeys.has(name))) continue;
    for (const { at, message } of findProblems(config))
      problems.push({ key: at, source: sourceOf(at, sources), message });
  }
  return problems.length > 0 ? { config: null, problems } : { config: deepFreeze(config), problems };
}

type Issue = NonNullable<ReturnType<typeof engineSchema.safeParse>['error']>['issues'][number];

function describeIssue(issue: Issue, sources: ConfigSources, unknownKeySource: string): ConfigProblem[] {
  const path = pathText(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const prefix = path === '' ? '' : `${path}.`;
    const source = sourceOf(path, sources) || unknownKeySource;
    return issue.keys.map((name) => ({
      key: prefix + name,
      source,
      message: unknownName('key', name, knownBeside(issue.path)),
    }));
  }
  const message = issue.code === 'invalid_type' ? wrongType(issue) : issue.message;
  return [{ key: path, source: sourceOf(path, sources), message }];
}

function wrongType(issue: Extract<Issue, { code: 'invalid_type' }>): string {
  if (!issue.message.startsWith('Invalid input')) return issue.message;
  return `must be ${/^[aeiou]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`;
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((before, part) => {
    if (typeof part === 'number') return `${before}[${part}]`;
    return before === '' ? String(part) : `${before}.${String(part)}`;
  }, '');
}

/** Names that would have been right at this place. */
function knownBeside(path: readonly PropertyKey[]): readonly string[] {
  if (path.some((part) => typeof part === 'number')) return topicRuleKeys;
  const prefix = path.length === 0 ? '' : `${pathText(path)}.`;
  const names = configKeys.filter(({ name }) => name.startsWith(prefix)).map(({ name }) => name.slice(prefix.length));
  return [...new Set(names.map((name) => name.split('.')[0]))];
}

/** Of the key itself or, for a place inside a key's value, of that key. Defaults are not worth telling. */
function sourceOf(path: string, sources: ConfigSources): string {
  const key = configKeys.find(
    ({ name }) => path === name || path.startsWith(`${name}[`) || path.startsWith(`${name}.`),
  );
  const source = key === undefined ? undefined : sources[key.name];
  return source === undefined || source === 'default' ? '' : source;
}

function deepFreeze(value: SchemaOutput): EngineConfig {
  const freeze = (node: unknown): void => {
    if (typeof node !== 'object' || node === null || Object.isFrozen(node)) return;
    Object.freeze(node);
    for (const child of Object.values(node)) freeze(child);
  };
  freeze(value);
  return value;
}
