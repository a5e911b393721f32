// What a reader must know about runs before looking at their figures, gathered by peer and variant.

import { unannounced } from '../support/results.js';
import type { Dataset, SourcedRun } from './dataset.js';
import { figure, plural } from './format.js';
import { groupBy } from './groups.js';
import type { BenchResults, Phase } from './results-file.js';

const TEXT_MAX = 200;

/** One text per fact; empty when all went well. What was skipped stands here, too. */
export function warningsOf(dataset: Dataset, scenario: string): string[] {
  const runs = dataset.runs.filter((run) => run.scenario === scenario);
  const remarks = remarksOf(dataset.sources).filter((text) => concerns(text, scenario));
  return [...factsOf(dataset, runs), ...remarks];
}

/** Notes of the files that are not about single runs: those are told by the runs themselves, gathered. */
export function remarksOf(sources: readonly BenchResults[]): string[] {
  return sources.flatMap((source) => {
    const ofRuns = source.runs.map(
      ({ scenario, peer, variant, run }) => `${scenario}, ${peer}, ${variant}, run ${run + 1}`,
    );
    return source.notes.filter(
      (note) => !note.startsWith('PARTIAL') && !ofRuns.some((start) => note.startsWith(start)),
    );
  });
}

export const concerns = (remark: string, scenario: string): boolean =>
  /^[,:]/.test(remark.slice(scenario.length)) && remark.startsWith(scenario);

function factsOf(dataset: Dataset, runs: readonly SourcedRun[]): string[] {
  const groups = groupBy(runs, (run) => JSON.stringify([dataset.labelOf(run), run.variant]));
  return [...groups.values()].flatMap((group) => {
    const where = `${dataset.labelOf(group[0])}, ${group[0].variant}`;
    return [failures(group), incomplete(group), saturated(group), problems(group)]
      .filter((fact) => fact !== null)
      .map((fact) => `${where}: ${fact}`);
  });
}

const firstLine = (text: string): string => text.split('\n')[0].slice(0, TEXT_MAX);

function share(part: number, all: readonly SourcedRun[]): string {
  return all.length === 1 ? 'the run' : `${figure(part)} of ${plural(all.length, 'run')}`;
}

function failures(runs: readonly SourcedRun[]): string | null {
  const failed = runs.filter((run) => run.failed !== null);
  if (failed.length === 0) return null;
  return `${share(failed.length, runs)} failed, without figures: ${firstLine(failed[0].failed!)}`;
}

/** Where more was offered than fits, messages may be skipped, if the server says so. */
export function completeness({ verification: v, mayOverload }: Phase): 'complete' | 'rest announced' | 'INCOMPLETE' {
  if (v.complete) return 'complete';
  const isTold = mayOverload === true && unannounced(v) + v.doubled + v.reordered + v.corrupt === 0;
  return isTold ? 'rest announced' : 'INCOMPLETE';
}

function incomplete(runs: readonly SourcedRun[]): string | null {
  const broken = runs.filter((run) => Object.values(run.phases).some((phase) => completeness(phase) === 'INCOMPLETE'));
  if (broken.length === 0) return null;
  const all = broken.flatMap((run) => Object.values(run.phases).map((phase) => phase.verification));
  const sum = (pick: (verification: (typeof all)[number]) => number): number =>
    all.reduce((total, verification) => total + pick(verification), 0);
  const faults = [
    [sum((v) => v.lost), 'lost'],
    [sum((v) => v.doubled), 'doubled'],
    [sum((v) => v.reordered), 'out of order'],
    [sum((v) => v.corrupt), 'foreign or corrupt'],
    [sum((v) => v.gapMessages), 'announced as gaps'],
  ] as const;
  const named = faults.filter(([count]) => count > 0).map(([count, what]) => `${figure(count)} ${what}`);
  const expected = `${figure(sum((v) => v.expected))} deliveries`;
  return `${share(broken.length, runs)} incomplete: of ${expected} ${named.join(', ') || 'not all arrived'}`;
}

function saturated(runs: readonly SourcedRun[]): string | null {
  const busy = runs.flatMap((run) =>
    Object.entries(run.phases)
      .filter(([, phase]) => phase.generator.saturated)
      .map(([name]) => ({ run, name })),
  );
  if (busy.length === 0) return null;
  const names = [...new Set(busy.map(({ name }) => name))];
  const phases = names.length > 4 ? `${names.slice(0, 3).join('; ')} and ${names.length - 3} more` : names.join('; ');
  const count = new Set(busy.map(({ run }) => run)).size;
  return `load generator saturated in ${share(count, runs)} (${phases}): latencies are partly its own`;
}

function problems(runs: readonly SourcedRun[]): string | null {
  const texts = [...new Set(runs.flatMap((run) => run.problems))];
  if (texts.length === 0) return null;
  const more = texts.length > 2 ? `, and ${plural(texts.length - 2, 'further problem')}` : '';
  return texts.slice(0, 2).map(firstLine).join('; ') + more;
}
