// Calibration files: what was saved is what is read, and what is no calibration is refused with a reason.
import { describe, expect, it } from 'vitest';
import { calibrationText, calibrationWarnings, parseCalibration, thisMachine } from '#src/sizing/calibration.js';
import { calibrationWith } from './fixture-calibration.js';

const text = calibrationText(calibrationWith());
const changed = (change: (value: Record<string, Record<string, unknown>>) => void): string => {
  const value = JSON.parse(text);
  change(value);
  return JSON.stringify(value);
};

describe('calibration file', () => {
  it('reads what it wrote', () => {
    expect(parseCalibration(text, 'c.json')).toEqual(calibrationWith());
  });

  it.each<[string, string, RegExp]>([
    ['no JSON', '{', /^c\.json: is not JSON: /],
    ['another file', '{"workloads": []}', /^c\.json: is no calibration; make one with ringcast size --save/],
    ['nothing', 'null', /is no calibration/],
    [
      'a later format',
      changed((value) => Object.assign(value, { format: 9 })),
      /has format 9, this version reads 2; calibrate again/,
    ],
    [
      'a missing coefficient',
      changed((value) => void delete value.coefficients!.perWriteMicros),
      /coefficients\.perWriteMicros expected number/,
    ],
    [
      'a negative one',
      changed((value) => Object.assign(value.coefficients!, { topicBytes: -1 })),
      /coefficients\.topicBytes/,
    ],
    ['an unknown field', changed((value) => Object.assign(value.coefficients!, { perMoonMicros: 1 })), /perMoonMicros/],
  ])('%s', (_what, content, message) => {
    expect(() => parseCalibration(content, 'c.json')).toThrow(message);
  });
});

describe('a calibration of another machine', () => {
  it('is told apart by CPU, cores, Node, ringcast and system', () => {
    const { machine } = calibrationWith();
    expect(calibrationWarnings(machine, machine)).toEqual([]);
    const other = { ...machine, cpu: 'Other CPU', cores: 2, node: 'v22.0.0', ringcast: '0.2.0', system: 'Linux 5.4' };
    expect(calibrationWarnings(machine, other)).toEqual([
      'the calibration is of the CPU Test CPU, this is Other CPU',
      'the calibration is of a machine with this number of cores: 8, this is 2',
      'the calibration is of Node.js v20.0.0, this is v22.0.0',
      'the calibration is of ringcast 0.1.0, this is 0.2.0',
      'the calibration is of the system Linux 6.0, this is Linux 5.4',
    ]);
  });

  it('this machine is known well enough', () => {
    expect(thisMachine()).toMatchObject({ node: process.version, ringcast: expect.stringMatching(/^\d+\.\d+/) });
  });
});
