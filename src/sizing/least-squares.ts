/** Least squares without negative coefficients: what a thing costs cannot be less than nothing. */

export interface Fit {
  readonly coefficients: readonly number[];
  /** Of each coefficient, as far as the residuals tell; 0 where there are no more rows than coefficients. */
  readonly standardErrors: readonly number[];
  /** Root mean square of the rows' residuals. */
  readonly residual: number;
}

const SWEEPS_MAX = 20_000;
const CONVERGED = 1e-12;

/**
 * Finds x ≥ 0 that makes |A x − b| smallest, by coordinate descent: each coefficient in turn is set to what is best given
 * the others. The problem is convex, so this ends at the minimum.
 */
export function nonNegativeLeastSquares(rows: readonly (readonly number[])[], targets: readonly number[]): Fit {
  const width = rows[0]?.length ?? 0;
  const { gram, moments } = normalEquations(rows, targets, width);
  const x = new Array<number>(width).fill(0);
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
    let change = 0;
    for (let column = 0; column < width; column++) {
      if (gram[column][column] === 0) continue;
      let gradient = moments[column];
      for (let other = 0; other < width; other++) if (other !== column) gradient -= gram[column][other] * x[other];
      const value = Math.max(0, gradient / gram[column][column]);
      change = Math.max(change, Math.abs(value - x[column]) * Math.sqrt(gram[column][column]));
      x[column] = value;
    }
    if (change < CONVERGED * Math.sqrt(targets.reduce((sum, target) => sum + target * target, 0))) break;
  }
  const squares = rows.reduce((sum, row, index) => sum + (dot(row, x) - targets[index]) ** 2, 0);
  return {
    coefficients: x,
    standardErrors: standardErrors(gram, x, squares, rows.length),
    residual: Math.sqrt(squares / Math.max(1, rows.length)),
  };
}

function normalEquations(rows: readonly (readonly number[])[], targets: readonly number[], width: number) {
  const gram = Array.from({ length: width }, () => new Array<number>(width).fill(0));
  const moments = new Array<number>(width).fill(0);
  rows.forEach((row, index) => {
    for (let left = 0; left < width; left++) {
      moments[left] += row[left] * targets[index];
      for (let right = 0; right < width; right++) gram[left][right] += row[left] * row[right];
    }
  });
  return { gram, moments };
}

/** Of the coefficients above 0, from the inverse of their part of the normal equations; those at the bound have none. */
function standardErrors(gram: number[][], x: readonly number[], squares: number, rowCount: number): number[] {
  const free = x.flatMap((value, index) => (value > 0 ? [index] : []));
  const variance = rowCount > free.length ? squares / (rowCount - free.length) : 0;
  const inverse = inverseOf(free.map((row) => free.map((column) => gram[row][column])));
  const errors = new Array<number>(x.length).fill(0);
  free.forEach((index, at) => {
    errors[index] = inverse === null ? 0 : Math.sqrt(Math.max(0, variance * inverse[at][at]));
  });
  return errors;
}

/** Gauss–Jordan with pivots; null: the matrix has no inverse. */
function inverseOf(matrix: number[][]): number[][] | null {
  const size = matrix.length;
  const work = matrix.map((row, index) => [...row, ...row.map((_, column) => (column === index ? 1 : 0))]);
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let row = column + 1; row < size; row++) {
      if (Math.abs(work[row][column]) > Math.abs(work[pivot][column])) pivot = row;
    }
    const divisor = work[pivot][column];
    if (Math.abs(divisor) < Number.EPSILON) return null;
    [work[column], work[pivot]] = [work[pivot], work[column]];
    work[column] = work[column].map((value) => value / divisor);
    for (let row = 0; row < size; row++) {
      const factor = work[row][column];
      if (row !== column && factor !== 0) {
        work[row] = work[row].map((value, index) => value - factor * work[column][index]);
      }
    }
  }
  return work.map((row) => row.slice(size));
}

function dot(left: readonly number[], right: readonly number[]): number {
  return left.reduce((sum, value, index) => sum + value * right[index], 0);
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
