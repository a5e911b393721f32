// What a report consists of: sections of blocks of figures. A new kind of results is one more function that returns a Section.

import type { Chart } from './chart/chart.js';
import type { Html } from './html.js';

export interface Figure {
  title: string;
  /** What is to be seen, in numbers: caption, and the text for those who do not see the drawing. */
  finding: string;
  chart: Chart;
}

export interface Block {
  /** Empty where the section has one block only. */
  heading: string;
  /** What a reader must know before looking: incomplete or failed runs, a busy generator. */
  warnings: readonly string[];
  figures: readonly Figure[];
  content?: Html;
}

export interface Section {
  id: string;
  title: string;
  lead: string;
  blocks: readonly Block[];
  /** What to say when there are no blocks: what was not measured, and what would measure it. */
  missing: string;
}
