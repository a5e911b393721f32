// Rules of cohorts and of their transport, broken on purpose: each has to be found by the lives of cohorts.property.test.ts.

import { Cohorts } from '#src/delivery/cohorts.js';
import { SubscriptionTable } from '#src/delivery/subscription-table.js';
import type { BrokenVariant } from '../simulation/broken-variants.js';
import { faults } from '../simulation/faults.js';
import { TopicTree, TreeSocket } from '../support/topic-tree.js';

type Method = (this: never, ...operands: never[]) => unknown;

export const BROKEN_COHORTS: readonly BrokenVariant[] = [
  {
    rule: 'whoever is full leaves all its cohorts',
    apply: () => faults.replace(Cohorts.prototype, 'leaveAll', () => () => {}),
  },
  {
    rule: 'whoever leaves goes on from the cohort’s cursor',
    apply: () =>
      faults.replace(SubscriptionTable.prototype, 'cursorOf', (original) => {
        return function (this: SubscriptionTable, row: number): number {
          return (original.call(this as never, row as never) as number) + (this.isMember(row) ? 1 : 0);
        } as Method;
      }),
  },
  {
    rule: 'the transport says what waits for those who do not read',
    apply: () => faults.replace(TreeSocket.prototype, 'backlogBytes', () => () => 0),
  },
  {
    rule: 'whoever leaves gets nothing that is published afterwards',
    apply: () => faults.replace(TopicTree.prototype, 'unsubscribe', () => () => {}),
  },
  {
    rule: 'the transport hands over what was published before it forgets a member',
    apply: () =>
      faults.replace(TopicTree.prototype, 'unsubscribe', (original) => {
        return function (this: TopicTree, socket: TreeSocket, group: number): unknown {
          socket.pending.length = 0;
          return original.call(this as never, socket as never, group as never);
        } as Method;
      }),
  },
  {
    rule: 'the transport hands over 32 messages before it takes another',
    apply: () =>
      faults.replace(TopicTree.prototype, 'publish', (original) => {
        return function (this: TopicTree, group: number, message: Uint8Array): unknown {
          const result = original.call(this as never, group as never, message as never);
          for (const socket of this.membersOf(group)) if (socket.pending.length > 30) socket.pending.pop();
          return result;
        } as Method;
      }),
  },
];
