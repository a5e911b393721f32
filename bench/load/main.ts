// How much one process of `ringcast load` reads: a flood of verified deliveries over loopback, and what reading one costs.
//
//     node dist-bench/load/main.js [--seconds n]
//
// Two kinds of server: ringcast (many frames share a WebSocket message), and uWebSockets.js with JSON templates (each frame is a
// WebSocket message of its own). Messages are published in bursts, so that the server is not the bottleneck. A reader that was
// not busy all the time could have read more: deliveries/s divided by its busy share is what it can do.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { LoadJob } from '../../dist/load/job.js';
import { startLocalTeam } from '../../dist/load/local-team.js';
import { runLoad } from '../../dist/load/run.js';
import { describeMachine, machineLines } from '../support/machine.js';

const CONNECTIONS = 200;
const BURST = 50;
/** Deliveries per second that are asked of the server. */
const OFFERED = [300_000, 600_000];
const WANTED_PER_SECOND = 250_000;

interface Flood {
  readonly name: string;
  readonly start: () => Promise<{ url: string; close: () => void }>;
  readonly job: Partial<LoadJob>;
}

const FLOODS: readonly Flood[] = [
  {
    name: 'ringcast.v1.msgpack, from ringcast',
    start: async () => {
      const child = fork(new URL('./ringcast-server.js', import.meta.url));
      const [url] = (await once(child, 'message')) as [string];
      return { url, close: () => child.kill() };
    },
    job: { protocol: 'ringcast' },
  },
  {
    name: 'JSON by templates, from uWebSockets.js',
    start: async () => {
      const child = fork(new URL('./flood-server.js', import.meta.url));
      const [port] = (await once(child, 'message')) as [number];
      return { url: `ws://127.0.0.1:${port}/`, close: () => child.kill() };
    },
    job: {
      protocol: 'json',
      burst: 30, // from 33 on uWebSockets.js writes every message by itself
      templates: { subscribe: '{"sub":"{{topic}}"}', publish: '{"pub":"{{topic}}","data":{{payload}}}' },
    },
  },
];

async function flood({ name, start, job }: Flood, perSecond: number, seconds: number): Promise<boolean> {
  const server = await start();
  try {
    const whole: LoadJob = {
      ...{ url: server.url, protocol: 'ringcast', headers: [], insecure: false, choice: 'turn', seed: 1, run: 1 },
      ...{ connections: CONNECTIONS, topics: '1', topicsPerConnection: 1, publishers: 1, payloadBytes: 128 },
      ...{ rate: perSecond / CONNECTIONS, burst: BURST, rampPerSecond: 0, allowFewer: false },
      ...{ warmupMs: 2000, durationMs: seconds * 1000, ...job },
    };
    const { result } = await runLoad({ job: whole, machines: [startLocalTeam(1)] });
    const [health] = result.health;
    const rate = result.measured.delivered / result.seconds;
    const cpuMicros = (health!.cpuPercent * 1e4) / rate;
    const isVerified = result.verification.complete;
    console.log(
      [
        `${name}, ${perSecond} deliveries/s asked for:`,
        `  ${isVerified ? 'verified' : 'NOT all delivered'}; ${Math.round(rate)} deliveries/s, reading ${health!.readerBusyPercent.toFixed(0)} % of the time,`,
        `  CPU ${health!.cpuPercent.toFixed(0)} % of a core, ${cpuMicros.toFixed(2)} µs per delivery, so ${Math.round(1e6 / cpuMicros)} deliveries/s with one core`,
      ].join('\n'),
    );
    return isVerified && 1e6 / cpuMicros >= WANTED_PER_SECOND && rate >= WANTED_PER_SECOND;
  } finally {
    server.close();
  }
}

const secondsAt = process.argv.indexOf('--seconds');
const seconds = secondsAt < 0 ? 5 : Number(process.argv[secondsAt + 1]);
const machine = describeMachine('load', process.argv.slice(2));
console.log(
  machineLines({ ...machine, command: `node dist-bench/load/main.js ${process.argv.slice(2).join(' ')}` }).join('\n'),
);
let isEnough = true;
for (const each of FLOODS) {
  let best = false;
  for (const perSecond of OFFERED) best = (await flood(each, perSecond, seconds)) || best;
  console.log(`  at least ${WANTED_PER_SECOND} deliveries/s, verified, by one process: ${best ? 'yes' : 'NO'}`);
  isEnough &&= best;
}
process.exitCode = isEnough ? 0 : 1;
