// Runs beside each other, one at a time: who goes on when.
import { describe, expect, it } from 'vitest';
import { Turns } from '../../bench/support/turns.js';

/** Takes a number of turns and writes itself down in each. */
async function take(turns: Turns, member: string, times: number, log: string[]): Promise<void> {
  const turn = turns.of(member);
  for (let time = 0; time < times; time++) {
    await turn.take();
    log.push(`${member}+`);
    await new Promise((resolve) => setImmediate(resolve));
    log.push(`${member}-`);
    turn.end();
  }
  turns.leave(member);
}

describe('turns', () => {
  it('never overlap, and go A B, B A, B A, A B', async () => {
    const turns = new Turns(['a', 'b']);
    const log: string[] = [];
    await Promise.all([take(turns, 'a', 4, log), take(turns, 'b', 4, log)]);
    const began = log.filter((entry) => entry.endsWith('+')).map(([member]) => member);
    expect(began.join('')).toBe('abbabaab');
    for (let index = 0; index < log.length; index += 2) expect(log[index + 1]).toBe(log[index].replace('+', '-'));
  });

  it('wait for all who are still there', async () => {
    const turns = new Turns(['a', 'b', 'c']);
    const log: string[] = [];
    const waiting = Promise.all([take(turns, 'a', 2, log), take(turns, 'b', 2, log)]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual([]);
    turns.leave('c');
    await waiting;
    expect(log).toHaveLength(8);
  });

  it('go on when the one whose turn it is has gone', async () => {
    const turns = new Turns(['a', 'b']);
    const log: string[] = [];
    await Promise.all([
      turns
        .of('a')
        .take()
        .then(() => turns.leave('a')),
      take(turns, 'b', 3, log),
    ]);
    expect(log).toHaveLength(6);
  });
});
