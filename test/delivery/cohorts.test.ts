// Who is published to together, in which order, and how soon one is found that does not read.

import { describe, expect, it } from 'vitest';
import type { Consumer } from '#src/delivery/consumer.js';
import type { GroupSink } from '#src/delivery/sink.js';
import { policyNumber } from '#src/delivery/slow-consumer.js';
import { DELAY_OF_STREAM } from '#src/delivery/subscription-table.js';
import { BLOCK_CONNECTIONS } from '#src/limits.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { TopicTree, TreeSocket } from '../support/topic-tree.js';
import { DeliveryLab } from './delivery-lab.js';

/** A topic with so many subscribers, whose transport notes the group of each publish. */
function stage(subscribers: number, delayMsOf: (index: number) => number = () => DELAY_OF_STREAM) {
  const lab = new DeliveryLab();
  const tree = new TopicTree(2 ** 20);
  const published: number[] = [];
  const transport = {
    publish: (group: number, message: Uint8Array) => {
      published.push(group);
      tree.publish(group, message);
    },
  };
  const topic = lab.topic();
  const stopped = new Set<number>();
  const consumers: Consumer[] = [];
  for (let index = 0; index < subscribers; index++) {
    const socket: TreeSocket = new TreeSocket(
      tree,
      () => {},
      () => !stopped.has(index),
    );
    const sink: GroupSink = {
      send: (message) => socket.send(message),
      sendEach: (bytes, ends) => socket.send(bytes.subarray(0, ends[0])),
      reply: () => {},
      end: () => {},
      joinGroup: (group) => tree.subscribe(socket, group),
      leaveGroup: (group) => tree.unsubscribe(socket, group),
      groupBacklogBytes: () => socket.backlogBytes(),
    };
    const consumer = lab.delivery.addGroupConsumer(sink, msgpackEncoder, transport);
    const options = { cursor: 1, policy: policyNumber('drop_oldest'), delayMs: delayMsOf(index) };
    lab.delivery.subscribe(consumer, topic.stream, options);
    consumers.push(consumer);
  }
  const turn = (): void => {
    tree.drainAll();
    lab.scheduler.turn();
  };
  const settle = (): void => {
    for (let quiet = 0; quiet < 2; quiet = lab.scheduler.soonCount === 0 ? quiet + 1 : 0) turn();
  };
  settle();
  return { lab, tree, topic, published, stopped, consumers, turn, settle };
}

describe('a metered subscription', () => {
  it('is in no cohort while it is that', () => {
    const { lab, tree, topic, consumers, settle } = stage(8);
    const groups = (): number => [...new Set(consumers.flatMap((consumer) => groupsOf(lab, consumer)))].length;
    topic.publish(1);
    settle();
    const before = groups();
    expect(before).toBe(1);
    const [one] = consumers;
    const plain = { policy: policyNumber('drop_oldest'), delayMs: DELAY_OF_STREAM };
    lab.delivery.change(one, topic.stream, { ...plain, maxBandwidth: 1_000_000 });
    for (let n = 2; n <= 5; n++) {
      topic.publish(n);
      settle();
      lab.scheduler.advance(1);
      settle();
    }
    expect(groupsOf(lab, one)).toEqual([]);
    expect(lab.delivery.cursorOf(one, topic.stream)).toBe(6);
    lab.delivery.change(one, topic.stream, { ...plain, maxBandwidth: 0 });
    topic.publish(6);
    settle();
    expect(groupsOf(lab, one)).toHaveLength(1);
    expect(tree).toBeDefined();
  });
});

const groupsOf = ({ delivery: { table } }: DeliveryLab, consumer: Consumer): number[] => {
  const row = consumer.subscriptionHead;
  return table.isMember(row) ? [table.cursor[row]] : [];
};

const membersOf = (tree: TopicTree, groups: readonly number[]): number =>
  [...new Set(groups)].reduce((sum, group) => sum + [...tree.membersOf(group)].length, 0);

describe('cohorts', () => {
  it('are published to in turn: whoever came first comes last the next time', () => {
    const { topic, published, settle } = stage(4 * BLOCK_CONNECTIONS);
    const orders = [1, 2, 3].map((value) => {
      topic.publish(value);
      settle();
      return published.splice(0);
    });
    expect(new Set(orders[0]).size).toBe(4);
    expect(orders[1]).toEqual(orders[0]?.toReversed());
    expect(orders[2]).toEqual(orders[0]);
  });

  it('have nobody with a delay of its own, nor a publisher with noEcho', () => {
    const { lab, tree, topic, published, consumers, settle } = stage(20, (index) => (index < 5 ? 7 : DELAY_OF_STREAM));
    for (const consumer of consumers.slice(5, 8)) lab.delivery.servesNoEcho(consumer);
    topic.publish(1);
    settle();
    expect(membersOf(tree, published)).toBe(12);
    lab.scheduler.pass(7);
    settle();
    for (const consumer of consumers) expect(lab.delivery.cursorOf(consumer, topic.stream)).toBe(2);
  });

  it('end with their last member', () => {
    const { lab, tree, consumers } = stage(8);
    expect(tree.groupCount).toBe(1);
    for (const consumer of consumers) lab.delivery.removeConsumer(consumer);
    expect(lab.delivery.load).toMatchObject({ consumers: 0, subscriptions: 0 });
  });

  it('lose whoever has bytes waiting within 50 ms, also when each turn publishes a little', () => {
    const { lab, topic, stopped, turn } = stage(8);
    stopped.add(3);
    for (let elapsedMs = 0; elapsedMs < 60 && lab.delivery.load.blocked === 0; elapsedMs++) {
      topic.publish(elapsedMs);
      turn();
      lab.scheduler.pass(1);
    }
    expect(lab.delivery.load.blocked).toBe(1);
    expect(lab.scheduler.now - 1000).toBeLessThan(55);
  });
});
