// Contrast of two colours as WCAG 2.2 defines it: relative luminances, 1 : 1 … 21 : 1.

export type Colour = readonly [red: number, green: number, blue: number];

/** `#rrggbb` or `rgb(r, g, b)`. */
export function parseColour(text: string): Colour {
  const parts = text.startsWith('#')
    ? [1, 3, 5].map((start) => Number.parseInt(text.slice(start, start + 2), 16))
    : (text.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);
  if (parts.length !== 3 || parts.some(Number.isNaN)) throw new Error(`not a colour: ${text}`);
  return parts as unknown as Colour;
}

function luminance(colour: Colour): number {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as unknown as Colour;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function contrast(one: Colour, other: Colour): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}
