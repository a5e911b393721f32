/** Durations and sizes as people write them ("30s", "64KiB") to and from plain numbers of milliseconds and bytes. */

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
};

const SIZE_UNITS_BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

/** A bare number is milliseconds. Null: not a duration. */
export function parseDurationMs(text: string): number | null {
  return parseWithUnit(text, DURATION_UNITS_MS, 'ms');
}

/** A bare number is bytes; KB is 1000, KiB is 1024. Null: not a size. */
export function parseSizeBytes(text: string): number | null {
  return parseWithUnit(text, SIZE_UNITS_BYTES, 'b');
}

function parseWithUnit(text: string, units: Readonly<Record<string, number>>, bareUnit: string): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text);
  if (match === null) return null;
  const unit = match[2] === '' ? bareUnit : match[2].toLowerCase();
  if (!Object.hasOwn(units, unit)) return null;
  // Rounded to a millionth, so that 0.1 s is 100 ms in spite of binary fractions.
  return Math.round(Number(match[1]) * units[unit] * 1e6) / 1e6;
}

/** In the largest unit that needs no fraction: 90000 → "90 s", 120000 → "2 min", 3600000 → "1 h". */
export function formatDurationMs(durationMs: number): string {
  if (durationMs !== 0 && durationMs % 3_600_000 === 0) return `${durationMs / 3_600_000} h`;
  if (durationMs !== 0 && durationMs % 60_000 === 0) return `${durationMs / 60_000} min`;
  if (durationMs !== 0 && durationMs % 1000 === 0) return `${durationMs / 1000} s`;
  return `${durationMs} ms`;
}

/** In the largest binary unit, exact where it can be: 65536 → "64 KiB", 1500 → "1.46 KiB". */
export function formatSizeBytes(sizeBytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = sizeBytes;
  let index = 0;
  while (value >= 1024 && index < names.length - 1) {
    value /= 1024;
    index++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(2)} ${names[index]}`;
}
