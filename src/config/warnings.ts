/** What is allowed, and probably not meant. */
import { connectionsWithin, openFilesNeeded } from './open-files.js';
import { MAX_CONNECTIONS_DEFAULT, type SchemaOutput } from './schema.js';

/** Where nobody has asked for a number of connections, so many are enough for a start without a word. */
const ENOUGH_CONNECTIONS = 10_000;

interface Judged extends Pick<SchemaOutput, 'lanes' | 'maxHotTopics' | 'maxConnections'> {
  readonly topics: { readonly rules: readonly Pick<SchemaOutput['topics']['rules'][number], 'match' | 'home'>[] };
}

/**
 * A sentence for each, saying what to do.
 *
 * @param cores what the machine has for this process: `availableParallelism()`
 * @param openFiles how many files this process may open: `openFilesMax()`
 */
export function configWarnings(config: Judged, cores: number, openFiles: number | null): string[] {
  const warnings: string[] = [];
  const { lanes, maxHotTopics } = config;
  if (lanes > cores) {
    const better = Math.max(1, cores - 1);
    warnings.push(
      `lanes is ${lanes}, but there ${cores === 1 ? 'is 1 core' : `are ${cores} cores`}: lanes that have to share one ` +
        `take time from each other and from the accept thread, which does every write; set lanes to ${better} or less.`,
    );
  }
  const hot = config.topics.rules.filter(({ home }) => home !== 'auto' && home !== 'cold');
  const none = lanes === 0 ? 'lanes' : maxHotTopics === 0 ? 'maxHotTopics' : null;
  if (none !== null && hot.length > 0) {
    const rules = hot.map(({ match }) => JSON.stringify(match)).join(', ');
    warnings.push(
      `${none} is 0, but rules want topics in lanes (${rules}): these run on the accept thread; ` +
        `raise ${none}, or take "home" out of these rules.`,
    );
  }
  const { maxConnections } = config;
  const possible = openFiles === null ? Number.POSITIVE_INFINITY : connectionsWithin(openFiles);
  if (possible < (maxConnections === MAX_CONNECTIONS_DEFAULT ? ENOUGH_CONNECTIONS : maxConnections)) {
    warnings.push(
      `maxConnections is ${maxConnections}, but this process may open ${openFiles} files only (ulimit -n): more than ${possible} ` +
        `connections are refused; raise the limit to ${openFilesNeeded(maxConnections)}, or set maxConnections to ${Math.max(1, possible)} or less.`,
    );
  }
  return warnings;
}
