// From measurements of a machine that the model describes exactly the fit gets back what the machine is made of.
import { describe, expect, it } from 'vitest';
import { clientsAllowed, remarksOn, requireLinux } from '#src/sizing/calibrate.js';
import { fitCoefficients, type Observation } from '#src/sizing/fit.js';
import { bufferPages, cacheBytes, slabKib } from '#src/sizing/measure/kernel-memory.js';
import { seededRandom } from '#src/sizing/measure/random.js';
import type { Measurement } from '#src/sizing/measure/session.js';
import { processCpu } from '#src/sizing/model-cpu.js';
import { processMemory } from '#src/sizing/model-memory.js';
import {
  CPU_POINTS,
  filesNeeded,
  IDLE,
  JSON_MEMORY_POINT,
  JSON_POINTS,
  LARGE_POINTS,
  MEMORY_POINTS,
  type Point,
  TLS_MEMORY_POINT,
  TLS_POINTS,
} from '#src/sizing/points.js';
import { coefficients, settings } from './fixture-calibration.js';

const UPTIME_SECONDS = 3;

/** What a machine with the fixture's coefficients would measure, off by up to `noise` of it. */
function measured(point: Point, noise: number, random: () => number, tls = false): Measurement {
  const workload = { ...point, settings: { ...settings, tls } };
  const cpu = processCpu(workload, 1, coefficients);
  const { activity } = cpu;
  const [group] = point.topics;
  const clients = point.clients.reduce((sum, each) => sum + each.clients, 0);
  const subscriptions = point.clients.reduce((sum, each) => sum + each.clients * each.topics.all!, 0);
  const isHot = group!.home === 'hot';
  const memoryInput = {
    workload,
    share: 1,
    lanes: 1,
    deliveredBytes: 0,
    roundTripMs: 0,
    uptimeSeconds: UPTIME_SECONDS,
  };
  const about = (value: number): number => value * (1 + noise * (2 * random() - 1));
  return {
    clients,
    subscriptions,
    published: activity.messages,
    deliveries: activity.deliveries,
    writes: activity.writes,
    deliveredBytes: activity.bytes,
    acceptCpu: about(cpu.accept),
    lanesCpu: about(cpu.lanes),
    helpersCpu: about(cpu.helpers),
    rssBytes: processMemory(memoryInput, coefficients).processBytes,
    kernelObjectBytes: clients * coefficients.kernelConnectionBytes,
    kernelBufferBytes: 0,
    latencyMs: { p50: 0.5, p99: isHot ? coefficients.hotLatencyMs : coefficients.coldLatencyMs },
    feedLateMs: 0.1,
    loadCpu: 0.3,
    lost: 0,
    problems: [],
  };
}

function observations(noise: number, seed: number) {
  const random = seededRandom(seed);
  const of = (points: readonly Point[], tls = false): Observation[] =>
    points.map((point) => ({ point, measured: measured(point, noise, random, tls) }));
  const memory = (points: readonly Point[], tls = false) =>
    of(points, tls).map((each) => ({ ...each, uptimeSeconds: UPTIME_SECONDS }));
  return {
    idle: [measured(IDLE, noise, random)],
    cpu: of(CPU_POINTS),
    large: of(LARGE_POINTS),
    json: of(JSON_POINTS),
    tls: of(TLS_POINTS, true),
    memory: memory(MEMORY_POINTS),
    jsonMemory: memory([JSON_MEMORY_POINT]),
    tlsMemory: memory([TLS_MEMORY_POINT], true),
    startedBytes: [
      { lanes: 0, rssBytes: 70e6 },
      { lanes: 1, rssBytes: 80e6 },
    ],
    settings,
  };
}

describe('fit', () => {
  it('gets back every coefficient from exact measurements', () => {
    const fitted = fitCoefficients(observations(0, 1));
    expect(fitted.fitResidual).toBeLessThan(0.005);
    for (const [name, value] of Object.entries(coefficients)) {
      const off = Math.abs(fitted.coefficients[name as keyof typeof coefficients] / value - 1);
      expect(off, name).toBeLessThan(0.05);
    }
  });

  it.each([11, 12, 13])('with 10 %% of noise it still predicts the points within 10 %%, seed %i', (seed) => {
    const fitted = fitCoefficients(observations(0.1, seed));
    for (const point of CPU_POINTS) {
      const workload = { ...point, settings };
      const exact = processCpu(workload, 1, coefficients).accept;
      const predicted = processCpu(workload, 1, fitted.coefficients).accept;
      expect(Math.abs(predicted / exact - 1), point.name).toBeLessThan(0.1);
    }
  });

  it('takes the usual size of a socket where others have changed the kernel’s memory meanwhile', () => {
    const disturbed = observations(0, 1);
    const memory = disturbed.memory.map((each) => ({
      ...each,
      measured: { ...each.measured, kernelObjectBytes: -5e6 },
    }));
    expect(fitCoefficients({ ...disturbed, memory }).coefficients.kernelConnectionBytes).toBe(3900);
  });
});

describe('what a machine must have', () => {
  it('enough file descriptors, or leave to do with fewer', () => {
    const needed = filesNeeded();
    expect(clientsAllowed(needed, false)).toBe(Number.POSITIVE_INFINITY);
    expect(() => clientsAllowed(1024, false)).toThrow(
      `calibrating takes ${needed} open files per process, the limit is 1024; raise it (ulimit -n ${needed}), or measure with fewer`,
    );
    expect(clientsAllowed(1024, true)).toBe(924);
    expect(() => clientsAllowed(256, true)).toThrow('takes 300 open files per process, the limit is 256');
  });

  it('Linux', () => {
    expect(() => requireLinux('linux')).not.toThrow();
    expect(() => requireLinux('darwin')).toThrow(/needs Linux; take a calibration/);
  });

  it('says what makes a measurement doubtful', () => {
    const fine = measured(CPU_POINTS[0], 0, seededRandom(1));
    expect(remarksOn(fine)).toEqual([]);
    expect(remarksOn({ ...fine, lost: 3, loadCpu: 0.99, problems: ['connection 1: closed'] })).toEqual([
      '3 deliveries were lost',
      'the load process was at its limit',
      'connection 1: closed',
    ]);
  });

  it('reads the kernel’s memory', () => {
    expect(bufferPages('sockets: used 16\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 14\nUDP: inuse 0 mem 3\n')).toBe(14);
    const slabinfo = 'slabinfo - version: 2.1\nTCP  10 12 2368 13 8\nfilp 20 30 192 21 1\nTCPv6 1 1 2500 1 1\n';
    expect(cacheBytes(slabinfo, ['TCP', 'filp'])).toBe(10 * 2368 + 20 * 192);
    expect(slabKib('MemFree: 1 kB\nSlab:             186104 kB\n')).toBe(186_104);
  });
});
