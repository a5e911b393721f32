// What a phase is measured by: readings of the server and of this process before and after it, and what is watched meanwhile.

import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { clockMs } from '../../../dist/load/clock.js';
import type { ReceiveBuffer } from '../../../dist/load/connection.js';
import { LatencyHistogram } from '../../../dist/load/latency-histogram.js';
import { kernelSocketBytes } from '../kernel-sockets.js';
import type { GeneratorHealth, Phase, Verification } from '../results.js';
import type { ServerSample } from './load.js';
import type { PublisherReport } from './publisher-port.js';

const LAG_TICK_MS = 10;
const KERNEL_TICK_MS = 100;
const SATURATED_PERCENT = 95;
const SATURATED_LAG_MS = 20;

interface Readings {
  server: ServerSample;
  cpu: NodeJS.CpuUsage;
  utilization: EventLoopUtilization;
  reads: number;
  atMs: number;
  publishedTotal: number;
}

export interface MeterOptions {
  sampleServer: (collectGarbage: boolean) => Promise<ServerSample>;
  buffer: ReceiveBuffer;
  /** Messages published so far, per topic. */
  published: Int32Array;
  /** Does the server deliver to another generator too? */
  serverIsShared: () => boolean;
}

/** What the phase did, as the tracker and the publishing thread saw it. */
export interface PhaseEvents {
  verification: Verification;
  latency: Phase['latency'];
  /** When the last delivery came. */
  lastDeliveryMs: number;
  report: PublisherReport;
}

/** Writer and reader: the reading thread. One phase at a time. */
export class PhaseMeter {
  readonly #options: MeterOptions;
  readonly #lag = new LatencyHistogram();
  #before: Readings | null = null;
  #kernelPeakBytes: number | null = null;
  #tickers: NodeJS.Timeout[] = [];

  constructor(options: MeterOptions) {
    this.#options = options;
  }

  /** Returns when the phase began. */
  async begin(): Promise<number> {
    const before = await this.#readings();
    this.#before = before;
    this.#lag.reset();
    this.#kernelPeakBytes = before.server.kernelSocketBytes;
    let lastTickMs = clockMs();
    const tick = (): void => {
      const nowMs = clockMs();
      this.#lag.record(nowMs - lastTickMs - LAG_TICK_MS);
      lastTickMs = nowMs;
    };
    this.#tickers = [setInterval(tick, LAG_TICK_MS), setInterval(() => this.#watchKernel(), KERNEL_TICK_MS)];
    return before.atMs;
  }

  /** Nothing is published any more: what is still under way does not count as the generator's lag. */
  stopWatching(): void {
    for (const ticker of this.#tickers.splice(0)) clearInterval(ticker);
  }

  async end({ verification, latency, lastDeliveryMs, report }: PhaseEvents): Promise<Phase> {
    const before = this.#before!;
    const after = await this.#readings();
    const seconds = Math.max(1e-3, (lastDeliveryMs - before.atMs) / 1000);
    const serverSeconds = (after.server.atMs - before.server.atMs) / 1000;
    const serverCpuMicros = after.server.cpuMicros - before.server.cpuMicros;
    const perDelivery = serverCpuMicros / Math.max(1, verification.delivered);
    return {
      seconds,
      published: after.publishedTotal - before.publishedTotal,
      deliveriesPerSecond: verification.delivered / seconds,
      ...(this.#options.serverIsShared() ? {} : { cpuMicrosPerDelivery: perDelivery }),
      serverCpuMicros,
      serverUserMicros: after.server.userMicros - before.server.userMicros,
      serverSystemMicros: after.server.systemMicros - before.server.systemMicros,
      serverCpuPercent: serverCpuMicros / 1e4 / serverSeconds,
      rssBytes: after.server.rssBytes,
      kernelSocketBytes: after.server.kernelSocketBytes,
      kernelSocketPeakBytes: higher(this.#kernelPeakBytes, after.server.kernelSocketBytes),
      latency,
      verification,
      generator: this.#health(before, after, report),
    };
  }

  #watchKernel(): void {
    this.#kernelPeakBytes = higher(this.#kernelPeakBytes, kernelSocketBytes());
  }

  async #readings(): Promise<Readings> {
    return {
      server: await this.#options.sampleServer(false),
      cpu: process.cpuUsage(),
      utilization: performance.eventLoopUtilization(),
      reads: this.#options.buffer.reads,
      atMs: clockMs(),
      publishedTotal: this.#options.published.reduce((sum, count) => sum + count, 0),
    };
  }

  #health(before: Readings, after: Readings, report: PublisherReport): GeneratorHealth {
    const seconds = (after.atMs - before.atMs) / 1000;
    const cpuMicros = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
    const cpuPercent = cpuMicros / 1e4 / seconds;
    const busy = performance.eventLoopUtilization(after.utilization, before.utilization).utilization * 100;
    const lagMs = this.#lag.quantileMicros(0.99) / 1000;
    return {
      cpuPercent,
      readerBusyPercent: busy,
      readerLagP99Ms: lagMs,
      publisherLateP99Ms: report.lateP99Ms,
      publisherLateMaxMs: report.lateMaxMs,
      readsPerSecond: (after.reads - before.reads) / seconds,
      saturated: cpuPercent > SATURATED_PERCENT || busy > SATURATED_PERCENT || lagMs > SATURATED_LAG_MS,
    };
  }
}

function higher(left: number | null, right: number | null): number | null {
  return left === null || right === null ? (left ?? right) : Math.max(left, right);
}
