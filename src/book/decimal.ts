/**
 * Decimals: prices and quantities as the texts that they came as. They are compared and added by value, without a float's
 * rounding; what is not touched keeps its form, trailing zeros included.
 */

const DECIMAL_MAX_CHARS = 40;
/** With the length this bounds what a comparison takes. */
const DECIMAL = /^-?\d+(\.\d+)?([eE][+-]?\d{1,2})?$/;

/** Digits that a float64 holds whatever they are. */
const SAFE_DIGITS = 15;
const SAFE_MAX = 10 ** SAFE_DIGITS;

/** A price or quantity as text: a decimal as it is, a number's digits. Null: it is none. */
export function decimalOf(value: unknown): string | null {
  if (typeof value === 'string') return value.length <= DECIMAL_MAX_CHARS && DECIMAL.test(value) ? value : null;
  if (typeof value === 'bigint') return decimalOf(String(value));
  if (typeof value !== 'number' || !Number.isFinite(value)) return null;
  const text = String(value);
  return decimalOf(text.includes('e') ? plainOf(text) : text);
}

/** Without an exponent. */
function plainOf(text: string): string {
  return textOf(scaledOf(text));
}

/** A decimal as digits × 10^−scale. */
interface Scaled {
  readonly digits: bigint;
  readonly scale: number;
}

function scaledOf(text: string): Scaled {
  const [mantissa, exponent = '0'] = text.toLowerCase().split('e');
  const dot = mantissa.indexOf('.');
  const digits = BigInt(dot < 0 ? mantissa : mantissa.slice(0, dot) + mantissa.slice(dot + 1));
  const scale = (dot < 0 ? 0 : mantissa.length - dot - 1) - Number(exponent);
  return scale < 0 ? { digits: digits * 10n ** BigInt(-scale), scale: 0 } : { digits, scale };
}

function textOf({ digits, scale }: { readonly digits: bigint | number; readonly scale: number }): string {
  const sign = digits < 0 ? '-' : '';
  const all = String(digits < 0 ? -digits : digits).padStart(scale + 1, '0');
  return scale === 0 ? `${sign}${all}` : `${sign}${all.slice(0, -scale)}.${all.slice(-scale)}`;
}

/** Digits of `scaled` at a larger scale. */
function digitsAt({ digits, scale }: Scaled, larger: number): bigint {
  return digits * 10n ** BigInt(larger - scale);
}

/** Of two decimals whose floats are equal; texts mostly are too. */
export function compareExactly(a: string, b: string): number {
  if (a === b || (a.length <= SAFE_DIGITS && b.length <= SAFE_DIGITS)) return 0;
  const [left, right] = [scaledOf(a), scaledOf(b)];
  const scale = Math.max(left.scale, right.scale);
  const difference = digitsAt(left, scale) - digitsAt(right, scale);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** Whether a decimal is zero. */
export function isZero(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x45 || code === 0x65) return true;
    if (code >= 0x31 && code <= 0x39) return false;
  }
  return true;
}

/** As most are written: nothing to do but to leave out zeros at the end. */
const USUAL = /^(0|[1-9]\d*)(\.\d+)?$/;

/** Few digits, as most have. */
function isUsual(text: string): boolean {
  return text.length <= SAFE_DIGITS && USUAL.test(text);
}

function scaleOf(usual: string): number {
  const dot = usual.indexOf('.');
  return dot < 0 ? 0 : usual.length - dot - 1;
}

/** So few digits come out of a float as they went in. */
function digitsOf(usual: string, scale: number): number {
  return Math.round(Number(usual) * 10 ** scale);
}

/** The same text for all decimals of one value. */
export function normalDecimal(text: string): string {
  const plain = USUAL.test(text) ? text : plainOf(text);
  return plain.includes('.') ? plain.replace(/\.?0+$/, '') : plain;
}

/** Steps of a price ladder, which prices are rounded to. */
export class PriceTick {
  readonly #tick: Scaled;
  /** Its digits, where a float holds them. */
  readonly #digits: number;
  readonly value: number;

  /** @param text a decimal above zero */
  constructor(text: string) {
    this.#tick = scaledOf(text);
    this.value = Number(text);
    this.#digits = isUsual(text) ? Number(this.#tick.digits) : Number.NaN;
  }

  /** The step at a price, or the next one below it, or above it. */
  round(price: string, isUp: boolean): string {
    const scale = isUsual(price) ? Math.max(scaleOf(price), this.#tick.scale) : 0;
    const digits = digitsOf(price, scale);
    // A quotient of such whole numbers is never rounded to another whole one.
    const exact = digits / (this.#digits * 10 ** (scale - this.#tick.scale));
    const stepDigits = (isUp ? Math.ceil(exact) : Math.floor(exact)) * this.#digits;
    const isSafe = isUsual(price) && digits < SAFE_MAX && stepDigits < SAFE_MAX;
    return isSafe ? textOf({ digits: stepDigits, scale: this.#tick.scale }) : this.#roundExactly(price, isUp);
  }

  #roundExactly(price: string, isUp: boolean): string {
    const value = scaledOf(price);
    const scale = Math.max(value.scale, this.#tick.scale);
    const [digits, step] = [digitsAt(value, scale), digitsAt(this.#tick, scale)];
    // Division of bigints rounds towards zero.
    let count = digits / step;
    if (count * step !== digits && isUp !== digits < 0n) count += isUp ? 1n : -1n;
    return textOf({ digits: count * this.#tick.digits, scale: this.#tick.scale });
  }
}

/** Adds up decimals: of one form, which those of a feed mostly are, in plain numbers. */
export class DecimalSum {
  /** The sum, or null: it is `#digits` × 10^−`#scale`. */
  #text: string | null = '0';
  #digits = 0;
  #scale = 0;

  clear(): void {
    this.#text = '0';
    this.#digits = this.#scale = 0;
  }

  get text(): string {
    return this.#text ?? textOf({ digits: this.#digits, scale: this.#scale });
  }

  add(decimal: string): void {
    const scale = scaleOf(decimal);
    const digits = isUsual(decimal) ? digitsOf(decimal, scale) : Number.NaN;
    const isFirst = this.#text === '0';
    if (
      (isFirst || (this.#text === null && scale === this.#scale)) &&
      this.#digits + digits <= Number.MAX_SAFE_INTEGER
    ) {
      this.#text = null;
      this.#digits += digits;
      this.#scale = scale;
      return;
    }
    this.#text = isFirst ? decimal : sumOf(this.text, decimal);
  }
}

function sumOf(a: string, b: string): string {
  const [left, right] = [scaledOf(a), scaledOf(b)];
  const scale = Math.max(left.scale, right.scale);
  return textOf({ digits: digitsAt(left, scale) + digitsAt(right, scale), scale });
}
