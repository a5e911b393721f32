// What a browser made of a report: measured on the page, judged by the test.
import type { Page } from 'playwright-core';

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface DrawnText {
  text: string;
  box: Box;
  fontPixels: number;
  colour: string;
  /** Of the nearest element that has one. */
  ground: string;
}

export interface DrawnFigure {
  title: string;
  box: Box;
  drawing: Box;
  /** Lines and bars: what is drawn in a colour of the palette. Markers and whiskers are among them. */
  marks: { box: Box; colour: string }[];
  /** Lines of the legend; 0 for bars, whose names stand beside them. */
  lines: number;
  texts: DrawnText[];
  ground: string;
}

export interface Drawn {
  pageWidth: number;
  pageScrollWidth: number;
  ground: string;
  figures: DrawnFigure[];
  /** Texts outside drawings that are to be seen. */
  texts: DrawnText[];
  /** Elements that are wider than the page and in no frame that scrolls. */
  tooWide: string[];
}

export function measure(page: Page): Promise<Drawn> {
  return page.evaluate(() => {
    const boxOf = (element: Element): Box => {
      const { left, top, width, height } = element.getBoundingClientRect();
      return { left, top, width, height };
    };
    const isSeen = (element: Element): boolean => element.checkVisibility({ contentVisibilityAuto: true });
    const groundOf = (element: Element | null): string => {
      for (let one = element; one !== null; one = one.parentElement) {
        const colour = getComputedStyle(one).backgroundColor;
        if (colour !== 'rgba(0, 0, 0, 0)') return colour;
      }
      return 'rgb(255, 255, 255)';
    };
    const textOf = (element: Element, scale: number, colour: string): DrawnText => ({
      text: element.textContent ?? '',
      box: boxOf(element),
      fontPixels: Number.parseFloat(getComputedStyle(element).fontSize) * scale,
      colour,
      ground: groundOf(element),
    });
    const figureOf = (figure: Element): DrawnFigure => {
      const svg = [...figure.querySelectorAll<SVGSVGElement>('.drawing svg')].find(isSeen)!;
      const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      const ofPalette = (path: Element): boolean =>
        ['stroke', 'fill'].some((name) => path.getAttribute(name)?.startsWith('var(--c'));
      return {
        title: figure.querySelector('strong')!.textContent!,
        box: boxOf(figure),
        drawing: boxOf(svg),
        marks: [...svg.querySelectorAll('path, polygon')].filter(ofPalette).map((path) => {
          const { fill, stroke } = getComputedStyle(path);
          return { box: boxOf(path), colour: fill === 'none' ? stroke : fill };
        }),
        lines: figure.querySelectorAll('.legend li').length,
        texts: [...svg.querySelectorAll('text')].map((text) => textOf(text, scale, getComputedStyle(text).fill)),
        ground: groundOf(figure),
      };
    };
    const holdsText = (element: Element): boolean =>
      [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent!.trim() !== '');
    const pageWidth = document.documentElement.clientWidth;
    const all = [...document.querySelectorAll('body *')].filter(
      (element) => !element.closest('svg') && isSeen(element),
    );
    return {
      pageWidth,
      pageScrollWidth: document.documentElement.scrollWidth,
      ground: groundOf(document.body),
      figures: [...document.querySelectorAll('figure')].map(figureOf),
      texts: all.filter(holdsText).map((element) => textOf(element, 1, getComputedStyle(element).color)),
      tooWide: all
        .filter((element) => !element.closest('.scroll') && element.getBoundingClientRect().right > pageWidth + 1)
        .map((element) => element.outerHTML.slice(0, 100)),
    };
  });
}
