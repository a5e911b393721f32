// The runs of all files, ready to be asked: by scenario, and by what a line or a bar of a plot is labelled with.

import { type LineStyle, stylesOf } from './chart/line-style.js';
import { groupBy } from './groups.js';
import type { Bar, BenchResults, Run } from './results-file.js';

/** One results file. Its letter tells it from others, and is empty where there is one. */
export interface Source extends BenchResults {
  letter: string;
}

export interface SourcedRun extends Run {
  source: Source;
}

export interface SourcedBar extends Bar {
  source: Source;
}

/** Others follow by name. */
const PEERS_FIRST = ['ringcast', 'ringcast-lanes', 'uws-publish', 'uws-send-loop', 'ws'];
const SOURCE_MARK = ', file ';
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

const rankOf = (peer: string): number => {
  const rank = PEERS_FIRST.indexOf(peer);
  return rank < 0 ? PEERS_FIRST.length : rank;
};
const peerOf = (label: string): string => label.split(SOURCE_MARK)[0];
const byPeer = (a: string, b: string): number => rankOf(peerOf(a)) - rankOf(peerOf(b)) || (a < b ? -1 : 1);

export class Dataset {
  readonly sources: readonly Source[];
  /** In the order in which they ran. */
  readonly scenarios: readonly string[];
  /** All runs; failed ones are among them. */
  readonly runs: readonly SourcedRun[];
  readonly #styles: Map<string, LineStyle>;

  constructor(files: readonly BenchResults[]) {
    this.sources = files.map((file, index) => ({
      ...file,
      letter: files.length > 1 ? (LETTERS[index] ?? String(index + 1)) : '',
    }));
    this.runs = this.sources.flatMap((source) => source.runs.map((run) => ({ ...run, source })));
    this.scenarios = [...new Set(this.runs.map(({ scenario }) => scenario))];
    const labels = new Set(this.runs.map((run) => this.labelOf(run)));
    this.#styles = stylesOf([...labels].sort(byPeer));
  }

  get bars(): SourcedBar[] {
    return this.sources.flatMap((source) => source.bars.map((bar) => ({ ...bar, source })));
  }

  /** Runs that took place. */
  runsOf(scenario: string): SourcedRun[] {
    return this.runs.filter((run) => run.scenario === scenario && run.failed === null);
  }

  /** Figures of different commands are never mixed: where several files have a scenario, the label says which it is. */
  labelOf({ scenario, peer, source }: SourcedRun): string {
    const shared = this.sources.some(
      (other) => other !== source && other.runs.some((run) => run.scenario === scenario && run.peer === peer),
    );
    return shared ? `${peer}${SOURCE_MARK}${source.letter}` : peer;
  }

  /** Runs by their labels: ringcast first, the others in one order everywhere. */
  byLabel(runs: readonly SourcedRun[]): Map<string, SourcedRun[]> {
    const groups = groupBy(runs, (run) => this.labelOf(run));
    return new Map(
      [...this.#styles.keys()].flatMap((label) => (groups.has(label) ? [[label, groups.get(label)!]] : [])),
    );
  }

  /** The same peer looks the same in every plot. */
  styleOf(label: string): LineStyle {
    return this.#styles.get(label)!;
  }
}
