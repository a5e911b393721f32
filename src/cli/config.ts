/** `ringcast config`: the effective configuration with the source of each value, and the worst-case memory as a sum. */
import { Command } from 'commander';
import {
  type ConfigKey,
  type ConfigSources,
  configKeys,
  configValue,
  type EngineConfig,
  formatDurationMs,
  formatSizeBytes,
  MEMORY_BOUND_MEANING,
  type MemoryBound,
  memoryBound,
  type ResolvedConfig,
  topicRuleKeys,
} from '../config.js';
import { addConfigFlags, configFromFlags, defaultText, tellNotices, tellWarnings } from './config-flags.js';

const HIDDEN = '(hidden)';

export function configCommand(): Command {
  const command = new Command('config')
    .description('print the effective configuration, where each value comes from, and the worst-case memory')
    .option('--json', 'as one JSON object')
    .option('--markdown', 'the reference of all keys as Markdown, as in the README');
  return addConfigFlags(command).action(() => {
    const { json, markdown } = command.opts<{ json?: boolean; markdown?: boolean }>();
    if (markdown === true) {
      process.stdout.write(renderReference());
      return;
    }
    const resolved = configFromFlags(command);
    tellNotices(resolved);
    tellWarnings(resolved.config);
    process.stdout.write(json === true ? renderJson(resolved) : renderText(resolved));
  });
}

/** The documentation of every key: it does not depend on the machine or the environment. */
export function renderReference(): string {
  const rows = configKeys.map((key) => [
    `\`${key.name}\``,
    markdownSafe(referenceDefault(key)),
    markdownSafe(key.range),
    key.environment.map((name) => `\`${name}\``).join(', '),
    markdownSafe(key.reason),
  ]);
  const own = topicRuleKeys.filter((name) => name !== 'match' && name !== 'home').map((name) => `\`${name}\``);
  const rules =
    '\nRules for topics: `match` is a topic name in which `*` stands for any characters; `home` is `auto` (the default: cold, ' +
    'and in a lane while the load asks for it) or ties the topics to a place: `cold`, `hot` (some lane) or the number of a ' +
    `lane. A rule may also set ${own.join(', ')} for its topics.\n`;
  return markdownTable(['key', 'default', 'range', 'environment', 'reason'], rows) + rules;
}

function referenceDefault(key: ConfigKey): string {
  if (key.defaultText !== undefined || key.default === undefined) return defaultText(key);
  if (typeof key.default !== 'number') return `\`${defaultText(key)}\``;
  const unit = unitOf(key, key.default);
  return unit === '' ? `\`${key.default}\`` : `\`${key.default}\` ${unit}`;
}

function markdownSafe(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('');
}

export function renderJson({ config, sources }: ResolvedConfig): string {
  const tls = config.tls?.passphrase === undefined ? config.tls : { ...config.tls, passphrase: HIDDEN };
  const shown = { config: { ...config, ...(tls === undefined ? {} : { tls }) }, sources, memory: memoryBound(config) };
  return `${JSON.stringify(shown, null, 2)}\n`;
}

export function renderText({ config, sources }: ResolvedConfig): string {
  const { rows, totalBytes, connectionRows, connectionBytes } = memoryBound(config);
  return [
    alignedTable(
      ['key', 'value', 'unit', 'source'],
      configKeys.map((key) => configRow(key, config, sources)),
    ),
    ...config.topics.rules.map((rule, index) => `topics.rules[${index}] ${JSON.stringify(rule)}\n`),
    '\nWorst-case memory of the engine\n',
    memoryTable(rows, totalBytes),
    '\nand of each connection\n',
    memoryTable(connectionRows, connectionBytes),
    `${MEMORY_BOUND_MEANING}\n`,
  ].join('');
}

function memoryTable(rows: MemoryBound['rows'], totalBytes: number): string {
  const cells = rows.map(({ owner, formula, bytes }) => [owner, formatSizeBytes(bytes), formula]);
  return alignedTable(
    ['owner', 'bytes', 'formula'],
    [...cells, ['total', formatSizeBytes(totalBytes), 'sum of the above']],
  );
}

function configRow(key: ConfigKey, config: EngineConfig, sources: ConfigSources): string[] {
  const value = configValue(config, key.name);
  return [
    key.name,
    key.secret && value !== undefined ? HIDDEN : plainValue(value),
    unitOf(key, value),
    sources[key.name],
  ];
}

function plainValue(value: unknown): string {
  if (value === undefined) return '–';
  if (!Array.isArray(value)) return String(value);
  if (value.length === 0) return 'none';
  return value.every((item) => typeof item === 'string') ? value.join(',') : `${value.length}, see below`;
}

/** The unit, and large values once more in a unit that is easier to read. */
function unitOf({ unit }: ConfigKey, value: unknown): string {
  if (typeof value !== 'number') return '';
  if (unit === 'bytes' && value >= 1024) return `bytes = ${formatSizeBytes(value)}`;
  if (unit === 'ms' && value >= 1000) return `ms = ${formatDurationMs(value)}`;
  return unit;
}

/** Columns as wide as their widest cell, two spaces between. */
function alignedTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return `${[line(head), rule, ...rows.map(line)].join('\n')}\n`;
}
