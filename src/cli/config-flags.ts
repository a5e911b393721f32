/** One command-line flag per configuration key, from the schema's own list, and the way back to a configuration. */
import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import {
  type ConfigKey,
  configKeys,
  configWarnings,
  type EngineConfig,
  openFilesMax,
  type ResolvedConfig,
  resolveConfig,
} from '../config.js';

const HELP_GROUP = 'Configuration:';

/** Adds `--config <file>` and a flag for every configuration key. */
export function addConfigFlags(command: Command): Command {
  command.addOption(
    new Option('--config <file>', 'JSON file with configuration keys; environment and flags override it').helpGroup(
      HELP_GROUP,
    ),
  );
  for (const key of configKeys) {
    command.addOption(optionOf(key).helpGroup(HELP_GROUP));
  }
  return command;
}

/** The configuration of file, environment and flags, in that rising order. Throws RingcastError BAD_REQUEST. */
export function configFromFlags(
  command: Command,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ResolvedConfig {
  const given: Record<string, unknown> = command.opts();
  const flags = Object.fromEntries(configKeys.map((key) => [key.name, given[optionOf(key).attributeName()]]));
  return resolveConfig({ file: given.config as string | undefined, env, flags });
}

/** To stderr, so that output for scripts stays what it is. */
export function tellWarnings(config: EngineConfig, cores = availableParallelism(), openFiles = openFilesMax()): void {
  for (const warning of configWarnings(config, cores, openFiles)) console.error(`ringcast: ${warning}`);
}

/** What of the environment was used, and what was not. */
export function tellNotices({ notices }: Pick<ResolvedConfig, 'notices'>): void {
  for (const notice of notices) console.error(`ringcast: ${notice}`);
}

/** No default here: a flag that was not given must not hide the environment or the file. */
function optionOf(key: ConfigKey): Option {
  const value = key.type.replaceAll(/[^a-z]+/gi, '-').replaceAll(/^-|-$/g, '');
  return new Option(`${key.flag} <${value}>`, `${key.reason} [${key.range}; default: ${defaultText(key)}]`);
}

/** A default as documentation prints it. */
export function defaultText(key: ConfigKey): string {
  if (key.defaultText !== undefined) return key.defaultText;
  if (key.default === undefined) return 'none';
  return typeof key.default === 'object' ? JSON.stringify(key.default) : String(key.default);
}
