// Positions: who comes back goes on behind what it has had, or is told what it misses; and HISTORY reads by range.

import { describe, expect, it } from 'vitest';
import type { HistoryEntry, HistoryOptions, ServerMessage, SubscribeOptions } from '#src/protocol/messages.js';
import { DEFAULTS, RouterLab } from './router-lab.js';

const HOMES = {
  cold: {},
  hot: { laneRingBytes: 2 ** 18, registry: { rules: [{ match: '*', home: 'hot' as const }] } },
};

/** A topic with messages 1 … `count`, a second apart; the first ones are gone where more than 1,000 bytes each came. */
function topicOf(home: keyof typeof HOMES, count: number, payload: (n: number) => unknown = (n) => n): RouterLab {
  const lab = new RouterLab(HOMES[home]);
  const feed = lab.client();
  for (let n = 1; n <= count; n++) {
    feed.send({ type: 'publish', topic: 't', payload: payload(n) });
    lab.advance(1000);
  }
  return lab;
}

const epochOf = (lab: RouterLab): string => lab.topics.find('t')!.spec.epoch;

function answers(lab: RouterLab, options: SubscribeOptions): [ServerMessage, string[]] {
  const client = lab.client();
  client.send({ type: 'subscribe', id: 1, topic: 't', options });
  const [answer, ...rest] = client.take();
  const short = rest.map((frame) => {
    if (frame.type === 'event') return `${frame.seq}`;
    return frame.type === 'gap' ? `gap ${frame.fromSeq}-${frame.toSeq} ${frame.reason}` : frame.type;
  });
  return [answer, short];
}

for (const home of ['cold', 'hot'] as const) {
  describe(`a position in a ${home} topic`, () => {
    it('is gone on behind', () => {
      const lab = topicOf(home, 9);
      const epoch = epochOf(lab);
      for (const [seq, expected] of [
        [9, []],
        [7, ['8', '9']],
        [0, ['1', '2', '3', '4', '5', '6', '7', '8', '9']],
      ] as const) {
        const [ok, rest] = answers(lab, { since: { epoch, seq } });
        expect(ok).toMatchObject({ type: 'ok', result: { epoch, seq, recovered: true } });
        expect(rest).toEqual(expected);
      }
      const json = lab.jsonClient();
      json.sendJson({ type: 'subscribe', topic: 't', since: { epoch, seq: 7 }, request_id: 1 });
      const [ack, ...events] = json.takeJson();
      expect(ack).toMatchObject({ status: 'ok', seq: 7, recovered: true });
      expect(events.map(({ seq }) => seq)).toEqual([8, 9]);
    });

    it('that is in the future is a mistake', () => {
      const lab = topicOf(home, 3);
      const [error] = answers(lab, { since: { epoch: epochOf(lab), seq: 4 } });
      expect(error).toMatchObject({ type: 'error', code: 'BAD_REQUEST', message: /future.*3/ });
    });

    it('of another epoch is never recovered', () => {
      const lab = topicOf(home, 3);
      const [ok, rest] = answers(lab, { since: { epoch: 'another', seq: 3 } });
      expect(ok).toMatchObject({ type: 'ok', result: { seq: 0, recovered: false } });
      expect(rest).toEqual(['1', '2', '3']);
      const [error] = answers(lab, { since: { epoch: 'another', seq: 3 }, onGap: 'error' });
      const details = { epoch: epochOf(lab), firstSeq: 1, seq: 3 };
      expect(error).toMatchObject({ type: 'error', code: 'UNRECOVERABLE_POSITION', details });
    });

    it('that is gone is answered by what is left, and the exact range of what is not', () => {
      const lab = topicOf(home, 30, () => 'x'.repeat(100_000));
      const epoch = epochOf(lab);
      const { tailSeq } = lab.topics.find('t')!.log;
      expect(tailSeq).toBeGreaterThan(5);
      const left = Array.from({ length: 31 - tailSeq }, (_, index) => `${tailSeq + index}`);
      for (const policy of ['drop_oldest', 'disconnect'] as const) {
        const [ok, rest] = answers(lab, { since: { epoch, seq: 2 }, policy });
        expect(ok).toMatchObject({ type: 'ok', result: { seq: 2, recovered: false } });
        expect(rest).toEqual([`gap 3-${tailSeq - 1} lapped`, ...left]);
      }
      expect(answers(lab, { since: { epoch, seq: tailSeq - 1 } })[0]).toMatchObject({ result: { recovered: true } });
      const [error] = answers(lab, { since: { epoch, seq: 2 }, onGap: 'error' });
      expect(error).toMatchObject({ code: 'UNRECOVERABLE_POSITION', details: { firstSeq: tailSeq, seq: 30 } });
    });

    it('may be a time', () => {
      const lab = topicOf(home, 9);
      const [nowMs, sinceStart] = [lab.scheduler.epochMs(), 9000];
      const at = (ms: number): SubscribeOptions => ({ sinceTime: nowMs - sinceStart + ms });
      for (const [options, seq, recovered] of [
        [at(0), 0, true],
        [at(1), 1, true],
        [at(5000), 5, true],
        [at(20_000), 9, true],
      ] as const) {
        expect(answers(lab, options)[0]).toMatchObject({ type: 'ok', result: { seq, recovered } });
      }
      const lapped = topicOf(home, 30, () => 'x'.repeat(100_000));
      const { tailSeq } = lapped.topics.find('t')!.log;
      const [ok] = answers(lapped, { sinceTime: lapped.scheduler.epochMs() - 30_000 });
      expect(ok).toMatchObject({ type: 'ok', result: { seq: tailSeq - 1, recovered: false } });
    });

    it('is one of three ways to begin', () => {
      const lab = topicOf(home, 3);
      const [error] = answers(lab, { since: { epoch: epochOf(lab), seq: 1 }, lastN: 2 });
      expect(error).toMatchObject({ type: 'error', code: 'BAD_REQUEST', message: /only one/ });
    });

    it('is found by a stream that begins with it', () => {
      const options = HOMES[home];
      const registry = {
        ...('registry' in options ? options.registry : {}),
        defaults: { ...DEFAULTS, historyMessages: 1 },
      };
      const lab = new RouterLab({ ...options, registry });
      const feed = lab.client();
      for (let n = 1; n <= 9; n++) feed.send({ type: 'publish', topic: 't', payload: n });
      lab.settle();
      const json = lab.jsonClient();
      json.sendJson({ type: 'subscribe', topic: 't', since: { epoch: epochOf(lab), seq: 4 } });
      expect(json.takeJson().map(({ seq }) => seq)).toEqual([5, 6, 7, 8, 9]);
    });
  });

  describe(`HISTORY of a ${home} topic`, () => {
    const read = (lab: RouterLab, options: HistoryOptions): [number[], boolean] => {
      const client = lab.client();
      client.send({ type: 'history', id: 1, topic: 't', options });
      const [answer] = client.take() as unknown as [{ result: { messages: HistoryEntry[]; truncated?: boolean } }];
      return [answer.result.messages.map(([seq]) => seq), answer.result.truncated ?? false];
    };

    it.each<[HistoryOptions, number[], boolean]>([
      [{}, [1, 2, 3, 4, 5, 6, 7, 8, 9], false],
      [{ fromSeq: 3, toSeq: 5 }, [3, 4, 5], false],
      [{ fromSeq: 8, toSeq: 100 }, [8, 9], false],
      [{ fromSeq: 10 }, [], false],
      [{ fromSeq: 5, toSeq: 4 }, [], false],
      [{ toSeq: 0 }, [], false],
      [{ limit: 2 }, [1, 2], true],
      [{ fromSeq: 3, limit: 2 }, [3, 4], true],
      [{ fromSeq: 8, limit: 2 }, [8, 9], false],
      [{ limit: 0 }, [], false],
      [{ reverse: true }, [9, 8, 7, 6, 5, 4, 3, 2, 1], false],
      [{ reverse: true, toSeq: 5, limit: 2 }, [5, 4], true],
      [{ reverse: true, toSeq: 2, limit: 2 }, [2, 1], false],
      [{ lastN: 2 }, [8, 9], false],
      [{ lastN: 0 }, [], false],
    ])('%o', (options, seqs, isTruncated) => {
      expect(read(topicOf(home, 9), options)).toEqual([seqs, isTruncated]);
    });

    it('comes in pages, in either direction', () => {
      const lab = topicOf(home, 9, () => 'x'.repeat(120_000));
      const forwards: number[] = [];
      for (let fromSeq = 0, isMore = true; isMore; fromSeq = (forwards.at(-1) as number) + 1) {
        const [seqs, isTruncated] = read(lab, { fromSeq, limit: 2 });
        forwards.push(...seqs);
        isMore = isTruncated;
      }
      const backwards: number[] = [];
      for (let toSeq = 100, isMore = true; isMore; toSeq = (backwards.at(-1) as number) - 1) {
        const [seqs, isTruncated] = read(lab, { toSeq, reverse: true, limit: 2 });
        backwards.push(...seqs);
        isMore = isTruncated;
      }
      expect(forwards.length).toBeGreaterThan(3);
      expect(forwards.at(-1)).toBe(9);
      expect(backwards.reverse()).toEqual(forwards);
    });

    it('takes lastN by itself only', () => {
      const client = topicOf(home, 1).client();
      client.send({ type: 'history', id: 1, topic: 't', options: { lastN: 2, reverse: true } });
      expect(client.takeShort()).toEqual(['error 1 BAD_REQUEST']);
    });
  });
}

describe('a refused subscription', () => {
  it('leaves no topic behind', () => {
    const lab = new RouterLab();
    const client = lab.client();
    client.send({ type: 'subscribe', id: 1, topic: 'new', options: { since: { epoch: 'e', seq: 1 }, onGap: 'error' } });
    expect(client.takeShort()).toEqual(['error 1 UNRECOVERABLE_POSITION']);
    while (!lab.topics.sweep());
    expect(lab.topics.count).toBe(0);
  });
});
