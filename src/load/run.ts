/** A run from its start to its result, whoever generates the load. */
import { LoadError } from './explain.js';
import type { LoadJob } from './job.js';
import type { LoadResult } from './result.js';
import type { Team, TeamReport, Tick } from './team.js';
import { TeamGroup } from './team-group.js';

/** Enough for a command to reach all machines. */
const START_IN_MS = 300;
/** A run whose measured time is shorter by this part has ended early. Timers of a busy machine are late, not early. */
const SHORT_SHARE = 0.5;

export const PHASES = ['connecting', 'probing', 'running', 'waiting for what is under way'] as const;
export type Phase = (typeof PHASES)[number];

export interface RunOptions {
  readonly job: LoadJob;
  /** One per machine. */
  readonly machines: readonly Team[];
  readonly onPhase?: (phase: Phase) => void;
  readonly onTick?: (tick: Tick) => void;
  readonly onNotice?: (text: string) => void;
  /** Ends the run early; what has been published is verified all the same. */
  readonly stop?: AbortSignal;
}

export interface RunOutcome {
  readonly result: LoadResult;
  /** Why it is not the whole run; empty: it is. */
  readonly partial: readonly string[];
}

/** Throws LoadError when there is nothing to show. The machines are closed in any case. */
export async function runLoad(options: RunOptions): Promise<RunOutcome> {
  const { job, machines, onPhase, onNotice, stop } = options;
  const group = new TeamGroup(machines, {
    name: 'all machines',
    partOf: (part, index) => ({ ...part, machine: index }),
    outlivesMembers: true,
  });
  const answers = new Answers(group, options.onTick ?? (() => {}));
  let isRunning = false;
  const onStop = (): void => {
    if (isRunning) group.send({ type: 'stop' });
    else answers.fail('ended before anything was published');
  };
  stop?.addEventListener('abort', onStop);
  try {
    if (stop?.aborted) throw new LoadError('ended before anything was published');
    onPhase?.('connecting');
    const part = { machine: 0, machines: machines.length, process: 0, processes: 1 };
    group.send({ type: 'start', job, part });
    for (const notice of (await answers.next('opened')).notices) onNotice?.(notice);
    onPhase?.('probing');
    group.send({ type: 'probe' });
    await answers.next('probed');
    onPhase?.('running');
    isRunning = true;
    group.send({ type: 'go', inMs: START_IN_MS });
    const { published } = await answers.next('done');
    onPhase?.('waiting for what is under way');
    group.send({ type: 'verify', published, lostSources: [] });
    const { result } = await answers.next('result');
    const isShort = result.seconds * 1000 < job.durationMs * (1 - SHORT_SHARE);
    const reasons = stop?.aborted ? ['it was interrupted'] : isShort ? ['nobody was left to go on'] : [];
    return { result, partial: [...reasons, ...group.losses] };
  } finally {
    stop?.removeEventListener('abort', onStop);
    group.close();
  }
}

/** What a team reports, one after the other. */
class Answers {
  #resolve: (report: TeamReport) => void = () => {};
  #reject: (error: Error) => void = () => {};
  #failure: LoadError | null = null;
  /** An answer that came before it was asked for. */
  #early: TeamReport | null = null;

  constructor(team: Team, onTick: (tick: Tick) => void) {
    team.onReport = (report) => {
      if (report.type === 'tick') onTick(report.tick);
      else if (report.type === 'failed') this.fail(report.error);
      else {
        this.#early = report;
        this.#resolve(report);
      }
    };
  }

  fail(error: string): void {
    this.#failure ??= new LoadError(error);
    this.#reject(this.#failure);
  }

  async next<Type extends TeamReport['type']>(type: Type): Promise<Extract<TeamReport, { type: Type }>> {
    if (this.#failure !== null) throw this.#failure;
    const report =
      this.#early ??
      (await new Promise<TeamReport>((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
      }));
    this.#early = null;
    if (report.type !== type) throw new LoadError(`a load generator answered ${report.type} instead of ${type}`);
    return report as Extract<TeamReport, { type: Type }>;
  }
}
