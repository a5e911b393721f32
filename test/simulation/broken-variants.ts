// Lanes and hand-over with one rule broken on purpose: each has to be found by the simulation.

import { Lane } from '#src/lane/lane.js';
import { LaneLink } from '#src/lane/lane-link.js';
import type { StreamParcel, TopicParcel } from '#src/lane/parcels.js';
import { Replay } from '#src/lane/replay.js';
import { SharedLogs } from '#src/lane/shared-logs.js';
import type { FrameLog } from '#src/log/frame-log.js';
import { SharedLog } from '#src/log/shared-log.js';
import { LeavingTopic } from '#src/moves/leaving-topic.js';
import { RingReader } from '#src/ring/ring.js';
import { faults } from './faults.js';

export interface BrokenVariant {
  readonly rule: string;
  /** Breaks the rule until `faults.restore`. */
  apply(): void;
}

/** What `Replay.find` answers for a message that no predecessor has seen. */
type LogParcel = StreamParcel | TopicParcel;

const NOT_SEEN = 0;

export const BROKEN_VARIANTS: readonly BrokenVariant[] = [
  {
    rule: 'a successor appends nothing that its predecessor has appended',
    apply: () => faults.replace(Replay.prototype, 'find', () => () => NOT_SEEN),
  },
  {
    rule: 'requests are released only when what they caused has been reported',
    apply: () => {
      let isStepping = false;
      faults.replace(Lane.prototype, 'step', (original) => {
        return function (this: Lane): unknown {
          isStepping = true;
          try {
            return original.call(this);
          } finally {
            isStepping = false;
          }
        };
      });
      faults.replace(RingReader.prototype, 'next', (original) => {
        return function (this: RingReader): unknown {
          const hasMoved = original.call(this);
          if (hasMoved && isStepping && faults.isLaneAtWork) this.release();
          return hasMoved;
        };
      });
    },
  },
  {
    rule: 'nothing goes to the new home before the old one has let go of the topic',
    apply: () =>
      faults.replace(LaneLink.prototype, 'leaveTopic', (original) => {
        return function (this: LaneLink, ...[alias, onLeft]: Parameters<LaneLink['leaveTopic']>): void {
          const its = this.parcels.filter(
            (parcel) => parcel.kind !== 'snapshot' && parcel.alias === alias,
          ) as LogParcel[];
          const logs = its.map(({ memory, head }) => new SharedLog(memory, head));
          const derived = its.flatMap(({ kind, spec }, at) =>
            kind === 'stream' ? [{ spec, log: logs[at] as FrameLog }] : [],
          );
          const canonical = logs[its.findIndex(({ kind }) => kind === 'topic')] as FrameLog;
          original.apply(this, [alias, () => {}] as never);
          onLeft({ log: canonical, derived });
        };
      }),
  },
  {
    rule: 'what is held for a topic on its way is not overtaken',
    apply: () =>
      faults.replace(LeavingTopic.prototype, 'publish', (original) => {
        return function (this: LeavingTopic, ...operands: Parameters<LeavingTopic['publish']>): unknown {
          return this.destination?.publish(...operands) ?? original.apply(this, operands as never);
        };
      }),
  },
  {
    rule: 'memory of a stream that has ended is used again only when its lane has let go of it',
    apply: () => {
      let sharedLogs: SharedLogs | null = null;
      faults.replace(SharedLogs.prototype, 'take', (original) => {
        return function (this: SharedLogs, ...operands: never[]): unknown {
          sharedLogs = this;
          return original.apply(this, operands);
        };
      });
      faults.replace(LaneLink.prototype, 'closeStream', (original) => {
        return function (this: LaneLink, ...operands: Parameters<LaneLink['closeStream']>): void {
          const parcel = this.parcels.findLast(({ kind, alias }) => kind === 'stream' && alias === operands[0]) as
            | StreamParcel
            | undefined;
          original.apply(this, operands as never);
          if (parcel !== undefined) sharedLogs?.give(new SharedLog(parcel.memory, parcel.head));
        };
      });
    },
  },
];
