// What a phase is measured by: readings of the server and of this process before and after it, and what is watched meanwhile.

import { clockMs } from '../../../dist/load/clock.js';
import type { ReceiveBuffer } from '../../../dist/load/connection.js';
import { HealthMeter } from '../../../dist/load/health.js';
import type { PublishSummary } from '../../../dist/load/publisher-port.js';
import { kernelSocketBytes } from '../kernel-sockets.js';
import type { GeneratorHealth, Phase, Verification } from '../results.js';
import type { ServerSample } from './load.js';

const KERNEL_TICK_MS = 100;
const SATURATED_PERCENT = 95;
const SATURATED_LAG_MS = 20;

interface Readings {
  server: ServerSample;
  reads: number;
  atMs: number;
  publishedTotal: number;
}

export interface MeterOptions {
  sampleServer: (collectGarbage: boolean) => Promise<ServerSample>;
  buffer: ReceiveBuffer;
  /** Messages published so far. */
  published: () => number;
  /** Does the server deliver to another generator too? */
  serverIsShared: () => boolean;
}

/** What the phase did, as the tracker and the publishing thread saw it. */
export interface PhaseEvents {
  verification: Verification;
  latency: Phase['latency'];
  /** When the last delivery came. */
  lastDeliveryMs: number;
  report: PublishSummary;
}

/** Writer and reader: the reading thread. One phase at a time. */
export class PhaseMeter {
  readonly #options: MeterOptions;
  readonly #health = new HealthMeter();
  #before: Readings | null = null;
  #kernelPeakBytes: number | null = null;
  #kernelTicker: NodeJS.Timeout | null = null;

  constructor(options: MeterOptions) {
    this.#options = options;
  }

  /** Returns when the phase began. */
  async begin(): Promise<number> {
    const before = await this.#readings();
    this.#before = before;
    this.#kernelPeakBytes = before.server.kernelSocketBytes;
    this.#kernelTicker = setInterval(() => this.#watchKernel(), KERNEL_TICK_MS);
    this.#health.start();
    return before.atMs;
  }

  /** Nothing is published any more: what is still under way does not count as the generator's lag. */
  stopWatching(): void {
    clearInterval(this.#kernelTicker ?? undefined);
    this.#health.stopTicking();
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
      generator: this.#generatorHealth(before, after, report),
    };
  }

  #watchKernel(): void {
    this.#kernelPeakBytes = higher(this.#kernelPeakBytes, kernelSocketBytes());
  }

  async #readings(): Promise<Readings> {
    return {
      server: await this.#options.sampleServer(false),
      reads: this.#options.buffer.reads,
      atMs: clockMs(),
      publishedTotal: this.#options.published(),
    };
  }

  #generatorHealth(before: Readings, after: Readings, report: PublishSummary): GeneratorHealth {
    const health = this.#health.stop();
    const { cpuPercent, readerBusyPercent, readerLagP99Ms } = health;
    const busyPercent = Math.max(cpuPercent, readerBusyPercent);
    return {
      ...health,
      publisherLateP99Ms: report.publishLateP99Ms,
      publisherLateMaxMs: report.publishLateMaxMs,
      readsPerSecond: (after.reads - before.reads) / ((after.atMs - before.atMs) / 1000),
      saturated: busyPercent > SATURATED_PERCENT || readerLagP99Ms > SATURATED_LAG_MS,
    };
  }
}

function higher(left: number | null, right: number | null): number | null {
  return left === null || right === null ? (left ?? right) : Math.max(left, right);
}
