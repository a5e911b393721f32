// How well two colours can be told apart: their contrast, and their distance for people with few or no red or green cones.

export type Colour = readonly [red: number, green: number, blue: number];

/** `#rrggbb` or `rgb(r, g, b)`. */
export function parseColour(text: string): Colour {
  const parts = text.startsWith('#')
    ? [1, 3, 5].map((start) => Number.parseInt(text.slice(start, start + 2), 16))
    : (text.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);
  if (parts.length !== 3 || parts.some(Number.isNaN)) throw new Error(`not a colour: ${text}`);
  return parts as unknown as Colour;
}

const dot = (row: Colour, colour: Colour): number => row[0] * colour[0] + row[1] * colour[1] + row[2] * colour[2];

/** sRGB, 0 … 255, to linear light, 0 … 1. */
function linear(colour: Colour): Colour {
  return colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as unknown as Colour;
}

const luminance = (colour: Colour): number => dot([0.2126, 0.7152, 0.0722], linear(colour));

/** As WCAG 2.2 defines it: 1 … 21. */
export function contrast(one: Colour, other: Colour): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** Machado, Oliveira, Fernandes, "A physiologically-based model for simulation of color vision deficiency", 2009, severity 1. */
const VISIONS: Readonly<Record<string, readonly [Colour, Colour, Colour]>> = {
  usual: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  'without red cones': [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  'without green cones': [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
};

/** CIE L*a*b*, D65. */
function lab(light: Colour): Colour {
  const curve = (share: number): number => (share > 0.008856 ? Math.cbrt(share) : 7.787 * share + 16 / 116);
  const x = curve(dot([0.4124, 0.3576, 0.1805], light) / 0.95047);
  const y = curve(dot([0.2126, 0.7152, 0.0722], light));
  const z = curve(dot([0.0193, 0.1192, 0.9505], light) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** CIE76 distance in the eyes of those who tell the two apart worst; 2.3 is just noticeable side by side. */
export function distance(one: Colour, other: Colour): number {
  return Math.min(
    ...Object.values(VISIONS).map((vision) => {
      const [a, b] = [one, other].map((colour) => {
        const light = vision.map((row) => Math.max(0, dot(row, linear(colour)))) as unknown as Colour;
        return lab(light);
      }) as [Colour, Colour];
      return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    }),
  );
}
