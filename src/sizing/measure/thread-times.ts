/** CPU time per thread of this process, from /proc (Linux). */
import { readdirSync, readFileSync } from 'node:fs';

const TASKS = '/proc/self/task';

export function threadIds(): string[] {
  return readdirSync(TASKS);
}

/** By thread id, in ms. Threads that ended meanwhile are not in it. */
export function threadTimesMs(): Map<string, number> {
  const times = new Map<string, number>();
  for (const id of threadIds()) {
    try {
      // Time on a CPU, time waiting for one (ns), number of time slices.
      times.set(id, Number(readFileSync(`${TASKS}/${id}/schedstat`, 'utf8').split(' ')[0]) / 1e6);
    } catch {
      // It ended between the two looks.
    }
  }
  return times;
}
