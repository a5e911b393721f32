// A server's process: starts one peer and answers with readings of this process, or of those that the peer started. Arguments: peer name, ServerOptions as JSON.

import { clockMs } from '../../dist/load/clock.js';
import { kernelSocketBytes } from './kernel-sockets.js';
import type { Order, OrderResult } from './orders.js';
import { loadPeer, type ServerOptions } from './peer.js';
import type { ServerMessage, ToServer } from './process-port.js';
import { type ProcessReading, readProcesses } from './process-readings.js';

const send = (message: ServerMessage): void => {
  process.send!(message);
};

function sample(collectGarbage: boolean): void {
  if (collectGarbage) globalThis.gc?.();
  const atMs = performance.now();
  const reading = server.pids === undefined ? readThisProcess() : readProcesses(server.pids);
  const cpuMicros = reading.userMicros + reading.systemMicros;
  send({ type: 'sample', sample: { atMs, cpuMicros, ...reading, kernelSocketBytes: kernelSocketBytes() } });
}

function readThisProcess(): ProcessReading {
  const { user, system } = process.cpuUsage();
  return { userMicros: user, systemMicros: system, rssBytes: process.memoryUsage.rss() };
}

async function obey(order: Order): Promise<void> {
  const atMs = clockMs();
  const failed = (error: unknown): OrderResult => ({ atMs, doneMs: clockMs(), error: String(error) });
  const answer = server.obey?.(order) ?? Promise.reject(new Error('this peer takes no orders'));
  send({ type: 'obeyed', result: await answer.catch(failed) });
}

const peer = await loadPeer(process.argv[2]);
const server = await peer.startServer(JSON.parse(process.argv[3]) as ServerOptions);

process.on('message', (message: ToServer) => {
  if (message.type === 'sample') sample(message.collectGarbage);
  else if (message.type === 'order') void obey(message.order);
  else void server.close().finally(() => process.exit(0));
});
process.on('disconnect', () => process.exit(1));
send({ type: 'ready', port: server.port });
