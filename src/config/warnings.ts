/** What is allowed, and probably not meant. */
import type { SchemaOutput } from './schema.js';

interface Placement extends Pick<SchemaOutput, 'lanes' | 'maxHotTopics'> {
  readonly topics: { readonly rules: readonly Pick<SchemaOutput['topics']['rules'][number], 'match' | 'home'>[] };
}

/**
 * A sentence for each, saying what to do.
 *
 * @param cores what the machine has for this process: `availableParallelism()`
 */
export function configWarnings(config: Placement, cores: number): string[] {
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
  return warnings;
}
