/** Which setting would help most: the model, asked again with each of them changed. */
import type { Calibration } from './calibration.js';
import { type Conditions, type Sizing, sizeOf } from './model.js';
import type { Workload } from './workload.js';

const DELAYS_MS = [5, 20, 100];
/** config/schema.ts: the default of `maxHotTopics`. */
const HOT_TOPICS_MAX = 1000;
/** Changes below this part are not worth a sentence. */
const WORTH = 0.03;

export interface Alternative {
  readonly setting: string;
  readonly sizing: Sizing;
  /** What it saves, as parts of what is needed now; negative: it costs more. */
  readonly cpuSaved: number;
  readonly memorySaved: number;
  /** ms; negative: messages come later. */
  readonly p99SavedMs: number;
}

interface Change {
  readonly setting: string;
  readonly workload: Workload;
  readonly conditions?: Conditions;
}

/** Those that change anything, the most helpful first. */
export function alternatives(workload: Workload, calibration: Calibration, conditions: Conditions): Alternative[] {
  const now = sizeOf(workload, calibration, conditions);
  return changes(workload, now, conditions)
    .map((change) => alternativeOf(change, now, calibration, conditions))
    .filter(({ cpuSaved, memorySaved, p99SavedMs }) => {
      return cpuSaved > WORTH || memorySaved > WORTH || p99SavedMs > WORTH * now.p99Ms;
    })
    .sort((left, right) => worth(right, now) - worth(left, now));
}

function alternativeOf(change: Change, now: Sizing, calibration: Calibration, conditions: Conditions): Alternative {
  const sizing = sizeOf(change.workload, calibration, change.conditions ?? conditions);
  return {
    setting: change.setting,
    sizing,
    cpuSaved: saved(now.cpu, sizing.cpu),
    memorySaved: saved(now.memoryBytes + now.kernelBytes, sizing.memoryBytes + sizing.kernelBytes),
    p99SavedMs: now.p99Ms === sizing.p99Ms ? 0 : now.p99Ms - sizing.p99Ms,
  };
}

/** Whole cores first, then parts of them, then memory, then latency. */
function worth(alternative: Alternative, now: Sizing): number {
  const cores = saved(now.cores, alternative.sizing.cores);
  const latency = now.p99Ms === Number.POSITIVE_INFINITY ? 0 : alternative.p99SavedMs / Math.max(1, now.p99Ms);
  return 10 * cores + 3 * alternative.cpuSaved + alternative.memorySaved + 0.3 * Math.max(-1, Math.min(1, latency));
}

function saved(now: number, then: number): number {
  if (now === then) return 0;
  if (now === Number.POSITIVE_INFINITY) return 1;
  return then === Number.POSITIVE_INFINITY ? -1 : (now - then) / now;
}

function changes(workload: Workload, now: Sizing, conditions: Conditions): Change[] {
  const { topics, settings } = workload;
  const list: Change[] = [];
  for (const delayMs of DELAYS_MS) {
    const longer = topics.map((group) =>
      group.maxDelayMs === 'auto' || group.maxDelayMs < delayMs ? { ...group, maxDelayMs: delayMs } : group,
    );
    const isChange = longer.some((group, index) => group !== topics[index]);
    if (isChange) list.push({ setting: `maxDelayMs ${delayMs}`, workload: { ...workload, topics: longer } });
  }
  const homes = new Set(topics.map(({ home }) => home));
  for (const home of ['hot', 'cold'] as const) {
    const other = home === 'hot' ? 'cold' : 'hot';
    const count = topics.reduce((sum, group) => sum + group.count, 0);
    if (!homes.has(other) || (home === 'hot' && count > HOT_TOPICS_MAX)) continue;
    const moved = topics.map((group) => ({ ...group, home }));
    const setting = home === 'hot' ? 'all topics in lanes' : 'all topics cold (lanes 0)';
    list.push({
      setting,
      workload: { ...workload, topics: moved, settings: home === 'cold' ? { ...settings, lanes: 0 } : settings },
    });
  }
  if (settings.historyMessages > 0) {
    list.push({
      setting: 'historyMessages 0',
      workload: { ...workload, settings: { ...settings, historyMessages: 0 } },
    });
  }
  if (homes.has('hot')) {
    const hotLogBytes = Math.max(8192, settings.hotLogBytes / 4);
    const smaller = { ...settings, hotLogBytes, hotLogFrames: Math.max(16, settings.hotLogFrames / 4) };
    list.push({
      setting: `hotLogBytes and hotLogFrames a quarter of what they are`,
      workload: { ...workload, settings: smaller },
    });
  }
  if (now.processes !== Number.POSITIVE_INFINITY) {
    const processes = now.processes + 1;
    list.push({ setting: `${processes} processes`, workload, conditions: { ...conditions, processes } });
  }
  return list;
}
