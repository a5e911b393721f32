// How a run is divided: every connection and every publisher once, every topic published by one connection of each source.
import { describe, expect, it } from 'vitest';
import { connectionsOf, type JobPart, type LoadJob, publishersOf, sourcesOf } from '#src/load/job.js';
import { parseTopics, topicsOf } from '#src/load/topics.js';

function partsOf(machines: number, processes: number): JobPart[] {
  return Array.from({ length: machines * processes }, (_, index) => {
    return { machine: Math.floor(index / processes), machines, process: index % processes, processes };
  });
}

function job(connections: number, publishers: number): LoadJob {
  return { connections, publishers, rate: 1 } as LoadJob;
}

describe('a job', () => {
  it.each([
    [1, 1, 1, 1],
    [1, 3, 10, 2],
    [3, 2, 100, 7],
    [4, 1, 5, 2],
    [2, 5, 1003, 40],
  ])(
    'on %i machines with %i processes has all of its %i connections and %i publishers once',
    (machines, processes, connections, publishers) => {
      const whole = job(connections, publishers);
      const parts = partsOf(machines, processes);
      const own = parts.flatMap((part) => {
        const { first, count } = connectionsOf(whole, part);
        return Array.from({ length: count }, (_, index) => first + index);
      });
      expect(own).toEqual(Array.from({ length: connections }, (_, index) => index));
      const counts = parts.map((part) => connectionsOf(whole, part).count);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
      const plans = parts.flatMap((part) => publishersOf(whole, part));
      expect(plans.map(({ publisher }) => publisher).sort((a, b) => a - b)).toEqual(
        Array.from({ length: publishers }, (_, index) => index),
      );
      const topics = 41;
      for (let source = 0; source < sourcesOf(whole, machines); source++) {
        const published = plans
          .filter((plan) => plan.source === source)
          .flatMap(({ offset, step }) =>
            Array.from({ length: topics }, (_, topic) => topic).filter((topic) => topic % step === offset),
          );
        expect(published.sort((a, b) => a - b)).toEqual(Array.from({ length: topics }, (_, topic) => topic));
      }
    },
  );
});

describe('topics', () => {
  it.each([
    ['3', ['load:1', 'load:2', 'load:3']],
    ['a,b c', ['a', 'b c']],
    ['px:{08..11},x', ['px:08', 'px:09', 'px:10', 'px:11', 'x']],
    ['{1..2}.y', ['1.y', '2.y']],
  ])('%s', (spec, names) => {
    expect(parseTopics(spec)).toEqual(names);
  });

  it.each([
    ['a,,b', /empty/],
    ['a,a', /twice/],
    ['{5..4}', /empty range/],
    ['{1..99999999}', /more than/],
    ['0', /empty range/],
  ])('%s is refused', (spec, problem) => {
    expect(parseTopics(spec)).toEqual({ problem: expect.stringMatching(problem) });
  });

  it('are taken in turn, so that all have as many subscribers', () => {
    const counts = new Int32Array(10);
    for (let connection = 0; connection < 20; connection++) {
      for (const topic of topicsOf(connection, 3, 10, 'turn', 1)) counts[topic]++;
    }
    expect([...counts]).toEqual(Array.from({ length: 10 }, () => 6));
  });

  it.each([3, 9, 10])('at random, %i of 10: each once, the same for the same seed', (perConnection) => {
    const all = Array.from({ length: 50 }, (_, connection) => topicsOf(connection, perConnection, 10, 'random', 5));
    for (const topics of all) expect(new Set(topics).size).toBe(perConnection);
    expect(new Set(all.flat()).size).toBe(10);
    expect(topicsOf(7, perConnection, 10, 'random', 5)).toEqual(all[7]);
  });
});
