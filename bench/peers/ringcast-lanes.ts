// ringcast, embedded with an own source of lane threads, so that scenarios can order what has to happen under load: topics
// move, logs fill, lanes end, the measurement of load stops and goes on.

import { Engine } from 'ringcast';
import { parseConfig } from '../../dist/config.js';
import { clockMs, sleep } from '../../dist/load/clock.js';
import { switchMeasurement } from '../lanes/measurement-switch.js';
import { OrderedLanes } from '../lanes/ordered-lanes.js';
import type { Order, OrderResult } from '../support/orders.js';
import { type Peer, type RunningServer, type ServerOptions, topicName } from '../support/peer.js';
import { createDialect } from './ringcast.js';

/** Messages of a fill that may be under way. */
const FILL_BATCH = 256;
const POLL_MS = 5;

async function startServer({ topics, maxDelayMs, engine: settings }: ServerOptions): Promise<RunningServer> {
  const config = parseConfig({ port: 0, maxDelayMs, ...settings });
  const lanes = new OrderedLanes(config.laneHeapBytes);
  const engine = new Engine(config, {}, lanes);
  await engine.start();

  async function fill(name: string, bytes: number, payloadBytes: number): Promise<void> {
    const payload = new Uint8Array(payloadBytes);
    payload.set([0xc5, (payloadBytes - 3) >>> 8, (payloadBytes - 3) & 0xff]); // one MessagePack bin of just this size
    for (let left = Math.ceil(bytes / payloadBytes); left > 0; left -= FILL_BATCH) {
      const batch = Array.from({ length: Math.min(FILL_BATCH, left) }, () => engine.publishEncoded(name, payload));
      await Promise.all(batch);
    }
  }

  async function awaitLane(name: string, giveUpMs: number): Promise<void> {
    const deadlineMs = clockMs() + giveUpMs;
    while (engine.topicStats(name)?.home === 'cold') {
      if (clockMs() > deadlineMs) throw new Error(`${name} is still cold after ${giveUpMs} ms`);
      await sleep(POLL_MS);
    }
  }

  async function carryOut(order: Order): Promise<void> {
    switch (order.kind) {
      case 'move':
        return engine.moveTopic(topicName(topics, order.topic), order.home);
      case 'await-lane':
        return awaitLane(topicName(topics, order.topic), order.giveUpMs);
      case 'fill':
        for (let topic = 0; topic < order.topics; topic++) {
          await fill(topicName(topics, topic), order.bytes, order.payloadBytes);
        }
        return;
      case 'end-lane':
        return lanes.end(order.lane);
      case 'measure':
        switchMeasurement(order.isOn);
        lanes.switchMeasurement(order.isOn);
    }
  }

  return {
    port: engine.port,
    async obey(order: Order): Promise<OrderResult> {
      const atMs = clockMs();
      await carryOut(order);
      return { atMs, doneMs: clockMs(), error: null };
    },
    close: () => engine.close(),
  };
}

export const peer: Peer = { name: 'ringcast-lanes', startServer, createDialect };
