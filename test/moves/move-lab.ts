// What tests of moving topics share: a topic, a way to move it, and a publisher that knows what became of each message.

import { expect } from 'vitest';
import { RingcastError } from '#src/errors.js';
import type { Home } from '#src/home/placement.js';
import { encode } from '#src/protocol/msgpack.js';
import { publishLocally, type RouterClient, RouterLab, type RouterLabOptions } from '../router/router-lab.js';

export const TOPIC = 't';

export function open(options: RouterLabOptions = {}): RouterLab {
  const lab = new RouterLab({ laneRingBytes: 2 ** 16, lanes: 2, ...options });
  lab.topics.declare(TOPIC);
  lab.settle();
  return lab;
}

/** The topic's entry. */
export function topicOf(lab: RouterLab) {
  return lab.topics.find(TOPIC)!;
}

/** Begins a move; what it takes happens when the lab settles. */
export function move(lab: RouterLab, target: number): { isDone: boolean } {
  const state = { isDone: false };
  lab.handOver.move(topicOf(lab), target, () => {
    state.isDone = true;
  });
  return state;
}

export function moveAndArrive(lab: RouterLab, target: number): void {
  const state = move(lab, target);
  lab.advance(5);
  expect(state.isDone).toBe(true);
  expect(topicOf(lab).lane).toBe(target);
}

/** A publisher within the process, with what became of each of its messages. */
export class Feed {
  /** Payload → seq or error code; messages that were refused at once are not among them. */
  readonly outcomes = new Map<string, number | string>();
  readonly accepted: string[] = [];
  readonly refused: string[] = [];
  readonly #lab: RouterLab;

  constructor(lab: RouterLab) {
    this.#lab = lab;
  }

  publish(payload: string): boolean {
    const isAccepted = publishLocally(this.#lab, TOPIC, encode(payload), (outcome) => {
      if (this.outcomes.has(payload)) throw new Error(`a second outcome of ${payload}`);
      this.outcomes.set(payload, outcome instanceof RingcastError ? outcome.code : outcome.seq);
    });
    if (!isAccepted) {
      this.refused.push(payload);
      return false;
    }
    this.accepted.push(payload);
    return true;
  }

  publishMany(count: number): void {
    for (let i = 0; i < count; i++) expect(this.publish(`m${this.accepted.length + 1}`)).toBe(true);
  }

  /** Everything accepted has its place in the order of acceptance. */
  expectAllAcknowledged(): void {
    expect([...this.outcomes]).toEqual(this.accepted.map((payload, index) => [payload, index + 1]));
  }
}

export function seqsOf(client: RouterClient): number[] {
  return client.take().flatMap((frame) => (frame.type === 'event' ? [frame.seq] : []));
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

export function subscribe(lab: RouterLab) {
  const [binary, text] = [lab.client(), lab.jsonClient()];
  binary.send({ type: 'subscribe', topic: TOPIC });
  text.sendJson({ type: 'subscribe', topic: TOPIC });
  return {
    binary,
    text,
    takeJsonSeqs: () => text.takeJson().flatMap(({ type, seq }) => (type === 'event' ? [seq] : [])),
  };
}

/** Moves the topic as `engine.moveTopic` does. */
export async function pinned(lab: RouterLab, home: Home): Promise<void> {
  const arrived = lab.keeper.pin(topicOf(lab), home);
  // A refused move rejects at once; a move that goes on needs the lab.
  lab.advance(5);
  await arrived;
}
