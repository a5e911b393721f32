// What a connection does with frames that take time, throw, wait for hooks or are answered more than the peer reads. Its
// socket, its host's handlers, the clock and the event loop are the test's.
import { describe, expect, it } from 'vitest';
import { Connection, type ConnectionHost, UNREAD_MAX_BYTES } from '#src/gateway/connection.js';
import { HANDLE, heldBackMaxBytes, Intake } from '#src/gateway/intake.js';
import type { WebSocket } from '#src/gateway/uws.js';
import { createJsonEncoder } from '#src/protocol/encoder-json.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { JsonReader } from '#src/protocol/json-reader.js';
import type { ClientFrame, FrameReader } from '#src/protocol/messages.js';
import { encode } from '#src/protocol/msgpack.js';
import { MsgpackReader } from '#src/protocol/msgpack-reader.js';
import { Session } from '#src/router/session.js';
import { FakeScheduler } from '../support/fake-scheduler.js';
import { seededRandom } from '../support/seeded.js';

const MAX_PAYLOAD_BYTES = 4096;
/** What a peer's kernel takes before anything waits in user space. */
const KERNEL_BYTES = 20_000;

/** A socket whose peer reads when the test says so. */
class FakeSocket {
  readonly sent: Buffer[] = [];
  ended: { code: number; reason: string } | null = null;
  isReading = true;
  largestWait = 0;
  waiting = 0;
  onClosed: () => void = () => {};

  send(message: Uint8Array): number {
    if (this.ended !== null) return 2;
    this.sent.push(Buffer.from(message));
    if (this.isReading) return 1;
    this.waiting += message.length;
    this.largestWait = Math.max(this.largestWait, this.getBufferedAmount());
    return this.getBufferedAmount() > 0 ? 0 : 1;
  }

  getBufferedAmount(): number {
    return Math.max(0, this.waiting - KERNEL_BYTES);
  }

  getRemoteAddressAsText(): ArrayBuffer {
    return new TextEncoder().encode('203.0.113.7').buffer as ArrayBuffer;
  }

  cork(callback: () => void): void {
    callback();
  }

  end(code: number, reason: string): void {
    this.ended ??= { code, reason };
    this.onClosed();
  }

  close(): void {
    this.end(1006, '');
  }
}

type Behaviour = (frame: ClientFrame, session: Session) => Promise<void> | undefined;

class Lab {
  readonly scheduler = new FakeScheduler();
  readonly socket = new FakeSocket();
  readonly faults: unknown[] = [];
  readonly handled: number[] = [];
  flooded = 0;
  batches = 0;
  readonly connection: Connection;
  readonly intake = new Intake<Connection>(this.scheduler, MAX_PAYLOAD_BYTES);

  constructor(behave: Behaviour) {
    const withReplies: Connection[] = [];
    const encoders = { msgpack: msgpackEncoder, json: createJsonEncoder(() => 0) };
    const host: ConnectionHost = {
      maxPayloadBytes: MAX_PAYLOAD_BYTES,
      pingEveryBytes: Number.POSITIVE_INFINITY,
      unsentMaxBytes: Number.POSITIVE_INFINITY,
      readers: { msgpack: new MsgpackReader(), json: new JsonReader() },
      encoders,
      intake: this.intake,
      nowMs: () => this.scheduler.now,
      openSession: (connection, { connectionId, context }, codec) => {
        const consumer = { sink: connection, encoder: encoders[codec] } as unknown as Session['consumer'];
        return new Session(connectionId, consumer, context);
      },
      beginBatch: () => {},
      handle: (session: Session, frame: FrameReader) => {
        this.handled.push(frame.id as number);
        return behave(frame, session);
      },
      endBatch: () => {
        this.batches++;
      },
      subscribeByUrl: () => undefined,
      blocked: () => {},
      drained: () => {},
      unread: (connection, bytes) => {
        connection.unreadBytes = bytes;
      },
      scheduleReplies: (connection) => {
        withReplies.push(connection);
        this.scheduler.soon(() => withReplies.pop()?.flushReplies());
      },
      badFrame: () => {},
      flooded: () => {
        this.flooded++;
      },
      fault: (fault) => {
        this.faults.push(fault);
      },
    };
    const request = { connectionId: 'c', codec: 'msgpack' as const, topics: [], context: undefined };
    this.connection = new Connection(host, request);
    this.socket.onClosed = () => this.connection.closed();
    this.connection.opened(this.socket as unknown as WebSocket<unknown>, this.scheduler.now);
  }

  /** One WebSocket message that holds a PING for each id. */
  receive(ids: readonly number[]): void {
    const bytes = Buffer.concat(ids.map((id) => encode([5, id])));
    const verdict = this.intake.judge(this.connection, this.scheduler.now);
    this.connection.received(new Uint8Array(bytes).buffer, true, verdict === HANDLE ? HANDLE : verdict);
  }

  /** The peer reads everything there is. */
  read(): void {
    this.socket.waiting = 0;
    this.connection.drained();
  }

  /** Lets turns pass, and the answers of hooks that have been given. */
  async settle(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.scheduler.settle() > 0);
  }
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, n) => from + n);
const answerOf = (bytes: number) => (frame: ClientFrame, session: Session) =>
  session.reply(msgpackEncoder.ok(frame.id, { filler: 'x'.repeat(bytes) }));

describe('whatever throws while a frame is handled', () => {
  it.each<[string, Behaviour]>([
    [
      'at once',
      () => {
        throw new Error('broken');
      },
    ],
    ['later', () => Promise.reject(new Error('broken'))],
    [
      'something that is no error',
      () => {
        throw null;
      },
    ],
  ])('costs the connection and is told, nothing else: %s', async (_, behave) => {
    const lab = new Lab((frame, session) => (frame.id === 2 ? behave(frame, session) : undefined));
    lab.receive([1, 2, 3]);
    await lab.settle();
    expect(lab.handled).toEqual([1, 2]);
    expect(lab.faults).toHaveLength(1);
    expect(lab.socket.ended).toMatchObject({ code: 1011, reason: expect.stringContaining('INTERNAL') });
    expect(Buffer.concat(lab.socket.sent).toString()).toContain('INTERNAL');
    expect(lab.connection.heldBackBytes).toBe(0);
  });

  it('also when it comes a turn later, and when even the error cannot be sent', async () => {
    const lab = new Lab((frame) => {
      lab.scheduler.now += 10;
      if (frame.id === 2) throw new Error('broken');
      return undefined;
    });
    lab.receive([1, 2, 3]);
    lab.socket.send = () => {
      throw new Error('broken, too');
    };
    await lab.settle();
    expect(lab.handled).toEqual([1, 2]);
    expect(lab.faults).toHaveLength(1);
    expect(lab.socket.ended?.code).toBe(1011);
  });
});

describe('frames that wait', () => {
  it('leave the turn to others when they take long, and are handled later in their order', async () => {
    const lab = new Lab(() => {
      lab.scheduler.now += 2;
      return undefined;
    });
    lab.receive(range(1, 10));
    expect(lab.handled).toEqual([1, 2, 3]);
    lab.receive(range(11, 10));
    lab.receive([21]);
    expect(lab.handled, 'nothing overtakes what waits').toEqual([1, 2, 3]);
    await lab.settle();
    expect(lab.handled).toEqual(range(1, 21));
    expect(lab.batches, 'a message that is handled in parts is one batch').toBe(3);
  });

  it('wait until the peer has read its answers: no more than 64 KiB and one answer are there for it', async () => {
    const lab = new Lab(answerOf(30_000) as Behaviour);
    lab.socket.isReading = false;
    lab.receive(range(1, 50));
    await lab.settle();
    expect(lab.handled.length).toBeLessThan(6);
    for (let reads = 0; lab.handled.length < 50; reads++) {
      expect(reads).toBeLessThan(50);
      lab.read();
      await lab.settle();
    }
    expect(lab.handled).toEqual(range(1, 50));
    expect(lab.socket.largestWait).toBeLessThanOrEqual(UNREAD_MAX_BYTES + 30_100);
    expect(lab.socket.ended).toBeNull();
  });

  it('are bounded: who sends on and on meanwhile is closed as a flooder', async () => {
    const lab = new Lab(() => new Promise(() => {}));
    let sent = 0;
    while (lab.socket.ended === null && sent < 40_000_000) {
      lab.receive(range(1, 500));
      sent += 1000;
    }
    expect(sent).toBeLessThan(heldBackMaxBytes(MAX_PAYLOAD_BYTES) + 10_000);
    expect(lab.socket.ended).toMatchObject({ code: 1013, reason: expect.stringContaining('RATE_LIMITED') });
    expect(lab.flooded).toBe(1);
    expect([lab.handled, lab.connection.heldBackBytes, lab.intake.heldBackBytes]).toEqual([[1], 0, 0]);
  });

  it.each([1, 2, 3, 4, 5, 6])(
    'are handled once each and in order, whatever happens between them (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      let underWay = 0;
      const lab = new Lab((frame, session) => {
        expect(underWay, 'a frame before it has not been answered').toBe(0);
        lab.scheduler.now += random() < 0.1 ? 3 : 0.01;
        if (random() < 0.3) answerOf(Math.floor(random() * 20_000))(frame, session);
        if (random() > 0.2) return undefined;
        underWay++;
        return new Promise((resolve) => {
          const answer = (): void => {
            underWay--;
            resolve();
          };
          if (random() < 0.5) answer();
          else lab.scheduler.soon(answer);
        });
      });
      let sent = 0;
      for (let step = 0; step < 300; step++) {
        const count = 1 + Math.floor(random() * 8);
        lab.receive(range(sent + 1, count));
        sent += count;
        lab.socket.isReading = random() < 0.5;
        if (random() < 0.4) lab.scheduler.turn();
        if (random() < 0.3) await new Promise((resolve) => setImmediate(resolve));
        if (random() < 0.3) lab.read();
      }
      lab.socket.isReading = true;
      for (let reads = 0; lab.handled.length < sent && reads < sent; reads++) {
        lab.read();
        await lab.settle();
      }
      expect(lab.handled).toEqual(range(1, sent));
      expect(lab.socket.largestWait).toBeLessThanOrEqual(UNREAD_MAX_BYTES + 20_100);
      expect([lab.faults, lab.connection.heldBackBytes, lab.intake.heldBackBytes]).toEqual([[], 0, 0]);
    },
  );
});
