// Durations and sizes as people write them.
import { describe, expect, it } from 'vitest';
import { formatDurationMs, formatSizeBytes, parseDurationMs, parseSizeBytes } from '#src/config/units.js';

describe('durations', () => {
  it.each<[string, number | null]>([
    ['500ms', 500],
    ['30s', 30_000],
    ['0.1s', 100],
    ['2 m', 120_000],
    ['2min', 120_000],
    ['1H', 3_600_000],
    ['250', 250],
    ['0', 0],
    ['', null],
    ['s', null],
    ['-1s', null],
    ['1d', null],
    ['1e3', null],
    ['1s1s', null],
    ['0x10', null],
    ['1constructor', null],
  ])('%j is %j ms', (text, expected) => expect(parseDurationMs(text)).toBe(expected));

  it.each<[number, string]>([
    [0, '0 ms'],
    [0.5, '0.5 ms'],
    [1500, '1500 ms'],
    [2000, '2 s'],
    [90_000, '90 s'],
    [60_000, '1 min'],
    [7_200_000, '2 h'],
  ])('%j ms is shown as %j', (value, expected) => {
    expect(formatDurationMs(value)).toBe(expected);
    expect(parseDurationMs(expected)).toBe(value);
  });
});

describe('sizes', () => {
  it.each<[string, number | null]>([
    ['1MiB', 1_048_576],
    ['64 KiB', 65_536],
    ['1kb', 1000],
    ['1.5KiB', 1536],
    ['2GiB', 2_147_483_648],
    ['3GB', 3_000_000_000],
    ['5MB', 5_000_000],
    ['17', 17],
    ['17B', 17],
    ['1M', null],
    ['MiB', null],
    ['-1', null],
  ])('%j is %j bytes', (text, expected) => expect(parseSizeBytes(text)).toBe(expected));

  it.each<[number, string]>([
    [0, '0 B'],
    [1023, '1023 B'],
    [65_536, '64 KiB'],
    [1500, '1.46 KiB'],
    [2 ** 40, '1 TiB'],
  ])('%j bytes are shown as %j', (value, expected) => expect(formatSizeBytes(value)).toBe(expected));
});
