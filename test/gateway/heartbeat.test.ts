// Who is pinged, who is timed out, and that a standstill of the server is nobody's silence: time is the test's.
import { describe, expect, it } from 'vitest';
import { Heartbeat, type HeartbeatTarget } from '#src/gateway/heartbeat.js';

const OPTIONS = { heartbeatMs: 1000, idleTimeoutMs: 4000 };
const START_MS = 10_000;

class Peer implements HeartbeatTarget {
  lastReceivedMs = START_MS;
  lastPingMs = START_MS;
  heartbeatIndex = 0;
  pings = 0;
  isTimedOut = false;
  readonly #heartbeat: Heartbeat<Peer>;

  constructor(heartbeat: Heartbeat<Peer>) {
    this.#heartbeat = heartbeat;
    heartbeat.add(this);
  }

  ping(): void {
    this.pings++;
  }

  timedOut(): void {
    this.isTimedOut = true;
    this.#heartbeat.remove(this);
  }
}

function setUp(count: number): { peers: Peer[]; pass: (ms: number) => number } {
  const heartbeat = new Heartbeat<Peer>(OPTIONS);
  const peers = Array.from({ length: count }, () => new Peer(heartbeat));
  let nowMs = START_MS;
  heartbeat.tick(nowMs);
  const pass = (ms: number): number => {
    for (const endMs = nowMs + ms; nowMs < endMs; ) {
      nowMs = Math.min(endMs, nowMs + heartbeat.tickMs);
      heartbeat.tick(nowMs);
    }
    return nowMs;
  };
  return { peers, pass };
}

describe('the heartbeat', () => {
  it('pings who is silent for heartbeatMs, once per heartbeatMs, and times out after idleTimeoutMs', () => {
    const { peers, pass } = setUp(100);
    pass(OPTIONS.heartbeatMs - 1);
    expect(peers.map(({ pings }) => pings)).toEqual(peers.map(() => 0));
    pass(OPTIONS.heartbeatMs / 4 + 1);
    expect(peers.map(({ pings }) => pings)).toEqual(peers.map(() => 1));
    pass(OPTIONS.idleTimeoutMs - 1.25 * OPTIONS.heartbeatMs - 1);
    expect(peers.some(({ isTimedOut }) => isTimedOut)).toBe(false);
    pass(2 * OPTIONS.heartbeatMs); // some per tick: so many at once take longer
    expect(peers.every(({ isTimedOut }) => isTimedOut)).toBe(true);
  });

  it('leaves who says something alone', () => {
    const { peers, pass } = setUp(10);
    for (let second = 0; second < 20; second++) {
      const nowMs = pass(OPTIONS.heartbeatMs / 2);
      for (const peer of peers) peer.lastReceivedMs = nowMs;
    }
    expect(peers.map(({ pings, isTimedOut }) => ({ pings, isTimedOut }))).toEqual(
      peers.map(() => ({ pings: 0, isTimedOut: false })),
    );
  });

  it('times nobody out whose bytes could not be read because the process stood still', () => {
    const heartbeat = new Heartbeat<Peer>(OPTIONS);
    const [answering, silent] = [new Peer(heartbeat), new Peer(heartbeat)];
    let nowMs = START_MS;
    heartbeat.tick(nowMs);
    nowMs += 10 * OPTIONS.idleTimeoutMs;
    heartbeat.tick(nowMs);
    expect([answering.isTimedOut, silent.isTimedOut]).toEqual([false, false]);
    answering.lastReceivedMs = nowMs; // read once the event loop turns
    for (let n = 0; n < 4; n++) {
      nowMs += heartbeat.tickMs;
      heartbeat.tick(nowMs);
    }
    expect([answering.isTimedOut, silent.isTimedOut]).toEqual([false, true]);
  });
});
