// A calibration that no machine has: round figures, so that what comes of them can be worked out by hand.
import type { Calibration, Coefficients } from '#src/sizing/calibration.js';
import type { WorkloadSettings } from '#src/sizing/workload.js';

export const coefficients: Coefficients = {
  perWriteMicros: 6,
  perFarWriteMicros: 3,
  perRowMicros: 0.5,
  perByteNanos: 1,
  perLargeByteNanos: 2,
  helperLargeByteNanos: 1,
  perMessageMicros: 2,
  perWakeUpMicros: 40,
  perFanOutMicros: 20,
  perHotWakeUpMicros: 30,
  idleCpu: 0.005,
  laneMessageMicros: 1,
  laneWakeUpMicros: 50,
  jsonEventMicros: 1,
  jsonMessageMicros: 6,
  jsonByteNanos: 10,
  tlsRecordMicros: 3,
  tlsByteNanos: 2,
  helperShare: 0.05,
  wakeUpMs: 0.1,
  undelayedMs: 0.2,
  delaySlackMs: 1.5,
  hotDelayShare: 0.9,
  coldLatencyMs: 1,
  hotLatencyMs: 1.5,
  processBytes: 90e6,
  laneBytes: 10e6,
  jsonProcessBytes: 25e6,
  connectionBytes: 2300,
  tlsConnectionBytes: 20_000,
  subscriptionBytes: 80,
  topicBytes: 2500,
  kernelConnectionBytes: 3900,
};

export const settings: WorkloadSettings = {
  historyMessages: 100,
  historyBytes: 2 ** 20,
  hotLogBytes: 4 * 2 ** 20,
  hotLogFrames: 16_384,
  coldLogMaxBytes: 4 * 2 ** 20,
  coldLogMaxFrames: 8192,
  ringBytes: 4 * 2 ** 20,
  lanes: 'auto',
  tls: false,
};

export function calibrationWith(changed: Partial<Coefficients> = {}): Calibration {
  return {
    kind: 'ringcast-calibration',
    format: 2,
    date: '2026-11-21T09:00:00.000Z',
    machine: {
      cpu: 'Test CPU',
      cores: 8,
      memoryBytes: 16 * 2 ** 30,
      system: 'Linux 6.0',
      node: 'v20.0.0',
      ringcast: '0.1.0',
    },
    coefficients: { ...coefficients, ...changed },
    spreads: { perWriteMicros: 0.25, helperShare: 0.01 },
    fitResidual: 0.04,
    remarks: [],
  };
}
