/** How `ringcast top` writes numbers and times. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0, useGrouping: false });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

const UNGROUPED_MAX = 9999;

/** `0`, `0.4`, `512`, `9999`, `12.3K`, `4.5M`. */
export function formatCount(value: number): string {
  if (value > UNGROUPED_MAX) return short.format(value);
  return value > 0 && value < 10 && !Number.isInteger(value) ? value.toFixed(1) : whole.format(value);
}

/** A part of a whole, 0–1: `37%`. */
export function formatShare(share: number): string {
  return `${whole.format(share * 100)}%`;
}

const MS_PER_SECOND = 1000;
const MS_PER_MINUTE = 60 * MS_PER_SECOND;
const MS_PER_HOUR = 60 * MS_PER_MINUTE;
const MS_PER_DAY = 24 * MS_PER_HOUR;

/** Milliseconds as a person says them: `0`, `0.05ms`, `12ms`, `3.4s`, `12m`, `5h`, `2d`. */
export function formatMs(ms: number): string {
  if (ms === 0) return '0';
  if (ms < 10) return `${Number(ms.toPrecision(ms < 1 ? 1 : 2))}ms`;
  if (ms < MS_PER_SECOND) return `${Math.round(ms)}ms`;
  if (ms < 10 * MS_PER_SECOND) return `${(ms / MS_PER_SECOND).toFixed(1)}s`;
  if (ms < 2 * MS_PER_MINUTE) return `${Math.round(ms / MS_PER_SECOND)}s`;
  if (ms < 2 * MS_PER_HOUR) return `${Math.round(ms / MS_PER_MINUTE)}m`;
  if (ms < 2 * MS_PER_DAY) return `${Math.round(ms / MS_PER_HOUR)}h`;
  return `${Math.round(ms / MS_PER_DAY)}d`;
}
