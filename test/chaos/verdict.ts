// What was heard against what was answered: nothing lost, nothing twice, nothing that nobody was told of.
import type { HeardTopic, LoadReport, Outcome } from './load-process.js';

/** What a publisher was answered, by its number. */
export type Outcomes = Readonly<Record<number, readonly Outcome[]>>;

/** Everything that is not as promised, at most a few of each kind; empty: all is well. */
export function findProblems(
  report: LoadReport,
  outcomes: Outcomes,
  heads: Readonly<Record<string, number>>,
): string[] {
  const problems = [...report.problems];
  for (const [topic, head] of Object.entries(heads)) {
    const heard = report.heard[topic];
    if (heard === undefined) problems.push(`${topic}: nothing was heard`);
    else problems.push(...sequenceProblems(topic, heard, head).slice(0, 5));
  }
  for (const [publisher, answered] of Object.entries(outcomes)) {
    problems.push(...outcomeProblems(Number(publisher), answered, report).slice(0, 5));
  }
  const accepted = Object.values(outcomes).flatMap((answered) => answered.filter(([, , answer]) => Number(answer) > 0));
  const heardCount = Object.keys(heads).reduce((sum, topic) => sum + (report.heard[topic]?.numbers.length ?? 0), 0);
  if (accepted.length !== heardCount) problems.push(`${accepted.length} messages acknowledged, ${heardCount} heard`);
  return problems;
}

/** Every seq up to the head, and each publisher's messages in the order in which it sent them. */
function sequenceProblems(topic: string, { publishers, numbers }: HeardTopic, head: number): string[] {
  const problems: string[] = [];
  if (numbers.length !== head) problems.push(`${topic}: heard up to ${numbers.length}, the head is ${head}`);
  const last = new Map<number, number>();
  for (const [index, number] of numbers.entries()) {
    const publisher = publishers[index];
    if (publisher == null) problems.push(`${topic} ${index + 1}: not heard`);
    else if (number <= (last.get(publisher) ?? 0)) {
      problems.push(`${topic} ${index + 1}: message ${number} of ${publisher} after its ${last.get(publisher)}`);
    } else last.set(publisher, number);
  }
  return problems;
}

/** Each answer once, and each seq that was told is that message's. */
function outcomeProblems(publisher: number, answered: readonly Outcome[], { heard }: LoadReport): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const [topic, number, answer] of answered) {
    const name = `message ${number} of ${publisher} in ${topic}`;
    if (seen.has(name)) problems.push(`${name}: answered twice`);
    seen.add(name);
    if (typeof answer === 'string') {
      problems.push(`${name}: ${answer}`);
      continue;
    }
    const { publishers = [], numbers = [] } = heard[topic] ?? {};
    if (publishers[answer - 1] === publisher && numbers[answer - 1] === number) continue;
    problems.push(
      `${name}: acknowledged as ${answer}, which is message ${numbers[answer - 1]} of ${publishers[answer - 1]}`,
    );
  }
  return problems;
}

/** The longest time between two messages of a topic (ms), and when it began. */
export function longestPause({ heardMs }: HeardTopic, fromMs = 0, untilMs = Number.POSITIVE_INFINITY) {
  let longest = { pauseMs: 0, atMs: 0 };
  for (let n = 1; n < heardMs.length; n++) {
    const [before, after] = [heardMs[n - 1], heardMs[n]];
    if (after < fromMs || before > untilMs) continue;
    if (after - before > longest.pauseMs) longest = { pauseMs: after - before, atMs: before };
  }
  return longest;
}

export function percentiles(values: readonly number[]): string {
  if (values.length === 0) return 'none';
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): string => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))].toFixed(0);
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, max ${sorted.at(-1)!.toFixed(0)} ms (n ${values.length})`;
}
