// The guard's limits: the only place where they are written. See "Guard" in bench/README.md.

export type CheckName = 'saturation' | 'burst' | 'small-burst' | 'watchlist';

/** What the guard has to find: CPU per delivery that grew by this share. */
export const LOSS_TO_FIND = 0.25;

/** The bar of the fan-out suite's scenario of the same name: ringcast's CPU per delivery, as a multiple of uws-publish's. */
interface Bar {
  check: CheckName;
  bar: number;
  /** How far above the last documented figure a round may be. About √1.25: as far from no loss as from LOSS_TO_FIND. */
  tolerance: number;
}

const BARS: readonly Bar[] = [
  { check: 'saturation', bar: 0.95, tolerance: 0.12 },
  { check: 'burst', bar: 0.08, tolerance: 0.12 },
  { check: 'small-burst', bar: 1.1, tolerance: 0.12 },
  { check: 'watchlist', bar: 0.25, tolerance: 0.12 },
];

/** What the guard itself measured when the limits were last set, and where. */
export interface Measured {
  commit: string;
  date: string;
  node: string;
  cpu: string;
  cores: number;
  /** Calm rounds that the figures were taken from. */
  rounds: number;
  figures: Record<CheckName, Figure>;
}

export interface Figure {
  /** Median of the rounds: ringcast's CPU per delivery ÷ uws-publish's. */
  ratio: number;
  /** Spread between rounds: the robust standard deviation of the ratio's logarithm (0.05: about 5 %). */
  spread: number;
}

// Written by `npm run bench:guard -- --update`, from here to the next comment.
export const MEASURED: Measured = {
  commit: 'c92b7239601f',
  date: '2026-11-21',
  node: 'v20.20.2',
  cpu: 'Intel(R) Xeon(R) Processor @ 2.50GHz',
  cores: 2,
  rounds: 15,
  figures: {
    saturation: { ratio: 1.11, spread: 0.0398 },
    burst: { ratio: 0.0834, spread: 0.0381 },
    'small-burst': { ratio: 1.02, spread: 0.0452 },
    watchlist: { ratio: 0.808, spread: 0.0495 },
  },
};
// End of what --update writes.

export interface Limit extends Bar, Figure {
  limit: number;
  /** The documented figure already is above the bar: the limit can only hold what there is. */
  isBarMissed: boolean;
}

/**
 * Bars with what was measured. The limit is min(bar, ratio) × (1 + tolerance) where the bar is met, so that a loss does not pass
 * because the bar is far away, and ratio × (1 + tolerance) where it is missed: both are ratio × (1 + tolerance).
 */
export function limitsOf(measured: Measured): Limit[] {
  return BARS.map((bar) => {
    const figure = measured.figures[bar.check];
    return { ...bar, ...figure, limit: figure.ratio * (1 + bar.tolerance), isBarMissed: figure.ratio > bar.bar };
  });
}

/** Limits hold for the kind of machine that they were measured on. Null: this is one; else what is different. */
export function otherMachine(measured: Measured, here: { cpu: string; cores: number; node: string }): string | null {
  const major = (version: string): string => version.split('.')[0];
  const kind = ({ cpu, cores, node }: typeof here): string => `${cpu}, ${cores} cores, Node ${major(node)}`;
  if (kind(measured) === kind(here)) return null;
  return `the limits are those of another machine (${kind(measured)}; this is ${kind(here)}): --update writes this one's`;
}
