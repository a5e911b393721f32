// Payloads of which filters and fields can make nothing: they are MessagePack, as everything is that is let in, and no map.

import { expect, it } from 'vitest';
import type { SubscribeOptions } from '#src/protocol/messages.js';
import { encode } from '#src/protocol/msgpack.js';
import { Random, testSeed } from '../ring/random.js';
import { HOMES, ReadingLab } from './reading-lab.js';
import { publishLocally } from './router-lab.js';

const MESSAGES = 200;
const WISHES: readonly SubscribeOptions[] = [
  { filter: 'n >= 0' },
  { filter: '!exists(n) || n >= 0', track: true },
  { fields: ['n'] },
  { filter: 'n >= 0', fields: ['n'], maxRate: 1000 },
];

/** Texts that are no UTF-8, extensions that are no time, the least and the deepest. */
const OTHERS: readonly number[][] = [
  [0xc0],
  [0x05],
  [0x90],
  [0xa0],
  [0xa2, 0xff, 0xfe],
  [0xd4, 0xff, 0x01],
  [0xc7, 0x0c, 0xff, ...Array(12).fill(0xff)],
  [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 1],
  [0x92, 0x81, 0xa1, 0x6e, 0x01, 0xc0],
  [...Array(99).fill(0x91), 0xc0],
];

it.each(HOMES)('what is no map reaches who needs no content; others count it, and go on: %s', (home) => {
  const random = new Random(testSeed('undecodable payloads'));
  const topic = new ReadingLab(home);
  const { lab } = topic;
  const plain = [topic.reader('msgpack'), topic.reader('msgpack', { mode: 'latest' })];
  const wishing = WISHES.flatMap((wishes) => [topic.reader('msgpack', wishes), topic.reader('json', wishes)]);
  const heard = wishing.map((): string[] => []);
  const right: string[] = [];
  for (let n = 0; n < MESSAGES; n++) {
    const isMap = n === MESSAGES - 1 || random.below(2) === 0;
    if (isMap) right.push(`null={"n":${n}}`);
    const other = OTHERS[random.below(OTHERS.length)] as number[];
    expect(publishLocally(lab, 't', isMap ? encode({ n }) : Uint8Array.from(other))).toBe(true);
    lab.settle();
    lab.advance(2);
    wishing.forEach((reader, which) => void heard[which]?.push(...reader.take()));
  }
  for (const each of heard) expect(each.filter((line) => line.includes('='))).toEqual(right);
  for (const { client } of plain)
    expect(client.take().map((frame) => frame.type)).toEqual(Array(MESSAGES).fill('event'));
  const [lane] = lab.lanes.lanes;
  const { undecodable } = home === 'cold' ? lab.core.coldLink.counters : lane!.counters;
  // Neither filter nor fields see what a rate has merged.
  const counted = (MESSAGES - right.length) * (wishing.length - 2);
  expect(undecodable).toBeGreaterThanOrEqual(counted);
  expect(undecodable).toBeLessThanOrEqual(counted + (MESSAGES - right.length) * 2);
  expect(lab.faults).toEqual([]);
});
