/** Several teams as one: all processes of a machine, all machines of a run. */
import type { JobPart } from './job.js';
import { type LoadResult, mergeResults } from './result.js';
import {
  addCounts,
  addTick,
  decodeCounts,
  EMPTY_TICK,
  encodeCounts,
  type Team,
  type TeamCommand,
  type TeamReport,
  type Tick,
} from './team.js';

export interface GroupOptions {
  readonly name: string;
  /** The part of the index-th member. */
  readonly partOf: (part: JobPart, index: number) => JobPart;
  /** Members are machines: the others go on when one is lost in the middle, and its messages are none to wait for. */
  readonly outlivesMembers: boolean;
}

interface Member {
  readonly team: Team;
  isLost: boolean;
  /** Its answer to the last command, null while that is under way. */
  answer: TeamReport | null;
  tick: Tick;
}

/** Writer and reader: one thread. */
export class TeamGroup implements Team {
  readonly name: string;
  onReport: (report: TeamReport) => void = () => {};
  /** Why members were lost. */
  readonly losses: string[] = [];
  readonly #options: GroupOptions;
  readonly #members: Member[];
  #isRunning = false;
  #isOver = false;

  constructor(teams: readonly Team[], options: GroupOptions) {
    this.name = options.name;
    this.#options = options;
    this.#members = teams.map((team) => ({ team, isLost: false, answer: null, tick: EMPTY_TICK }));
    for (const member of this.#members) member.team.onReport = (report) => this.#receive(member, report);
  }

  get #present(): Member[] {
    return this.#members.filter(({ isLost }) => !isLost);
  }

  send(command: TeamCommand): void {
    if (command.type === 'go') this.#isRunning = true;
    // A stop is answered by what is under way anyhow.
    if (command.type !== 'stop') for (const member of this.#members) member.answer = null;
    this.#members.forEach((member, index) => {
      if (!member.isLost) member.team.send(this.#for(command, index));
    });
  }

  #for(command: TeamCommand, index: number): TeamCommand {
    if (command.type === 'start') return { ...command, part: this.#options.partOf(command.part, index) };
    if (command.type !== 'verify' || !this.#options.outlivesMembers) return command;
    const lost = this.#members.flatMap((member, source) => (member.isLost ? [source] : []));
    return { ...command, lostSources: lost };
  }

  close(): void {
    this.#isOver = true;
    for (const { team } of this.#members) team.close();
  }

  #receive(member: Member, report: TeamReport): void {
    if (this.#isOver || member.isLost) return;
    if (report.type === 'tick') {
      member.tick = report.tick;
      const sum = { ...EMPTY_TICK };
      for (const { tick } of this.#members) addTick(sum, tick);
      this.onReport({ type: 'tick', tick: sum });
      return;
    }
    if (report.type === 'failed') this.#lose(member, report.error);
    else member.answer = report;
    const answers = this.#present.map(({ answer }) => answer);
    if (this.#isOver || answers.length === 0 || answers.includes(null)) return;
    for (const each of this.#members) each.answer = null;
    this.onReport(joined(answers as TeamReport[]));
  }

  #lose(member: Member, error: string): void {
    member.isLost = true;
    const isOnly = this.#members.length === 1;
    const loss = isOnly ? error : `${member.team.name}: ${error}`;
    if (this.#isRunning && this.#options.outlivesMembers && this.#present.length > 0) {
      this.losses.push(loss);
      return;
    }
    this.onReport({ type: 'failed', error: loss });
    this.close();
  }
}

/** The answers of all members as one. */
function joined(answers: readonly TeamReport[]): TeamReport {
  const [first] = answers as [TeamReport];
  switch (first.type) {
    case 'opened':
      return { type: 'opened', notices: answers.flatMap((answer) => (answer as typeof first).notices) };
    case 'done': {
      const sum = decodeCounts(first.published);
      for (const answer of answers.slice(1)) addCounts(sum, decodeCounts((answer as typeof first).published));
      return { type: 'done', published: encodeCounts(sum) };
    }
    case 'result':
      return {
        type: 'result',
        result: mergeResults(answers.map((answer) => (answer as { result: LoadResult }).result)),
      };
    default:
      return first;
  }
}
