// Rules broken on purpose: a model that finds nothing proves nothing.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { Delivery } from '#src/delivery/delivery.js';
import { Snapshots } from '#src/directory/snapshots.js';
import { FrameLog } from '#src/log/frame-log.js';
import { jsonEncoder } from '#src/protocol/encoder-json.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { Deduplication } from '#src/topic/deduplication.js';
import { KeyTable } from '#src/topic/key-table.js';
import { TimedStreams } from '#src/topic/timed-streams.js';
import { View } from '#src/variant/view.js';
import { runHistories } from './history.js';

const HISTORIES_MAX = 600;

const RULES: readonly (readonly [rule: string, breakIt: () => void])[] = [
  [
    'what follows a snapshot begins right behind it',
    () => {
      const fill = Delivery.prototype.fill;
      vi.spyOn(Delivery.prototype, 'fill').mockImplementation(function (this: Delivery, stream, log, cursor) {
        fill.call(this, stream, log, cursor + 1);
      });
    },
  ],
  [
    'who has had more than a snapshot does not get it',
    () => {
      const streamFor = Snapshots.prototype.streamFor;
      vi.spyOn(Snapshots.prototype, 'streamFor').mockImplementation(function (this: Snapshots, entry, live) {
        return streamFor.call(this, entry, live, 0);
      });
    },
  ],
  [
    'only what has a newer message is left out',
    () => {
      vi.spyOn(FrameLog.prototype, 'isSupersededAt').mockImplementation(function (this: FrameLog, index) {
        return index < this.head;
      });
    },
  ],
  [
    'what is left out is announced',
    () => {
      const pong = jsonEncoder.pong(null, 0);
      vi.spyOn(msgpackEncoder, 'gap').mockReturnValue(new Uint8Array(0));
      vi.spyOn(jsonEncoder, 'gap').mockReturnValue(pong);
    },
  ],
  ['a message is not taken twice', () => void vi.spyOn(Deduplication.prototype, 'seqOf').mockReturnValue(0)],
  [
    'a key table gives what has changed since a message',
    () => {
      const changedSince = KeyTable.prototype.changedSince;
      vi.spyOn(KeyTable.prototype, 'changedSince').mockImplementation(function (this: KeyTable, fromSeq, nowMs) {
        return changedSince.call(this, fromSeq + 1, nowMs);
      });
    },
  ],
  [
    'the end of a key is told at a rate, too',
    () => void vi.spyOn(TimedStreams.prototype, 'noteDeleted').mockReturnValue(undefined),
  ],
  [
    'who begins a view is told what has been said',
    () => void vi.spyOn(View.prototype, 'prime').mockReturnValue(undefined),
  ],
];

describe('a broken rule is found', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each(RULES)('%s', (_, breakIt) => {
    breakIt();
    const seeds = Array.from({ length: HISTORIES_MAX }, (_each, n) => 1000 + n);
    expect(() => runHistories(seeds)).toThrow(/replays it/);
  });
});
